"""Live: parked cash is sold first, and the entry that wants it goes when it is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from brokers.desk.reconcile.order_comparison import Contradiction
from risk.model import Adjustment, Plan
from tests.brokers.desk.scene import Scene

FUND = "PLTR"
ON = ("gate.cash_funds=[PLTR]", "universe.symbols=[AAPL, MSFT, NVDA, TSLA]", "gate.min_cash_frac=0.15")


@pytest.fixture
def scene(tmp_path, monkeypatch):
    # The exchange of the scene lists no T-bill fund.
    monkeypatch.setattr("config.cross_checks.T_BILL_FUNDS", {FUND})
    made = Scene(tmp_path, overrides=ON)
    yield made
    made.stop()


def park(scene, quantity=840):
    """All above the buffer; the limit through the ask leaves room for one share less."""
    scene.enter(FUND, quantity)
    scene.settle(8)


def plan_of(scene, kind="trim", quantity=120.0, bought=100):
    code = "CASH_SWEEP: 12,000.00 USD wanted for entries"
    sale = Adjustment("cash_sweep", kind, FUND, code, quantity=quantity if kind == "trim" else 0)
    time = scene.exchange.now
    return Plan(time, adjustments=(sale,), entries=(scene.proposal("AAPL", bought),), funding=frozenset({FUND}))


def test_a_large_fund_passes_the_gate_and_counts_for_nothing(scene):
    park(scene)
    assert scene.held(FUND) == 839 == scene.stopped(FUND)
    account = scene.positions.account_state("AAPL")
    assert (account.day_notional, account.new_positions, account.open_positions) == (0.0, 0, 0)
    assert scene.positions.opened_today() == 0.0
    assert scene.positions.book.ledger.budget.deployed(scene.exchange.now.date()).week_usd == 0.0
    row = scene.desk.books.equity_row(scene.desk.books.book({}))
    assert (row.positions, row.long_exposure) == (0, 0.0) and row.cash == pytest.approx(100_000, rel=1e-3)


def test_the_entry_waits_for_the_sale_and_then_goes(scene):
    park(scene)
    with scene.desk.iteration():
        scene.desk.reconcile()
        scene.desk.execute(plan_of(scene))
    assert "AAPL" not in scene.desk.entries.tasks, "its cash is not there yet"
    scene.settle(12)
    assert scene.held(FUND) == 719 == scene.stopped(FUND)
    assert scene.held("AAPL") == 99 and scene.protected()
    refused = [o for o in scene.desk.entries.refusals.skipped if o.symbol == "AAPL"]
    assert not refused


def test_the_entry_without_the_sale_would_be_refused_for_cash(scene):
    park(scene)
    scene.enter("AAPL", 100)
    scene.settle(6)
    assert scene.held("AAPL") == 0


def test_an_entry_that_waits_too_long_is_given_up(scene):
    park(scene)
    # The sale finds nobody.
    scene.exchange.on_quote(scene.exchange.now, {})
    with scene.desk.iteration():
        scene.desk.reconcile()
        scene.desk.execute(plan_of(scene))
    waiting = scene.desk._plans._unfunded
    assert waiting is not None
    scene.desk._plans._unfunded = waiting[0], waiting[1] - timedelta(seconds=120)
    scene.desk.work()
    assert scene.desk._plans._unfunded is None
    (skipped,) = [o for o in scene.desk.entries.refusals.skipped if o.symbol == "AAPL"]
    assert "took too long" in skipped.reason


def test_the_next_plan_takes_the_place_of_one_that_waits(scene, caplog):
    park(scene)
    with scene.desk.iteration():
        scene.desk.reconcile()
        scene.desk.execute(plan_of(scene))
        scene.desk.execute(Plan(scene.exchange.now))
    (skipped,) = [o for o in scene.desk.entries.refusals.skipped if o.symbol == "AAPL"]
    assert skipped.reason.startswith("DESK_STOPPED: a later plan came")
    assert "AAPL not entered: DESK_STOPPED: a later plan came" in caplog.text
    scene.settle(12)
    assert scene.held("AAPL") == 0


def test_an_entry_that_waits_at_the_end_of_the_process_is_told(scene):
    park(scene)
    with scene.desk.iteration():
        scene.desk.reconcile()
        scene.desk.execute(plan_of(scene))
    assert scene.desk._plans._unfunded is not None
    scene.desk.shutting_down = True
    scene.desk.work()
    (skipped,) = [o for o in scene.desk.entries.refusals.skipped if o.symbol == "AAPL"]
    assert skipped.reason == "DESK_LEAVING: the process is ending"


def test_an_entry_after_an_answer_that_contradicts_is_told(scene):
    scene.desk.reconcile()
    scene.desk.sync.alarms.append(Contradiction("MSFT", "x was answered as a sale"))
    scene.desk.execute(Plan(scene.exchange.now, entries=(scene.proposal("AAPL", 5),)))
    (skipped,) = scene.desk.entries.refusals.skipped
    assert skipped.reason == "DESK_DOUBT: x was answered as a sale"


def test_a_trade_in_a_fund_is_no_trade(scene):
    park(scene)
    code = "CASH_SWEEP: all"
    with scene.desk.iteration():
        scene.desk.reconcile()
        scene.desk.execute(Plan(scene.exchange.now, adjustments=(Adjustment("cash_sweep", "exit", FUND, code),)))
    scene.settle(12)
    assert scene.held(FUND) == 0
    assert scene.positions.book.ledger.record.trades == [] and scene.positions.book.ledger.closed == []
