"""The best price since an entry: of sane bars as they are now, and of those that are too old to be there any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from brokers.desk.best_prices import BestPrices
from market.bars import BarTable
from risk.model import Position
from tests.brokers.desk.feedside import Json, moment, row
from tests.brokers.desk.test_bar_collector import table

OPENED = moment("2023-03-07 09:30")


def bars(*rows: Json) -> BarTable:
    return table(list(rows), "2023-03-07 15:00")


def bar(number: int, close: float, **other: Any) -> Json:
    """The bar of a number, five minutes each from the opening."""
    return row(str((OPENED + timedelta(minutes=5 * number)).replace(tzinfo=None)), close, h=close, l=close) | other


def position(quantity: float = 50, entered: int = 1, price: float = 100.0) -> Position:
    time = OPENED + timedelta(minutes=5 * entered)
    return Position("A", quantity, price, time, 95.0, 115.0, 95.0, initial_quantity=abs(quantity))


@pytest.mark.parametrize(("quantity", "odd", "best"), [(50, {"h": 1010.0}, 100.5), (-50, {"l": 0.1}, 99.5)])
def test_a_bar_that_is_not_sane_sets_no_best_price(quantity: float, odd: Json, best: float) -> None:
    found = bars(bar(0, 100), bar(1, 100.5), bar(2, 100.4, **odd), bar(3, 99.5))
    assert BestPrices().of(position(quantity), found, split=False) == best


def test_what_the_venue_has_corrected_is_not_remembered() -> None:
    best, held = BestPrices(), position()
    assert best.of(held, bars(bar(0, 100), bar(1, 100.2), bar(2, 100.4, h=131.0)), split=False) == 131
    corrected = bars(bar(0, 100), bar(1, 100.2), bar(2, 100.4), bar(3, 100.3))
    assert best.of(held, corrected, split=False) == BestPrices().of(held, corrected, split=False) == 100.4


def test_what_a_table_has_dropped_for_its_age_is_remembered() -> None:
    best, held = BestPrices(), position()
    assert best.of(held, bars(bar(0, 100), bar(1, 110), bar(2, 101)), split=False) == 110
    for _ in range(2):
        assert best.of(held, bars(bar(2, 101), bar(3, 102)), split=False) == 110
        assert best.of(held, None, split=False) == 110
    assert best.of(held, bars(bar(2, 101), bar(3, 102)), split=True) == 102
    best.keep(())
    assert best.of(held, bars(bar(3, 102)), split=False) == 102


def test_of_the_entrys_own_bar_the_close_counts() -> None:
    held = position(entered=0)
    within = replace(held, entry_time=OPENED + timedelta(minutes=2))
    found = bars(bar(0, 100.5, h=104.0), bar(1, 100.1))
    assert BestPrices().of(within, found, split=False) == 100.5
    assert BestPrices().of(held, found, split=False) == 104.0
