from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from market.market import Market
from risk.stale_exit import StaleExit
from tests.brokers.harness import bracket, fills_of, minute_table
from tests.risk.helpers import NOW, book, market, module, position
from tests.risk.managed import managed

STEP = 300.0


def clocked(mark, bars=40, nights=(), usable=True, row=None):
    """Five-minute bars of X that end at NOW; before each bar numbered in ``nights`` lie 17.5 hours."""
    opens, at = [], NOW.timestamp()
    for number in reversed(range(bars)):
        at -= STEP
        opens.append(at)
        if number in nights:
            at -= 17.5 * 3600
    times = np.array([opens[::-1], [x + STEP for x in opens[::-1]]])
    columns = {"mark": np.full((bars, 1), mark), "usable": np.full((bars, 1), usable)}
    return Market(
        time=NOW, row=bars - 1 if row is None else row, symbols=("X",), index={"X": 0}, columns=columns, sectors={},
        times=times,
    )  # fmt: skip


def exits(mark=100.0, minutes=125, on=None, quantity=10, held=None, **config):
    held = held or position("X", quantity, entry_time=NOW - timedelta(minutes=minutes))
    return [a.kind for a in module(StaleExit, **config).manage(book(held), clocked(mark) if on is None else on)]


@pytest.mark.parametrize(
    ("minutes", "mark", "closed"),
    [
        (125, 100.0, 1),
        (120, 100.0, 0),  # more than two hours, not two hours
        (120.1, 100.0, 1),
        (60, 100.0, 0),
        (125, 100.49, 1),
        (125, 100.5, 0),
        (125, 99.51, 1),
        (125, 99.49, 0),
        (125, math.nan, 0),
    ],
)
def test_the_rule(minutes, mark, closed):
    assert exits(mark, minutes) == ["exit"] * closed
    assert exits(mark, minutes, quantity=-10) == ["exit"] * closed


def test_nights_do_not_age_a_position():
    # Half an hour of trading on the first day, then the night, then 90 minutes up to now.
    on = clocked(100.0, bars=24, nights={18})
    old = position("X", 10, entry_time=NOW - timedelta(hours=19.5))
    assert on.minutes_since(old.entry_time) == pytest.approx(120)
    assert exits(held=old, on=on) == []
    assert exits(held=old, on=on, max_minutes=119.0) == ["exit"]


def test_trading_time_counts_from_within_a_bar_to_the_last_closed_one():
    on = clocked(100.0)
    assert on.minutes_since(NOW - timedelta(minutes=12)) == pytest.approx(12)
    assert on.minutes_since(NOW) == 0
    assert on.minutes_since(NOW + timedelta(hours=1)) == 0
    assert on.minutes_since(NOW - timedelta(days=9)) == pytest.approx(200)
    assert clocked(100.0, row=19).minutes_since(NOW - timedelta(minutes=110)) == pytest.approx(10)
    assert math.isnan(clocked(100.0, row=-1).minutes_since(NOW))
    assert math.isnan(market({"X": 100.0}).minutes_since(NOW))


def test_left_alone():
    old = NOW - timedelta(hours=3)
    assert exits(held=position("X", 10, entry_time=old, role="hedge")) == []
    assert exits(held=position("X", 10, entry_time=old), on=clocked(100.0, usable=False)) == []
    assert exits(held=position("X", 10, entry_time=old), on=market({"X": 100.0})) == []
    assert exits(held=position("X", 10, entry_price=0.0, entry_time=old)) == []


def test_every_setting_has_an_effect():
    assert exits(minutes=100, max_minutes=90.0) == ["exit"]
    assert exits(minutes=125, max_minutes=150.0) == []
    assert exits(101.0, min_move_frac=0.02) == ["exit"]


def test_the_reason_names_the_reading():
    held = position("X", 10, entry_time=NOW - timedelta(minutes=125))
    (change,) = module(StaleExit).manage(book(held), clocked(99.8))
    assert change.code == "STALE_EXIT: moved -0.200% in 125 minutes of trading"


# ---- through the honest broker ------------------------------------------------------------------

FLAT = (100.0, 100.3, 99.7, 100.2)


def closed_at(days, enter_at=0):
    """When the bracket of 10 at 100, sent at the first bar, was closed and how; None where it still runs."""
    table = minute_table(15, days)
    done, _ = managed(table, bracket(10, 95, 130), module(StaleExit), cash=10_000)
    exits = fills_of(done)[1:]
    assert done.record.protected_bars == done.record.position_bars
    return [(role, price, f"{t.exit_time:%d %H:%M}") for (role, _, price), t in zip(exits, done.record.trades,
                                                                                   strict=True)]  # fmt: skip


def test_a_flat_position_is_closed_after_two_hours():
    # 120 minutes are complete at 11:30; the first bar beyond them closes at 11:45.
    assert closed_at([[FLAT] * 12]) == [("close", 100.0, "04 11:45")]


def test_one_that_moved_runs_until_it_comes_back():
    moved = (100.2, 101.2, 100.1, 101.0)
    assert closed_at([[FLAT] * 3 + [moved] * 9]) == []
    assert closed_at([[FLAT] * 3 + [moved] * 7 + [FLAT] * 3]) == [("close", 100.0, "04 12:15")]


def test_the_stop_comes_first():
    crash = (100.0, 100.1, 94.0, 94.5)
    assert closed_at([[*[FLAT] * 4, crash, *[FLAT] * 6]]) == [("stop", 95.0, "04 10:30")]


def test_a_night_is_not_counted():
    # Four bars, an hour, on the first day; the second day's hour ends at 10:30, and more is 10:45.
    assert closed_at([[FLAT] * 4, [FLAT] * 8]) == [("close", 100.0, "05 10:45")]
