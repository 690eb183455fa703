"""A stop that was moved and stayed the same order has each price for as long as it had it, on charts and in reports."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backtests.reports.live_scoreboard import journal_record
from brokers.journal import Execution, Journal, OrderIntent
from brokers.journal.history import AMENDED_BY
from monitoring import journal_queries
from monitoring.journal_reader import JournalReader
from tests.monitoring.journals import ACCOUNT, BEGIN


def stop_at(price: float, minutes: int) -> OrderIntent:
    return OrderIntent(
        strategy="combined", symbol="BTC/USD", side="sell", quantity=2, type="stop", role="stop",
        decision_time=BEGIN + timedelta(minutes=minutes), stop_price=price, reason="protection",
    )  # fmt: skip


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Placed at 90, moved to 91 by a request and to 92 by a hand, filled at 91.5."""
    seconds = iter(range(0, 10**6, 60))
    address = str(tmp_path / "journal.sqlite")
    with Journal(address, ACCOUNT, lambda: BEGIN + timedelta(seconds=next(seconds))) as journal:
        journal.begin_run("rehearse", "combined", "active", "abc")
        name = journal.plan_order(stop_at(90, 0))
        journal.sent(name, "v-1")
        journal.amended(name, journal.plan_order(stop_at(91, 1)))
        assert journal.present_terms(journal.order(name)).stop_price == 91
        journal.amended(name, stop_at(92, 2))
        assert journal.present_terms(journal.order(name)).stop_price == 92
        assert journal.last_exit_price("BTC/USD", "stop", BEGIN) == 92
        assert {o.client_order_id: o.stop_price for o in journal.run_orders()}[name] == Decimal(92)
        journal.event(name, "filled", "e", fills=[Execution(2, "91.5", BEGIN + timedelta(hours=1), "x1", 2)])
    return address


def test_a_chart_has_each_price_for_its_time(address):
    with JournalReader(address).open() as db:
        found = journal_queries.exits_of(db, "BTC/USD", BEGIN)
    assert [(order.stop, order.state) for order in found] == [(90, "replaced"), (91, "replaced"), (92, "filled")]
    first, second, third = found
    assert first.ended == second.time < second.ended == third.time < third.ended


def test_a_stop_s_slippage_is_measured_from_its_last_price(address):
    record = journal_record(JournalReader(address))
    (filled,) = [order for order in record.orders if order.filled_quantity]
    assert (filled.stop_price, filled.slippage_usd) == (92, pytest.approx(1.0))


def test_the_screens_know_the_journal_s_word():
    assert journal_queries.AMENDED_BY == AMENDED_BY
