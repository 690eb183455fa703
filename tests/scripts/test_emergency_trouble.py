"""The emergency cleanup when answers get lost, orders stay, books disagree and the disk is full."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.alpaca.client import VenueClient
from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.lifecycle.session import open_session
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.journal import JournalConflict
from brokers.operator import cleanup
from brokers.operator.cleanup import Pace
from brokers.rehearsal.serving.network_faults import Mishap
from tests.brokers.rehearsal.market import wait_for
from tests.scripts.venue import Place, run


@pytest.fixture
def stopped_out(desk: Place) -> Place:
    """A trader saved its budget and left; then its stop was hit."""
    with desk.trader() as core:
        desk.enter(core)
        keeper = BudgetKeeper.open(desk.state, core.state.view.account.id, core.state.now.date())
        keeper.keep(core.positions.book.ledger.budget)
    desk.server.call(lambda exchange: exchange.on_quote(exchange.now, {"AAPL": Decimal(94)}))
    wait_for(lambda: desk.held("AAPL") == 0)
    return desk


def deployed(place: Place) -> float:
    """What the budget's file has deployed this week, as a trader that starts finds it."""
    session = open_session(place.settings, paper=True)
    session.close()
    return session.budget.saved.deployed(session.budget.saved.day).week_usd


def test_the_budget_follows_what_the_cleanup_booked(stopped_out):
    assert deployed(stopped_out) > 0
    assert run(stopped_out) == 0
    assert deployed(stopped_out) == 0


def test_a_cleanup_that_was_killed_before_it_saved_the_budget_lets_the_trader_start(stopped_out, monkeypatch):
    monkeypatch.setattr(BudgetKeeper, "keep", lambda self, budget: None)
    assert run(stopped_out) == 0
    assert deployed(stopped_out) > 0


def test_a_budget_that_cannot_be_trusted_is_told_and_left(stopped_out, capsys):
    path = stopped_out.state / "weekly_budget.json"
    path.write_text("{")
    assert run(stopped_out) == 0
    assert "the weekly budget is left as it is" in capsys.readouterr().out
    assert path.read_text() == "{"


def test_a_budget_that_cannot_be_written_is_told_with_status_1(stopped_out, monkeypatch, capsys):
    def full(self, budget):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BudgetKeeper, "keep", full)
    assert run(stopped_out) == 1
    assert "cannot be written (No space left on device)" in capsys.readouterr().out


def test_a_venue_that_contradicts_the_journal_stops_it_after_the_cancels(desk, monkeypatch, capsys):
    def contradicted(self, account=True):
        raise JournalConflict("order-1 is filled here and open there")

    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    monkeypatch.setattr("brokers.desk.reconcile.observer.VenueObserver.look", contradicted)
    assert run(desk) == 1
    assert "contradicts the journal (order-1" in capsys.readouterr().out
    assert desk.open_orders() == []


def test_a_cancel_whose_answer_is_lost_is_found_done(desk):
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    desk.server.faults.strike(Mishap.TIMEOUT_AFTER, "DELETE")
    assert run(desk) == 0
    assert desk.open_orders() == []


def test_a_cancel_that_got_lost_is_asked_for_again(desk, monkeypatch):
    monkeypatch.setattr(cleanup, "AGAIN_S", 0.2)
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    desk.server.faults.strike(Mishap.SERVER_ERROR, "DELETE")
    assert run(desk) == 0
    assert desk.open_orders() == []


def test_orders_that_stay_are_told_with_status_1(desk, monkeypatch, capsys):
    monkeypatch.setattr(Pace.done_by, "__defaults__", (0.3,))
    monkeypatch.setattr("brokers.desk.execution.order_gateway.OrderGateway.cancel", lambda self, name, **_: False)
    desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    assert run(desk) == 1
    said = capsys.readouterr().out
    assert "orders are still open" in said and "Not everything is settled" in said


def test_a_sale_whose_answer_is_lost_is_not_sent_twice(desk, capsys):
    desk.by_hand("PENNY", "2")
    desk.server.faults.strike(Mishap.TIMEOUT_AFTER, "POST")
    assert run(desk) == 0
    assert "sold 2 PENNY" in capsys.readouterr().out
    assert (desk.held("PENNY"), len(desk.changes())) == (0, 1)


def test_a_sale_that_the_venue_refuses_is_told(desk, monkeypatch, capsys):
    desk.by_hand("PENNY", "2")

    def refuse(self, payload):
        raise AlpacaRefusal(403, 40310000, "cost basis must be >= minimal amount of order 1")

    monkeypatch.setattr("brokers.alpaca.client.VenueClient.submit", refuse)
    assert run(desk) == 0
    assert "dust left: PENNY: VENUE_REFUSED: cost basis" in capsys.readouterr().out


def test_rows_that_cannot_be_read_keep_no_other_from_being_cancelled(desk, monkeypatch, capsys):
    odd = desk.by_hand("PLTR", "3", type="limit", limit_price="150")
    desk.by_hand("TSLA", "2", type="limit", limit_price="400")
    listed = VenueClient.open_orders

    def garbled(self):
        return [{**row, "limit_price": "n/a"} if row["id"] == odd else row for row in listed(self)]

    monkeypatch.setattr("brokers.alpaca.client.VenueClient.open_orders", garbled)
    assert run(desk, "--dry-run") == 0
    assert f"would cancel an order that cannot be read ({odd})" in capsys.readouterr().out
    assert run(desk) == 0
    assert desk.open_orders() == []


def test_positions_that_cannot_be_read_or_have_no_worth_are_no_dust(desk, monkeypatch, capsys):
    desk.by_hand("PENNY", "2")
    desk.by_hand("TSLA", "2")
    desk.by_hand("PLTR", "3")
    listed = VenueClient.positions
    wrong = {"TSLA": {"qty": "n/a"}, "PLTR": {"market_value": None}}

    def garbled(self):
        return [row | wrong.get(row["symbol"], {}) for row in listed(self)]

    monkeypatch.setattr("brokers.alpaca.client.VenueClient.positions", garbled)
    assert run(desk) == 0
    assert "left: 3 PLTR, the venue does not say what they are worth" in capsys.readouterr().out
    assert [desk.held(symbol) for symbol in ("PENNY", "TSLA", "PLTR")] == [0, 2, 3]
