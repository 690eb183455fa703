"""What the journal keeps and gives back, the same on both databases."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import select

from brokers.journal import (
    AlreadyPlanned,
    Cumulative,
    Execution,
    IllegalTransition,
    Journal,
    JournalConflict,
    OrderIntent,
)
from brokers.journal.database.schema import trades
from brokers.record import EquityRow, TradeRecord
from risk.model import BracketTerms, Decision, Plan, Proposal, Verdict
from risk.sector_cap import SectorCap
from tests.brokers.journal.conftest import ACCOUNT, BEGIN
from tests.brokers.journal.told import told

ROOT = Path(__file__).parents[3]
SESSION = date(2024, 3, 4)
ENTRY = OrderIntent(
    "combined", "AMD", "buy", 61, "limit", "entry", BEGIN,
    limit_price=170.02, bracket_stop=163.0, bracket_target=Decimal("195.50"), reason="momentum 72",
)  # fmt: skip


def proposal(symbol: str, quantity: float) -> Proposal:
    terms = BracketTerms("buy", stop_frac=0.05, target_frac=0.15)
    return Proposal(symbol, "buy", "momentum", 72.5, 170.0, float("nan"), 163.0, 195.5, terms, quantity, "RSI rose")


def decision(symbol: str, *verdicts: Verdict) -> Decision:
    return Decision(BEGIN, proposal(symbol, verdicts[-1].after), verdicts[0].before, verdicts)


SIZED = Verdict("equity_sizer", "EQUITY_SIZER: cut by notional", 300, 61, {"equity": np.float64(105_000)})
KEPT = Verdict("sector_cap", "OK", 61, 61, {"count": 1, "nan": float("nan")})
CROWDED = Verdict("sector_cap", "SECTOR_CAP: crypto_adjacent 3/3", 50, 0, {"count": 3, "held": {"RIOT", "COIN"}})
HALTED = Verdict("drawdown_halt", "DRAWDOWN_HALT: 3.2%", 9, 0, {}, until=BEGIN + timedelta(hours=5))
PLAN = Plan(BEGIN, decisions=(decision("AMD", SIZED, KEPT), decision("MARA", CROWDED), decision("MU", HALTED)))


def test_an_order_is_on_the_disk_before_the_broker_is_called(journal, address, clock):
    name = journal.plan_order(ENTRY)
    journal.close()
    with Journal(address, ACCOUNT, clock) as later:
        (order,) = later.unresolved()
        assert order == later.order(name)
        assert (order.state, order.quantity, order.limit_price) == ("journaled", 61, Decimal("170.02"))
        assert (order.bracket_stop, order.bracket_target) == (163, Decimal("195.5"))
        assert order.decision_time == BEGIN
        assert (order.venue_id, order.parent_id) == ("", "")
        with pytest.raises(AlreadyPlanned, match="never send it again") as caught:
            later.plan_order(ENTRY)
        assert (caught.value.client_order_id, caught.value.state) == (name, "journaled")
        assert len(later.open_orders()) == 1


def test_the_same_decision_with_another_order_is_a_contradiction(journal):
    journal.plan_order(ENTRY)
    for changed in ({"quantity": 60}, {"limit_price": 170.03}, {"side": "sell"}, {"bracket_stop": None}):
        with pytest.raises(JournalConflict, match=next(iter(changed))):
            journal.plan_order(replace(ENTRY, **changed))
    zone = BEGIN.astimezone(ZoneInfo("America/New_York"))
    with pytest.raises(AlreadyPlanned):
        journal.plan_order(replace(ENTRY, decision_time=zone, reason="in other words"))
    assert journal.plan_order(replace(ENTRY, sequence=1)) != journal.order_id(ENTRY)


@pytest.mark.parametrize("quantity", [0, -1, float("nan"), float("inf"), Decimal("NaN")])
def test_an_order_of_no_quantity_is_none(quantity):
    with pytest.raises(ValueError, match="an order needs one above 0"):
        replace(ENTRY, quantity=quantity)


def test_the_life_of_an_order(journal):
    name = journal.plan_order(ENTRY)
    assert journal.sent(name, "v-1").state == "sent"
    assert journal.unknown(name, "timeout after 10 s").state == "unknown"
    assert [o.client_order_id for o in journal.unresolved()] == [name]
    assert journal.event(name, "working", "e1", venue_id="v-1").state == "working"
    assert journal.unresolved() == []
    fill = Execution(20, "170.01", BEGIN, "x1", 20)
    for _ in range(2):
        order = journal.event(name, "partially_filled", "e2", fills=[fill, Cumulative(20, "170.01", BEGIN)])
    assert (order.state, order.filled_quantity, order.remaining) == ("partially_filled", 20, 41)
    order = journal.event(name, "filled", "e3", fills=[Execution(41, "170.02", BEGIN, "x2", 61)])
    assert (order.state, order.average_price, order.remaining) == ("filled", Decimal("10371.02") / 61, 0)
    assert journal.event(name, "working", "e1").state == "filled"
    assert journal.sent(name).state == "filled"
    assert journal.unknown(name, "late").state == "filled"
    assert journal.open_orders() == []
    assert journal.positions_by_fills() == {"AMD": 61}
    assert journal.cash_by_fills() == Decimal("-10371.02")
    assert journal.order(name) == order
    with pytest.raises(IllegalTransition):
        journal.event(name, "cancelled", "e4")


def test_an_order_that_the_venue_is_asked_to_raise_may_be_as_large_and_no_larger(journal):
    stop = replace(ENTRY, side="sell", type="stop", role="stop", quantity=Decimal("0.0139"), bracket_stop=None)
    name = journal.plan_order(replace(stop, limit_price=None, stop_price=163.0, bracket_target=None))
    journal.event(name, "working", "e1", venue_id="v-1")
    journal.raise_quantity(name, Decimal("0.01409"))
    journal.raise_quantity(name, Decimal("0.01409"))
    order = journal.order(name)
    assert (order.state, order.quantity, order.remaining) == ("working", Decimal("0.01409"), Decimal("0.01409"))
    with pytest.raises(JournalConflict, match="ordered were"):
        journal.event(name, "filled", "e2", fills=[Execution("0.0141", "162.9", BEGIN, "x1", "0.0141")])
    # The venue never raised it, and filled what it had.
    fill = Cumulative(Decimal("0.0139"), "162.9", BEGIN)
    order = journal.event(name, "filled", "e3", fills=[fill], quantity=Decimal("0.0139"))
    assert (order.state, order.filled_quantity, order.remaining) == ("filled", Decimal("0.0139"), 0)


def test_legs_and_replacements_are_adopted_once(journal):
    entry = journal.plan_order(ENTRY)
    stop = replace(ENTRY, side="sell", type="stop", role="stop", parent_id=entry, limit_price=None, stop_price=163.0)
    for _ in range(2):
        journal.adopt("leg-of-venue", stop, "v-2")
    assert journal.order("leg-of-venue").parent_id == entry
    journal.event("leg-of-venue", "replaced", "r1")
    journal.adopt("leg-of-venue", stop, "v-2")
    assert journal.order("leg-of-venue").state == "replaced"
    with pytest.raises(JournalConflict, match="belongs to leg-of-venue"):
        journal.adopt("other", stop, "v-2")
    with pytest.raises(JournalConflict, match="now it is v-3"):
        journal.adopt("leg-of-venue", stop, "v-3")
    with pytest.raises(JournalConflict, match="nobody is not in the journal"):
        journal.adopt("orphan", replace(stop, parent_id="nobody"), "v-4")
    with pytest.raises(JournalConflict, match="not in the journal"):
        journal.sent("never-planned")
    assert len(journal.open_orders()) == 1


def test_money_comes_back_to_the_cent(journal):
    total = Decimal(0)
    for k in range(30):
        name = journal.plan_order(replace(ENTRY, quantity=3, sequence=k))
        price = Decimal("99999999.99") - Decimal(k) / 100
        journal.event(name, "filled", fills=[Execution(3, price, BEGIN, f"f{k}", 3)])
        total += 3 * price
    assert journal.cash_by_fills() == -total
    assert journal.positions_by_fills() == {"AMD": 90}
    assert journal.open_session(SESSION, 106_400.1, BEGIN) == Decimal("106400.1")


def test_threads_take_turns(journal):
    def plan(start: int) -> None:
        for sequence in range(start, start + 10):
            name = journal.plan_order(replace(ENTRY, sequence=sequence))
            journal.sent(name, f"v-{sequence}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(plan, range(0, 40, 10)))
    assert {order.state for order in journal.open_orders()} == {"sent"}
    assert len(journal.open_orders()) == 40


def test_coins_and_shorts(journal):
    for symbol, side, quantity in (("BTC/USD", "buy", "0.00000003"), ("MU", "sell", "7"), ("F", "buy", "2")):
        name = journal.plan_order(replace(ENTRY, symbol=symbol, side=side, quantity=Decimal(quantity)))
        journal.event(name, "filled", fills=[Cumulative(quantity, "60000.1", BEGIN)])
    name = journal.plan_order(replace(ENTRY, symbol="F", side="sell", quantity=2, role="close"))
    journal.event(name, "filled", fills=[Cumulative(2, "60000.1", BEGIN)])
    assert journal.positions_by_fills() == {"BTC/USD": Decimal("0.00000003"), "MU": -7}


def test_sessions_halts_equity_and_trades_survive_a_restart(journal, address):
    assert journal.session_open_equity(SESSION) is None
    assert journal.open_session(SESSION, Decimal("105000.50"), BEGIN) == Decimal("105000.50")
    assert journal.open_session(SESSION, 99_000, BEGIN) == Decimal("105000.50")
    for _ in range(2):
        journal.halt(SESSION, "drawdown_halt", BEGIN, "3.1% below its opening")
        journal.equity(EquityRow(BEGIN, 105_000.5, 94_629.48, 10_371.02, 0, 1))
    entry = journal.plan_order(ENTRY)
    closing = journal.plan_order(replace(ENTRY, side="sell", role="close"))
    trade = TradeRecord(
        "AMD", "buy", 40, BEGIN, 170.02, BEGIN + timedelta(hours=1), 175.0, 163.0, 195.5, float("nan"), None,
        199.2, 0.71, "stale", "momentum", 72.5,
    )  # fmt: skip
    journal.trades({(entry, closing): trade})
    journal.close()
    with Journal(address, ACCOUNT) as later:
        assert later.session_open_equity(SESSION) == Decimal("105000.50")
        assert later.halts(SESSION) == {"drawdown_halt"}
        assert later.halts(SESSION + timedelta(days=1)) == frozenset()


def test_trades_are_what_the_fills_say_now(journal):
    entry = journal.plan_order(ENTRY)
    exits = [journal.plan_order(replace(ENTRY, side="sell", role="close", sequence=k)) for k in range(3)]
    trade = TradeRecord(
        "AMD", "buy", 20, BEGIN, 170.02, BEGIN + timedelta(hours=1), 175.0, 163.0, 195.5, float("nan"), None,
        99.6, 0.71, "stale", "momentum", 72.5,
    )  # fmt: skip

    def kept() -> dict[str, tuple[Decimal, Decimal]]:
        with journal._store.transaction() as connection:
            rows = connection.execute(select(trades)).mappings().all()
        return {row["exit_order_id"]: (row["quantity"], row["pnl"]) for row in rows}

    journal.trades({(entry, exits[0]): trade, (entry, exits[1]): trade})
    assert kept() == {exits[0]: (20, Decimal("99.6")), exits[1]: (20, Decimal("99.6"))}
    grown = replace(trade, quantity=49, pnl=244.02)
    for _ in range(2):
        journal.trades({(entry, exits[0]): grown, (entry, exits[2]): trade})
        assert kept() == {exits[0]: (49, Decimal("244.02")), exits[2]: (20, Decimal("99.6"))}


def test_explain_tells_the_chain_and_what_would_have_to_change(journal, address):
    journal.begin_run("rehearse", "combined", "active", "abc")
    for _ in range(2):
        journal.decisions(PLAN)
    name = journal.plan_order(ENTRY)
    journal.sent(name, "v-1")
    journal.event(name, "filled", "e", fills=[Execution(61, "170.01", BEGIN, "x1", 61)])
    found = told(address, name)
    (entered,), (order,) = found.stories, found.orders
    d = entered.decision
    assert (d.outcome, d.proposed, d.final, d.signal, d.score, d.reason) == (
        "resized",
        300,
        61,
        "momentum",
        72.5,
        "RSI rose",
    )
    assert (d.price, d.stop, d.target, d.atr) == (170, 163, 195.5, None)
    assert [(s.verdict.module, s.verdict.code, s.binding) for s in entered.steps] == [
        ("equity_sizer", "EQUITY_SIZER: cut by notional", True), (entered.steps[1].verdict.module, "OK", False),
    ]  # fmt: skip
    assert entered.steps[0].verdict.inputs == {"equity": 105000}
    assert entered.steps[1].verdict.inputs == {"count": 1, "nan": None} and entered.steps[1].remedy is None
    assert entered.bound_by == "equity_sizer" and entered.change.startswith("a nearer stop")
    assert (order.state, order.quantity, order.limit, order.bracket_stop) == ("filled", 61, 170.02, 163)
    assert (order.filled, order.average, order.reason) == (61, 170.01, "momentum 72")
    assert [event.status for event in order.events] == ["journaled", "sent", "filled"]
    assert [(fill.quantity, fill.price) for fill in order.fills] == [(61, 170.01)]
    assert told(address, "v-1").orders == told(address, "AMD").orders == found.orders
    assert told(address, "AMD").stories == found.stories
    (refused,) = told(address, "MARA").stories
    assert (refused.decision.outcome, refused.decision.final, refused.bound_by) == ("refused", 0, "sector_cap")
    # The remedy is the rule's own; this rule's inputs name no sector.
    assert refused.change == SectorCap.remedy and refused.unlocks is None
    assert refused.steps[-1].verdict.code == "SECTOR_CAP: crypto_adjacent 3/3"
    assert refused.steps[-1].verdict.inputs == {"count": 3, "held": ["COIN", "RIOT"]}
    assert told(address, "MU").stories[0].unlocks == datetime(2024, 3, 4, 20, 30, tzinfo=UTC)
    assert told(address, "TSLA").empty


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "explain.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_reads_beside_the_writer(journal, address):
    journal.decisions(PLAN)
    done = script("MARA", "--journal", address)
    assert done.returncode == 0, done.stderr
    for word in ("2024-03-04 10:30:00", "SECTOR_CAP: crypto_adjacent 3/3", f"it would take: {SectorCap.remedy}"):
        assert word in done.stdout
    nothing = script("TSLA", "--journal", address)
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr == (
        "TSLA: nothing in the journal; give a ticker, an order's id, or a time such as 2024-03-04T10:30\n"
    )


def test_the_script_refuses_a_journal_that_is_not_there(tmp_path):
    done = script("AMD", "--journal", str(tmp_path / "none.sqlite3"))
    assert done.returncode == 2
    assert (
        done.stderr
        == f"{tmp_path}/none.sqlite3: there is no journal; start the trader, name its folder with --state-dir, or "
        "set DATABASE_URL where a database has the journal\n"
    )
    assert not list(tmp_path.iterdir())
