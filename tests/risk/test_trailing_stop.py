from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.percent_trailing import PercentTrailing
from risk.policy_gate import round_to_tick
from risk.trailing_stop import TrailingStop
from tests.brokers.harness import bracket, fills_of
from tests.risk.helpers import book, market, module, position
from tests.risk.managed import daily_x, managed, short_bracket

ON = market({"X": 100.0})


def stops(held, cls=TrailingStop, **config):
    return [(a.kind, a.stop, a.short) for a in module(cls, **config).manage(book(held), ON)]


def held(best, quantity=10, **changes):
    return position("X", quantity, best_price=best, **changes)


@pytest.mark.parametrize(
    ("best", "stop"),
    [
        (100.0, None),
        (107.49, None),
        (107.50, 102.50),  # armed at +1.5R: +0.5R locked
        (108.0, 103.0),
        (112.345, 107.35),  # rounded towards the market, not away from it
        (math.nan, None),
        (math.inf, None),
    ],
)
def test_the_level_behind_the_best_price(best, stop):
    assert stops(held(best)) == ([("tighten", stop, False)] if stop else [])


@pytest.mark.parametrize(("best", "stop"), [(92.51, None), (92.5, 97.5), (87.655, 92.65)])
def test_shorts_are_mirrored(best, stop):
    assert stops(held(best, quantity=-10)) == ([("tighten", stop, True)] if stop else [])


@pytest.mark.parametrize(
    ("now", "moved"), [(106.98, True), (106.99, True), (107.0, False), (107.5, False), (math.nan, False)]
)
def test_only_an_improvement_by_a_tick_is_sent(now, moved):
    assert bool(stops(held(112.0, stop=now))) is moved


def test_below_a_dollar_ticks_are_finer():
    assert stops(held(0.6012, entry_price=0.5, initial_stop=0.45, stop=0.45)) == [("tighten", 0.5512, False)]


def test_hedges_and_positions_without_risk_are_left_alone():
    assert stops(held(120.0, role="hedge")) == []
    assert stops(held(120.0, initial_stop=100.0)) == []
    assert stops(held(120.0, initial_stop=math.nan)) == []
    assert stops(held(120.0, role="hedge"), PercentTrailing) == []


def test_the_reason_names_the_reading():
    (change,) = module(TrailingStop).manage(book(held(112.0)), ON)
    assert change.code == "TRAILING_STOP: best price 112.00 at +2.40R, stop 1R behind it"
    assert change.inputs == {
        "best_price": 112.0, "best_r": pytest.approx(2.4), "risk_per_share": 5.0, "stop_before": 95.0,
    }  # fmt: skip


def test_every_setting_has_an_effect():
    assert stops(held(104.0), arm_r=0.5, trail_r=0.5) == [("tighten", 101.5, False)]
    assert stops(held(110.0), arm_r=2.5) == []
    assert stops(held(110.0), trail_r=1.5) == [("tighten", 102.5, False)]
    assert stops(held(104.0), PercentTrailing, trail_frac=0.02) == [("tighten", 101.92, False)]


@pytest.mark.parametrize(
    ("best", "quantity", "stop"),
    [(100.0, 10, None), (100.01, 10, 95.01), (110.0, 10, 104.5), (100.0, -10, None), (90.0, -10, 94.5),
     (math.nan, 10, None)],
)  # fmt: skip
def test_percent_trailing(best, quantity, stop):
    expected = [("tighten", stop, quantity < 0)] if stop else []
    assert stops(held(best, quantity), PercentTrailing) == expected


# ---- through the honest broker ------------------------------------------------------------------

RISE = [
    (100, 103, 99, 102),
    (102, 107.4, 101, 107),
    (107, 107.5, 105, 106),
    (106, 112, 104, 111),
    (111, 111.5, 108, 109),
    (109, 115, 108, 114.5),
]
QUIET = (100.0, 101.0, 99.0, 100.0)


def through(bars, *modules, short=False):
    """Fills, and the stop at the opening of each bar after the first, of 10 shares at 100 with R = 5."""
    enter = short_bracket(10, 105, 70) if short else bracket(10, 95, 130)
    done, seen = managed(daily_x(bars, short), enter, *modules, cash=10_000)
    levels = [None if s is None else s.stop for s in seen]
    return fills_of(done), [x and 200 - x for x in levels] if short else levels, done


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize(
    ("then", "levels", "price"),
    [
        ([(114, 114.5, 109, 109.5), QUIET], [110, None], 110),  # the resting stop
        ([(114, 120, 109, 119), QUIET], [110, None], 110),  # a new high in the bar that stops it comes too late
        ([(104, 105, 103, 104), QUIET], [107, None], 104),  # a gap through it is the whole gap
        ([(114, 131, 113, 130), QUIET], [110, None], 130),  # the target still works
    ],
    ids=["stopped", "same bar", "gap", "target"],
)
def test_the_stop_at_every_bar(short, then, levels, price):
    fills, seen, _ = through([*RISE, *then], module(TrailingStop), short=short)
    assert seen == [95, 95, 102.5, 107, 107, *levels]
    (entry, exit_) = fills
    assert entry == ("entry", 10, 100)
    assert exit_[1:] == (10, 200 - price if short else price)


@pytest.mark.parametrize("short", [False, True])
def test_a_bar_that_arms_and_falls_back_is_left_at_the_market(short):
    fills, _, done = through([QUIET, (102, 108, 101, 101.5), (101.4, 102, 101, 101), QUIET], module(TrailingStop),
                             short=short)  # fmt: skip
    assert fills[1] == ("close", 10, 98.6 if short else 101.4)
    closing = next(o for o in done.record.orders if o.role == "close")
    assert closing.reason.startswith("TRAILING_STOP: ")
    assert {o.status for o in done.record.orders if o.role in ("stop", "target")} == {"cancelled"}


def test_the_entry_bar_counts_once_it_has_closed():
    _, levels, _ = through([(100, 108, 99, 107), (107, 107.5, 106, 107), QUIET], module(TrailingStop))
    assert levels[0] == 103


def test_of_an_entry_inside_a_bar_only_the_close_counts():
    bars = [(100, 109, 96, 97), (97, 98, 96.5, 97.5), (97.5, 98, 97, 97.5), (97.5, 98, 97, 97.5)]
    _, seen = managed(daily_x(bars), bracket(10, 93, 130, limit_price=98.0), module(TrailingStop))
    assert [s.best for s in seen] == [98.0, 98.0, 98.0]


def test_a_missing_bar_leaves_the_stop_where_it_is():
    fills, levels, _ = through([*RISE[:4], None, (111, 112, 110, 111)], module(TrailingStop))
    assert levels == [95, 95, 102.5, 107, 107]
    assert fills == [("entry", 10, 100)]


@pytest.mark.parametrize("short", [False, True])
def test_percent_trailing_at_every_bar(short):
    fills, levels, _ = through([*RISE, QUIET, QUIET], module(PercentTrailing), short=short)
    if short:
        expected = [200 - round(best * 1.05 - 0.0049, 2) for best in (97, 92.6, 92.5, 88, 88)]
    else:
        expected = [97.85, 102.03, 102.13, 106.4, 106.4]
    assert levels[:5] == pytest.approx(expected)
    assert fills[-1][1:] == (10, 100)


# ---- whatever the bars --------------------------------------------------------------------------

MOVES = st.lists(st.tuples(st.floats(-0.08, 0.08), st.floats(0, 0.06), st.floats(0, 0.06)), min_size=1, max_size=40)


def bars_of(moves, price=100.0):
    bars = []
    for move, up, down in moves:
        close = price * (1 + move)
        bars.append((price, max(price, close) * (1 + up), min(price, close) * (1 - down), close))
        price = close
    return bars


@given(MOVES, st.floats(0.5, 3000), st.floats(0.01, 0.3), st.booleans())
@settings(max_examples=300, deadline=None)
def test_it_never_loosens_and_locks_half_an_r_once_armed(moves, entry, risk_frac, short):
    entry, sign = round_to_tick(entry), -1 if short else 1
    stop = round_to_tick(entry * (1 - sign * risk_frac))
    now = position("X", -5 if short else 5, entry, stop=stop, initial_stop=stop, best_price=entry)
    for _, high, low, _ in bars_of(moves, entry):
        now = replace(now, best_price=min(now.best_price, low) if short else max(now.best_price, high))
        for rule in (module(TrailingStop), module(PercentTrailing)):
            for change in rule.manage(book(now), ON):
                assert sign * (change.stop - now.stop) > 0
                assert change.stop == round_to_tick(change.stop)
                assert change.short is short
                if rule.name == "trailing_stop":
                    assert sign * (change.stop - entry) >= 0.5 * now.risk_per_share - 1e-6
                    now = replace(now, stop=change.stop)
            if rule.name == "trailing_stop":
                assert rule.manage(book(now), ON) == []


@given(MOVES)
@settings(max_examples=15, deadline=None)
def test_the_broker_never_sees_it_loosen(moves):
    _, levels, done = through(bars_of(moves), module(TrailingStop), module(PercentTrailing))
    working = [level for level in levels if level is not None]
    assert working == sorted(working)
    assert done.record.protected_bars == done.record.position_bars
