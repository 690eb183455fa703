"""The past of many symbols: read in parts, each kept while a later one is not answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pytest

from brokers.desk.data import feed as feed_module
from brokers.venue_errors import VenueError, VenueUnavailable
from tests.brokers.desk.feedside import DataVenue, Json, feed, moment, regular_rows

DAY, NEXT = "2023-03-07", "2023-03-08"
SYMBOLS = tuple("ABCDE")


class Failing(DataVenue):
    """Leaves some requests for history without an answer, by their number from 0."""

    failing: tuple[int, ...] = ()

    def bars(
        self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None,
        adjustment: str = "all",
    ) -> dict[str, list[Json]]:  # fmt: skip
        number = sum(end is not None for end in self.ends)
        self.down = VenueUnavailable("a page was not answered") if end is not None and number in self.failing else None
        return super().bars(symbols, minutes, start, end, adjustment)


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Failing:
    monkeypatch.setattr(feed_module, "HISTORY_SYMBOLS", 2)
    return Failing({symbol: regular_rows(NEXT, 8) for symbol in SYMBOLS[:4]}, f"{DAY} 10:02")


def parts(venue: DataVenue) -> list[str]:
    return ["".join(symbols) for symbols, _, _ in venue.asked]


def test_the_past_of_many_symbols_is_read_in_parts_and_goes_on_after_one_that_is_not_answered(venue: Failing) -> None:
    venue.failing = (1,)
    live = feed(venue, SYMBOLS)
    with pytest.raises(VenueError, match="a page was not answered"):
        live.snapshot()
    assert live.collected.newest() == {}
    venue.at(f"{DAY} 10:04")
    live.snapshot()
    assert parts(venue) == ["AB", "CD", "CD", "E", "ABCDE"]
    assert venue.ends == [moment(f"{DAY} 10:02")] * 4 + [None]
    assert live.sources == {**dict.fromkeys("ABCD", "alpaca"), "E": "none"}
    at_once = feed(DataVenue(venue.rows, f"{DAY} 10:04"), SYMBOLS)
    at_once.snapshot()
    assert live.bars is not None and at_once.bars is not None
    np.testing.assert_array_equal(live.bars.close, at_once.bars.close)
    assert list(live.bars.opens_at) == list(at_once.bars.opens_at)
    # What is new is asked for at once.
    venue.at(f"{DAY} 10:06")
    live.snapshot()
    assert parts(venue)[5:] == ["ABCDE"]


def test_yesterdays_bars_stay_until_todays_have_all_come(venue: Failing) -> None:
    live = feed(venue, SYMBOLS)
    live.snapshot()
    before = live.bars
    venue.failing = (4,)
    venue.at(f"{NEXT} 09:36")
    venue.rows["A"] = [{**bar, **{key: bar[key] / 2 for key in "ohlc"}} for bar in venue.rows["A"]]
    market = live.snapshot()
    assert before is not None and market.window("close", 3)[0, 0] > 99
    assert parts(venue)[3:] == ["AB", "CD"]
    market = live.snapshot()
    assert market.window("close", 3)[:, 0].max() < 60
    assert parts(venue)[5:] == ["CD", "E"]
    # A table that was handed out has not changed.
    assert before.close[-1, 0] > 99


def test_long_histories_are_read_for_fewer_symbols_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    venue = DataVenue({symbol: regular_rows(DAY, 8) for symbol in SYMBOLS}, f"{DAY} 10:02")
    monkeypatch.setattr(feed_module, "HISTORY_BARS", 3 * 3 * 192)
    feed(venue, SYMBOLS, needs=("vwap",)).snapshot()
    assert parts(venue) == ["ABC", "DE"]
