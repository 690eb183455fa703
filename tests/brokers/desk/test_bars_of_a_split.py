"""Bars from before a split: whatever the venue has adjusted by then, best prices and features are in present shares."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from brokers.desk.data.feed import LiveFeed
from brokers.desk.data.present_shares import PresentShares
from brokers.journal import Split
from market.bars import BarTable
from tests.brokers.desk.feedside import DataVenue, Json, daily_rows, feed, moment, regular_rows
from tests.brokers.desk.scene import Scene
from tests.brokers.desk.test_corporate_actions import split

DAY, NEXT = "2023-03-06", "2023-03-07"
SPLIT = Split("A", moment(f"{NEXT} 08:00"), Decimal(29), Decimal(116))
REVERSE = Split("A", moment(f"{NEXT} 08:00"), Decimal(40), Decimal(4))


def shares(one: Split) -> float:
    return float(one.after / one.before)


def adjusted(rows: list[Json], by: float, until: str) -> list[Json]:
    """Rows that begin before a moment, in other shares."""
    end = moment(until).astimezone(tz=None).timestamp()
    stamp = [np.datetime64(row["t"].rstrip("Z")).astype("datetime64[s]").astype(int) for row in rows]
    return [
        {**row, **{key: row[key] / by for key in "ohlc"}, "v": row["v"] * by} if at < end else row
        for row, at in zip(rows, stamp, strict=True)
    ]


def unadjusted(one: Split) -> list[Json]:
    """Bars as they traded: what came before the split is in old shares."""
    return adjusted(regular_rows(NEXT, 8), 1 / shares(one), NEXT)


def live(venue: DataVenue, *known: Split, price: float = 100.0) -> LiveFeed:
    return feed(venue, ["A", "B"], present=PresentShares(lambda: known, lambda symbol: price))


def whole(table: BarTable | None) -> np.ndarray:
    assert table is not None
    return np.column_stack([table.open[:, 0], table.high[:, 0], table.low[:, 0], table.close[:, 0]])


@pytest.mark.parametrize("one", [SPLIT, REVERSE])
@pytest.mark.parametrize("now", [f"{NEXT} 09:32", f"{NEXT} 09:41", f"{NEXT} 15:00"])
def test_bars_that_the_venue_has_not_adjusted_are_put_into_present_shares(one: Split, now: str) -> None:
    plain = live(DataVenue({"A": regular_rows(NEXT, 8), "B": regular_rows(NEXT, 8)}, now))
    late = live(DataVenue({"A": unadjusted(one), "B": regular_rows(NEXT, 8)}, now), one)
    assert plain.snapshot().values("usable").tolist() == late.snapshot().values("usable").tolist()
    np.testing.assert_allclose(whole(late.bars), whole(plain.bars))
    assert late.bars is not None and plain.bars is not None
    np.testing.assert_array_equal(late.bars.close[:, 1], plain.bars.close[:, 1])
    np.testing.assert_allclose(late.bars.volume, 1000)
    # The same table until a bar comes: its features are not computed again.
    before = late.bars
    late.snapshot()
    assert late.bars is before and late.known_bars() is before


@pytest.mark.parametrize("one", [SPLIT, REVERSE])
def test_bars_that_the_venue_has_adjusted_stay_as_they_are(one: Split) -> None:
    venue = DataVenue({"A": regular_rows(NEXT, 8), "B": regular_rows(NEXT, 8)}, f"{NEXT} 09:41")
    plain, known = live(venue), live(venue, one)
    plain.snapshot()
    known.snapshot()
    np.testing.assert_array_equal(whole(known.bars), whole(plain.bars))


def test_yesterdays_bars_are_in_present_shares_before_todays_are_read() -> None:
    found: list[Split] = []
    venue = DataVenue({"A": unadjusted(SPLIT)}, f"{DAY} 15:59")
    feeds = feed(venue, ["A", "B"], present=PresentShares(lambda: found, lambda symbol: 106.0))
    feeds.snapshot()
    assert feeds.bars is not None and np.nanmax(feeds.bars.high) > 400
    found.append(SPLIT)
    asked = len(venue.asked)
    table = feeds.known_bars()
    assert table is not None and np.nanmax(table.high) < 120
    assert len(venue.asked) == asked


def test_what_was_read_before_a_split_is_read_anew_after_it() -> None:
    """A trader that was started before the split is entered has read this day's bars already."""
    found: list[Split] = []
    venue = DataVenue({"A": unadjusted(SPLIT), "B": regular_rows(NEXT, 8)}, f"{NEXT} 07:00")
    feeds = feed(venue, ["A", "B"], present=PresentShares(lambda: found, lambda symbol: 106.0))
    feeds.prepare()
    found.append(SPLIT)
    venue.rows["A"] = regular_rows(NEXT, 8)
    venue.at(f"{NEXT} 09:36")
    feeds.snapshot()
    assert np.nanmax(whole(feeds.bars)) < 120
    parts = len(venue.asked)
    venue.at(f"{NEXT} 09:41")
    feeds.snapshot()
    assert len(venue.asked) == parts + 1, "once"


@pytest.mark.parametrize("by", [4.0, 0.1])
@pytest.mark.parametrize("minutes", [5, 60, 1440])
def test_the_past_of_what_is_not_held_is_read_anew_once_the_venue_has_adjusted_it(minutes: int, by: float) -> None:
    """Nothing in the journal tells of its split; the day's bars were read before it."""
    rows = daily_rows(NEXT, 300) if minutes == 1440 else regular_rows(NEXT, 8)
    venue = DataVenue({"A": rows, "B": adjusted(rows, 1 / by, NEXT)}, f"{NEXT} 07:00")
    feeds = feed(venue, ["A", "B"], minutes=minutes, needs=["rsi_14"])
    feeds.prepare()
    venue.rows["B"] = rows
    venue.at(f"{NEXT} 10:31")
    feeds.snapshot()
    assert feeds.bars is not None
    np.testing.assert_array_equal(feeds.bars.close[:, 0], feeds.bars.close[:, 1])
    asked = len(venue.asked)
    venue.at(f"{NEXT} 11:31")
    feeds.snapshot()
    assert len(venue.asked) == asked + 1, "once"


@pytest.mark.parametrize("gap", [0.93, 1.07])
def test_a_night_after_a_split_is_no_other_split(gap: float) -> None:
    rows = regular_rows(NEXT, 8)
    moved = [
        {**row, **{key: row[key] * gap for key in "ohlc"}} if k >= len(rows) - 78 else row for k, row in enumerate(rows)
    ]
    three_for_two = replace(SPLIT, before=Decimal(2), after=Decimal(3))
    late = [*adjusted(rows[:-78], 2 / 3, NEXT), *moved[-78:]]
    found = []
    for bars in (moved, late):
        known = live(DataVenue({"A": bars}, f"{NEXT} 11:00"), three_for_two)
        known.snapshot()
        found.append(whole(known.bars))
    np.testing.assert_allclose(found[0], found[1])


@pytest.mark.parametrize(("before", "after", "step"), [(2, 3, 0.8), (4, 5, 0.88), (3, 2, 1.25)])
def test_a_night_of_the_days_before_a_split_is_not_taken_for_it(before: int, after: int, step: float) -> None:
    """The venue has adjusted all bars already; what they show a session earlier is the market's."""
    rows = regular_rows(NEXT, 8)
    night = len(rows) - 2 * 78
    moved = [{**row, **{key: row[key] * step for key in "ohlc"}} if k >= night else row for k, row in enumerate(rows)]
    venue = DataVenue({"A": moved, "B": moved}, f"{NEXT} 11:00")
    known = live(venue, replace(SPLIT, before=Decimal(before), after=Decimal(after)), price=100.0 * step)
    known.snapshot()
    assert known.bars is not None
    np.testing.assert_array_equal(known.bars.close[:, 0], known.bars.close[:, 1])


# The desk.


def bars_of(scene: Scene, *closes: float) -> Callable[[], BarTable]:
    """Half-hour bars that end with the present one; highs a dollar above their closes."""
    venue = DataVenue({"AAPL": []}, "2023-03-07 10:00")
    end = scene.exchange.now.replace(minute=0, second=0, microsecond=0)
    times = [end - timedelta(minutes=30 * k) for k in range(len(closes) - 1, -1, -1)]
    venue.rows["AAPL"] = [
        {"t": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "o": c, "h": c + 1, "l": c - 1, "c": c, "v": 1}
        for at, c in zip(times, closes, strict=True)
    ]
    venue.time = scene.exchange.now + timedelta(hours=1)
    present = PresentShares(scene.positions.splits, scene.positions.present_price)
    made = feed(venue, ["AAPL"], minutes=30, sessions=False, present=present)
    made.snapshot()
    return made.known_bars


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    made.enter()
    made.settle(3)
    made.pass_time(7200)
    yield made
    made.stop()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("by", "best"), [("4", 27.5), ("0.1", 1100.0)])
def test_the_best_price_is_of_bars_in_present_shares(scene: Scene, by: str, best: float, restart: bool) -> None:
    bars = bars_of(scene, 101, 109, 100)
    scene.desk.books._bars = bars
    assert scene.desk.reconcile().positions["AAPL"].best_price == 110
    split(scene, by, left=None if by == "4" else "4")
    if restart:
        scene.restart()
    scene.desk.books._bars = bars_of(scene, 101, 109, 100) if restart else bars
    scene.settle(2)
    assert scene.desk.reconcile().positions["AAPL"].best_price == pytest.approx(best)
    assert scene.desk.protector.log.present == {}
    assert scene.held() == scene.stopped() > 0


def test_a_stop_in_old_shares_sells_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    split(scene, "4")
    scene.settle(3)
    held = scene.held()
    for missing in (False, True):
        if missing:
            scene.quote_age = timedelta(hours=1)
        with caplog.at_level(logging.WARNING):
            scene.adjust("tighten", stop=98.0)
        scene.settle(3)
        assert scene.held() == scene.stopped() == held == 196
    assert "AAPL: its stop stays, TEST_TIGHTEN: 98.0 is far beyond the market" in caplog.text
    scene.quote_age = timedelta(0)
    # One that lies near it does what it always did.
    scene.adjust("tighten", stop=25.2)
    scene.settle(4)
    assert scene.held() == 0


def test_an_entry_that_a_split_ends_is_not_bought_on(scene: Scene) -> None:
    scene.in_part("MSFT", 101, lambda: scene.enter("MSFT", 50))
    bought = scene.held("MSFT")
    assert 0 < bought < 49
    (entry,) = (order for order in scene.open("MSFT") if order["side"] == "buy")
    scene.exchange.cancel(entry["id"])
    holding = scene.exchange._state.ledger.holdings["MSFT"]
    holding.qty, holding.average = holding.qty * 4, holding.average / 4
    scene.prices["MSFT"] = scene.exchange._state.ledger.prices["MSFT"] = Decimal(25)
    scene.pass_time(70)
    scene.settle(8)
    assert scene.held("MSFT") == scene.stopped("MSFT") == 4 * bought
    assert not math.isnan(scene.desk.reconcile().positions["MSFT"].best_price)
