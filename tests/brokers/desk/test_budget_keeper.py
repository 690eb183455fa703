"""The budget file of a live run: in step with the fills, and refused where it cannot be trusted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from brokers.desk.reconcile.budget_keeper import FILE, BudgetKeeper
from config import load
from config.errors import Refusal
from risk.weekly_budget import WeeklyBudget
from tests.brokers.desk.scene import ACCOUNT, Scene

TUESDAY = date(2023, 3, 7)


def keeper(folder, usd: float) -> BudgetKeeper:
    found = BudgetKeeper.open(folder, ACCOUNT, TUESDAY)
    found.keep(WeeklyBudget(TUESDAY).opened("AAPL", usd, TUESDAY))
    return BudgetKeeper.open(folder, ACCOUNT, TUESDAY)


def test_what_was_kept_is_read_again(tmp_path):
    assert keeper(tmp_path, 5000).saved.deployed(TUESDAY).week_usd == 5000


def fill(usd: float, symbol: str = "AAPL", side: str = "buy", day: date = TUESDAY) -> Any:
    order = SimpleNamespace(symbol=symbol, side=side, filled_notional=Decimal(str(usd)))
    return SimpleNamespace(order=order, last_fill=datetime.combine(day, time(15), UTC))


@pytest.mark.parametrize(("journal", "refused"), [(5000, False), (4960, False), (4900, True), (9000, False)])
def test_a_file_that_knows_of_more_than_the_journal_is_refused(tmp_path, journal, refused):
    found = keeper(tmp_path, 5000)
    if not refused:
        found.compare([fill(journal)], TUESDAY)
        return
    sentence = r"5000\.00 USD of AAPL deployed since 2023-03-07, the fills in the journal add up to 4900"
    with pytest.raises(Refusal, match=sentence):
        found.compare([fill(journal)], TUESDAY)


@pytest.mark.parametrize("other", [fill(9000, "MSFT"), fill(9000, day=TUESDAY - timedelta(days=1)), None])
def test_fills_of_other_symbols_and_days_explain_nothing(tmp_path, other):
    found = keeper(tmp_path, 5000)
    with pytest.raises(Refusal, match="restore the journal"):
        found.compare([other] if other else [], TUESDAY)


def test_what_was_sold_again_has_to_be_known_too(tmp_path):
    found = keeper(tmp_path, 5000)
    found.keep(found.saved.closed("AAPL", TUESDAY))
    with pytest.raises(Refusal, match="AAPL deployed since"):
        found.compare([fill(9000, "MSFT")], TUESDAY)
    with pytest.raises(Refusal, match=r"5000\.00 USD deployed on 2023-03-07, the fills in the journal add up to 2000"):
        found.compare([fill(1000), fill(1000, side="sell")], TUESDAY)
    found.compare([fill(5000), fill(5100, side="sell")], TUESDAY)


def test_an_empty_journal_does_not_begin_the_week_anew(tmp_path):
    found = keeper(tmp_path, 5000)
    with pytest.raises(Refusal, match="restore the journal"):
        found.compare([], TUESDAY)
    # The week after, nothing of it counts once the position is closed.
    closed = found.saved.closed("AAPL", TUESDAY)
    found.keep(closed)
    found.compare([], TUESDAY + timedelta(days=7))


def test_a_trader_killed_after_a_close_and_before_the_file_starts_again(tmp_path):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(3)
    scene.deaf = True
    scene.pass_time(5, AAPL=94)
    scene.observer.look()
    assert scene.positions.book.quantity("AAPL") == 0
    before = BudgetKeeper.open(tmp_path, ACCOUNT, TUESDAY).saved.deployed(TUESDAY).week_usd
    scene.restart()
    assert before > scene.desk.reconcile().budget.week_usd == 0
    assert BudgetKeeper.open(tmp_path, ACCOUNT, TUESDAY).saved.deployed(TUESDAY).week_usd == 0
    scene.stop()


def by_hand(scene: Scene, side: str, quantity: int) -> None:
    scene.exchange.submit(
        {"symbol": "AAPL", "qty": str(quantity), "side": side, "type": "market", "time_in_force": "day"}
    )
    scene.settle(4)


def test_a_hand_s_sale_frees_what_was_paid_and_adopting_it_changes_nothing(tmp_path):
    scene = Scene(tmp_path)
    by_hand(scene, "buy", 100)
    scene.pass_time(5, AAPL=80)
    by_hand(scene, "sell", 50)
    half = 50 * Decimal("100.01")
    assert scene.desk.budget.saved.deployed(TUESDAY).week_usd == pytest.approx(float(half))
    scene.settings = load(overrides=["live.adopt=[AAPL]"])
    scene.restart()
    assert scene.desk.reconcile().budget.week_usd == pytest.approx(float(half))
    scene.stop()


def test_a_budget_that_did_not_change_is_not_written(tmp_path):
    found = keeper(tmp_path, 5000)
    (tmp_path / FILE).unlink()
    found.keep(found.saved)
    found.keep(None)
    assert not (tmp_path / FILE).exists()


def test_fills_reach_the_file_and_a_restart_finds_them(tmp_path):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    notional = float(scene.held() * Decimal("100.01"))
    assert BudgetKeeper.open(tmp_path, ACCOUNT, TUESDAY).saved.deployed(TUESDAY).week_usd == pytest.approx(notional)
    scene.restart()
    assert scene.desk.reconcile().budget.week_usd == pytest.approx(notional)
    scene.stop()


def test_a_damaged_file_stops_the_start(tmp_path):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    path = tmp_path / FILE
    path.write_text(path.read_text().replace("4", "5", 1))
    with pytest.raises(Refusal, match=rf"{FILE}: .*move it away to have it made again from the fills in the journal"):
        scene.restart()
    scene.journal.close()
    path.unlink()
    scene.start()
    scene.settle(1)
    assert BudgetKeeper.open(tmp_path, ACCOUNT, TUESDAY).saved == scene.positions.book.ledger.budget
    assert scene.positions.book.ledger.budget.deployed(TUESDAY).week_usd > 0
    scene.stop()


def test_the_file_of_another_account_is_refused(tmp_path):
    keeper(tmp_path, 5000)
    with pytest.raises(Refusal, match="account"):
        BudgetKeeper.open(tmp_path, "somebody else", TUESDAY)


def test_a_budget_that_cannot_be_written_stops_entries_until_it_can(tmp_path, monkeypatch):
    scene = Scene(tmp_path)
    scene.enter()
    with monkeypatch.context() as broken:
        broken.setattr("brokers.desk.reconcile.budget_keeper.budget_file.save", _full)
        scene.settle(2)
        scene.enter("MSFT")
    assert "cannot be written (disk full)" in scene.desk.entries.refusals.skipped[-1].reason
    assert scene.stopped() == scene.held() > 0
    scene.step()
    assert scene.desk.halts.reasons(scene.exchange.now) == []
    assert json.loads((tmp_path / FILE).read_text())
    scene.stop()


def _full(*_: object) -> None:
    raise OSError(28, "disk full")
