from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.rebalancer import Rebalancer
from tests.risk.helpers import book, market, module, position


def trims(state, on, **settings):
    return {a.symbol: a.quantity for a in module(Rebalancer, **settings).manage(state, on)}


def test_the_worked_example():
    (trim,) = module(Rebalancer).manage(book(position("NVDA", 300)), market({"NVDA": 100.0}))
    assert (trim.module, trim.kind, trim.symbol, trim.quantity) == ("rebalancer", "trim", "NVDA", 150)
    assert trim.code == "REBALANCER: 30.0% of equity above 15.0%"


@pytest.mark.parametrize(
    ("quantity", "mark", "sold"),
    [
        (150, 100.0, 0),
        (155, 100.0, 0),  # at the edge of the band
        (156, 100.0, 6),
        (300, 100.0, 150),
        (300, 99.0, 149),  # 151 shares are 14,949; 152 would be 15,048
        (-300, 100.0, 150),  # shorts are bought back
        (300, math.nan, 0),
        (1, 20_000.0, 0),  # a single share is not liquidated
        (2, 20_000.0, 1),
    ],
)
def test_the_rule(quantity, mark, sold):
    expected = {"NVDA": sold} if sold else {}
    assert trims(book(position("NVDA", quantity)), market({"NVDA": mark})) == expected


def test_the_mark_counts_not_the_entry_price():
    assert trims(book(position("NVDA", 300, price=10.0)), market({"NVDA": 100.0})) == {"NVDA": 150}


def test_it_settles():
    state = book(position("NVDA", 300), position("AMD", 100))
    on = market({"NVDA": 100.0, "AMD": 100.0})
    after = 300 - trims(state, on)["NVDA"]
    assert trims(book(position("NVDA", after), position("AMD", 100)), on) == {}


def test_symbols_without_a_usable_bar_wait():
    assert trims(book(position("NVDA", 300)), market({"NVDA": 100.0}, unusable={"NVDA"})) == {}


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan])
def test_no_equity_no_weights(equity):
    assert trims(book(position("NVDA", 300), equity=equity, cash=0.0), market({"NVDA": 100.0})) == {}


@pytest.mark.parametrize(
    ("settings", "sold"), [({"max_weight_frac": 0.10}, 57), ({"band_frac": 0.10}, None), ({"lot": 10}, 10)]
)
def test_every_setting_has_an_effect(settings, sold):
    state, on = book(position("NVDA", 157)), market({"NVDA": 100.0})
    assert trims(state, on) == {"NVDA": 7}
    assert trims(state, on, **settings) == ({"NVDA": sold} if sold else {})


@given(quantity=st.integers(2, 5_000), mark=st.floats(1, 1_000), equity=st.floats(20_000, 1e6))
def test_the_remainder_is_within_the_limit_or_a_single_share(quantity, mark, equity):
    sold = trims(book(position("NVDA", quantity), equity=equity), market({"NVDA": mark})).get("NVDA", 0)
    remainder = quantity - sold
    assert remainder >= 1
    if sold:
        assert remainder * mark <= 0.15 * equity * (1 + 1e-9) + 1e-6 * mark or remainder == 1
