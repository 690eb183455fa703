from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.partial_profit import PartialProfit
from risk.trailing_stop import TrailingStop
from tests.brokers.harness import bracket, fills_of, minute_table
from tests.risk.helpers import book, market, module, position
from tests.risk.managed import daily_x, managed, short_bracket

QUIET = (100.0, 101.0, 99.0, 100.0)
TOUCHED = (102.0, 111.0, 101.0, 109.0)
REACHED = (109.0, 112.0, 108.0, 110.0)


def sold(held, mark=110.0, unusable=(), **config):
    changes = module(PartialProfit, **config).manage(book(held), market({"X": mark}, unusable=unusable))
    assert all(c.kind == "partial" for c in changes)
    return sum(c.quantity for c in changes)


@pytest.mark.parametrize(
    ("quantity", "mark", "expected"),
    [
        (10, 109.99, 0),
        (10, 110.0, 5),
        (10, 140.0, 5),
        (11, 110.0, 5),  # an odd lot stays with the rest
        (3, 110.0, 1),
        (2, 110.0, 1),
        (1, 110.0, 0),  # a single share is left alone
        (-10, 90.01, 0),
        (-10, 90.0, 5),
        (10, 90.0, 0),
        (10, math.nan, 0),
    ],
)
def test_the_rule(quantity, mark, expected):
    assert sold(position("X", quantity, initial_quantity=quantity), mark) == expected


def test_the_best_price_does_not_count():
    assert sold(position("X", 10, best_price=120.0), 105.0) == 0


@pytest.mark.parametrize(
    ("opened", "held", "expected"),
    [(100, 60, 50), (100, 40, 39), (0, 10, 5), (10, 20, 10)],
    ids=["trimmed", "trimmed below half", "opening unknown", "added to"],
)
def test_the_part_is_of_what_was_opened_and_never_all(opened, held, expected):
    assert sold(position("X", held, initial_quantity=opened)) == expected


def test_left_alone():
    assert sold(position("X", 10, partial_taken=True)) == 0
    assert sold(position("X", 10, role="hedge")) == 0
    assert sold(position("X", 10), unusable={"X"}) == 0
    assert sold(position("X", 10, initial_stop=100.0)) == 0
    assert sold(position("X", 10, initial_stop=math.nan)) == 0


def test_every_setting_has_an_effect():
    held = position("X", 100, initial_quantity=100)
    assert sold(held, 105.0, at_r=1.0) == 50
    assert sold(held, take_frac=0.25) == 25
    assert sold(held, lot=40) == 40
    assert sold(position("X", 0.5), lot=0.1) == pytest.approx(0.2)


def test_the_reason_names_the_reading():
    (change,) = module(PartialProfit).manage(book(position("X", 10)), market({"X": 110.0}))
    assert change.code == "PARTIAL_PROFIT: close 110.00 at +2.00R, 5 of 10 sold"


@given(
    st.floats(0.001, 1e6), st.floats(0, 1e6), st.sampled_from([1.0, 0.1, 0.001, 100.0]), st.floats(0.01, 0.99),
    st.floats(-200, 400),
)  # fmt: skip
@settings(max_examples=300)
def test_never_the_whole_and_in_whole_lots(held, opened, lot, take, mark):
    part = sold(position("X", held, initial_quantity=opened), mark, lot=lot, take_frac=take)
    assert part == 0 or held - part >= lot * (1 - 1e-6)
    assert part / lot == pytest.approx(round(part / lot), abs=1e-6)


# ---- through the honest broker ------------------------------------------------------------------


def through(bars, *more, quantity=10, short=False):
    enter = short_bracket(quantity, 105, 60) if short else bracket(quantity, 95, 140)
    done, seen = managed(daily_x(bars, short), enter, module(PartialProfit), *more, cash=10_000)
    return done, [s and (s.quantity, s.protected) for s in seen]


@pytest.mark.parametrize("short", [False, True])
def test_half_is_sold_at_the_next_open_once_and_the_rest_keeps_its_stop(short):
    bars = [QUIET, TOUCHED, REACHED, (111, 116, 110, 115), (115, 121, 114, 120), (96, 97, 94, 95), QUIET]
    done, seen = through(bars, short=short)
    sign = -1 if short else 1
    at = [(role, n, 200 - price if short else price) for role, n, price in fills_of(done)]
    assert at == [("entry", 10, 100), ("partial", 5, 111), ("stop", 5, 95)]
    # Asked for at the opening of the fourth bar, after the third closed at +2R.
    assert seen == [(sign * 10, 10)] * 3 + [(sign * 5, 5)] * 2 + [None]
    assert done.record.protected_bars == done.record.position_bars


def test_a_gap_back_sells_at_the_open_for_better_or_worse():
    done, _ = through([QUIET, TOUCHED, REACHED, (103, 104, 102, 103), QUIET])
    assert fills_of(done)[1] == ("partial", 5, 103)


def test_a_gap_through_the_stop_leaves_everything_to_the_stop():
    done, _ = through([QUIET, REACHED, (90, 91, 89, 90), QUIET])
    assert fills_of(done)[1:] == [("stop", 10, 90)]


def test_a_sale_that_found_no_bar_is_asked_for_again_on_a_fresh_one():
    done, seen = through([QUIET, REACHED, None, None, (112, 113, 111, 112), (112, 113, 111, 112), QUIET])
    assert [f for f in fills_of(done) if f[0] == "partial"] == [("partial", 5, 112)]
    assert seen == [(10, 10)] * 5 + [(5, 5)]


def test_a_sale_that_still_waits_for_a_bar_is_not_asked_for_twice():
    table = minute_table(5, [[QUIET, REACHED, QUIET, (112, 113, 111, 112), (112, 113, 111, 112), QUIET, QUIET]])
    for prices in (table.open, table.high, table.low, table.close):
        prices[2] = math.nan
    done, seen = managed(table, bracket(10, 95, 140), module(PartialProfit), cash=10_000)
    assert fills_of(done) == [("entry", 10, 100), ("partial", 5, 112)]
    assert [(s.quantity, s.protected) for s in seen] == [(10, 10)] * 3 + [(5, 5)] * 3


def test_with_a_trailing_stop_the_rest_runs():
    bars = [QUIET, REACHED, (112, 118, 111, 117), (117, 117, 112, 113), QUIET]
    done, _ = through(bars, module(TrailingStop))
    assert fills_of(done) == [("entry", 10, 100), ("partial", 5, 112), ("stop", 5, 113)]


@given(st.lists(st.floats(-0.08, 0.1), min_size=1, max_size=25), st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_it_never_happens_twice(moves, quantity):
    bars, price = [QUIET], 100.0
    for move in moves:
        close = price * (1 + move)
        bars.append((price, max(price, close) * 1.01, min(price, close) * 0.99, close))
        price = close
    done, _ = through(bars, quantity=quantity)
    partials = [f for f in fills_of(done) if f[0] == "partial"]
    assert len(partials) <= 1
    assert all(n == quantity // 2 for _, n, _ in partials)
    assert done.record.protected_bars == done.record.position_bars
