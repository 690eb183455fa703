"""Coins that the venue does not know any more: they are measured like any others, and what protects them stays."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.desk.execution.exit_terms import ExitTerms
from brokers.venue_errors import VenueRefusal
from tests.brokers.desk.stop_only_venue import CoinRules
from tests.brokers.desk.test_stop_only_venue import BTC, Day


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    """Coins behind their stop, of a pair whose least quantity the venue does not tell any more."""
    made = Day(tmp_path)
    made.bought()

    def unknown(*_: Any) -> Decimal:
        raise VenueRefusal(f"the venue has no pair {BTC}")

    monkeypatch.setattr(CoinRules, "least", unknown)
    yield made
    made.journal.close()


def test_no_quantity_counts_as_too_little_where_the_least_is_not_known(day: Day) -> None:
    assert day.desk.state.least(BTC) == day.desk.state.least(BTC, Decimal(1)) == 0
    assert ExitTerms(day.desk.state, 1e-8).can_rest(BTC, Decimal("0.5")) == Decimal("0.5")


def test_coins_that_lose_their_stop_are_measured_and_protected_again(
    day: Day, caplog: pytest.LogCaptureFixture
) -> None:
    (stop,) = [order for order in day.venue.orders.values() if order.open]
    day.venue.cancel(stop.id)
    day.step()
    assert BTC in day.desk.protector.log.present or day.venue.stopped(BTC) == day.held
    day.settle(6)
    assert day.held == day.venue.stopped(BTC) > 0
    assert day.desk.protector.log.intervals and "the next step has to wait" not in caplog.text


def test_a_target_that_is_reached_is_sold_at(day: Day) -> None:
    day.step(1, "103800")
    day.settle(4)
    assert day.held == 0 and day.roles() == ["entry", "target"]


def test_where_the_venue_does_not_trade_them_nothing_that_rests_is_cancelled(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day.venue, "trades", lambda symbol: False)
    day.step(1, "103800")
    day.desk.closer.begin(BTC, None, "close", "test", day.venue.now())
    day.settle(4)
    assert day.held == day.venue.stopped(BTC) > 0
