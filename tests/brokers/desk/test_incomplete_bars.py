"""Bars of which the venue has told a part: nothing is decided on them, and it is asked again for a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from brokers.desk.data.feed import MOMENT_S, RESERVED_S, LiveFeed
from brokers.desk.iteration_guard import ITERATION_S
from brokers.network.time_budget import LEAST_S, seconds_left, time_budget
from brokers.venue_errors import VenueUnavailable
from strategies.signals.momentum import Momentum
from tests.brokers.desk.feedside import DataVenue, Json, Yahoo, feed, moment, regular_rows, rows_between

DAY, BEFORE = "2023-03-07", "2023-03-06"
NEEDS = ("rsi_14", "atr_14")


class LateVenue(DataVenue):
    """Has each bar some seconds after its end; its clock goes on while somebody sleeps."""

    late_s = 0.0
    answers_in_s = 0.0
    passed_s = 0.0
    slept = 0
    failures = 0

    def __init__(self, rows: Mapping[str, Sequence[Json]], now: str) -> None:
        super().__init__(rows, now)
        self.late_of: dict[str, float] = {}

    def local(self, seconds: float) -> float:
        return seconds

    def sleep(self, seconds: float) -> None:
        self._pass(seconds)
        self.slept += 1

    def _pass(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.passed_s += seconds

    def bars(
        self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None,
        adjustment: str = "all",
    ) -> dict[str, list[Json]]:  # fmt: skip
        within_s = seconds_left(self.answers_in_s + LEAST_S)
        self._pass(min(within_s, self.answers_in_s))
        if within_s < self.answers_in_s:
            raise VenueUnavailable("timed out")
        if self.failures:
            self.failures -= 1
            raise VenueUnavailable("no answer")
        found = super().bars(symbols, minutes, start, end, adjustment)
        late = {symbol: timedelta(minutes=5, seconds=self.late_of.get(symbol, self.late_s)) for symbol in found}
        there = {
            s: [b for b in bars if datetime.fromisoformat(b["t"]) + late[s] <= self.time] for s, bars in found.items()
        }
        return {symbol: bars for symbol, bars in there.items() if bars}


def hourly(
    monkeypatch: pytest.MonkeyPatch, rows: dict[str, list[Json]], late_s: float = 0.0, yahoo: Yahoo | None = None
) -> tuple[LateVenue, LiveFeed]:
    venue = LateVenue(rows, f"{DAY} 09:31")
    venue.late_s = late_s
    monkeypatch.setattr("brokers.desk.data.feed.time.sleep", venue.sleep)
    monkeypatch.setattr("brokers.desk.data.feed.time.monotonic", lambda: venue.passed_s)
    live = feed(venue, list(rows), minutes=60, needs=NEEDS, yahoo=yahoo)
    live.snapshot()
    return venue, live


def at(venue: LateVenue, live: LiveFeed, time: str) -> bool:
    venue.at(f"{DAY} {time}")
    return live.snapshot().usable("A")


def last(live: LiveFeed) -> tuple[str, float, float]:
    assert live.bars is not None
    return f"{live.bars.opens_at[-1]:%H:%M}", live.bars.close[-1, 0], live.bars.volume[-1, 0]


@pytest.mark.parametrize("late_s", [0.0, 2.0, 6.0])
def test_an_hour_is_decided_on_once_its_last_part_has_come(monkeypatch: pytest.MonkeyPatch, late_s: float) -> None:
    rows = regular_rows(DAY, 40)
    closes = {bar["t"]: bar["c"] for bar in rows}
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, late_s)
    for time, end in (("10:30:01", "15:25"), ("11:30:01", "16:25")):
        venue.slept = 0
        assert at(venue, live, time)
        assert last(live)[1:] == (closes[f"{DAY}T{end}:00Z"], 12_000)
        assert live.market is not None and live.market.time == venue.time
        assert (venue.slept > 0) is (late_s > 0)


def test_what_comes_later_than_that_makes_the_hour_unusable_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, 1000.0)
    assert not at(venue, live, "10:30:01")
    assert last(live)[0] == "09:30" and np.isnan(last(live)[1])
    assert venue.slept <= MOMENT_S
    venue.late_s = 2.0
    assert at(venue, live, "10:46:00")
    assert last(live)[2] == 12_000


def test_an_hour_of_which_the_venue_told_the_beginning_alone_is_not_decided_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows})
    at(venue, live, "10:01")
    venue.down = VenueUnavailable("no answer")
    for time in ("10:30:01", "10:41:00"):
        assert not at(venue, live, time)
        assert last(live)[0] == "09:30" and np.isnan(last(live)[1])
    lines = [message for message in caplog.messages if "has come since" in message]
    assert lines == ["no bar of all 2 symbols has come since that of 09:55; nothing is entered on what is missing"]
    venue.down = None
    assert at(venue, live, "10:42:00")
    assert last(live)[2] == 12_000 and caplog.messages[-1] == "bars of all 2 symbols come again"


def test_what_the_fallback_told_of_one_symbol_completes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    yahoo = Yahoo({"A": [bar for bar in rows if bar["t"] < f"{DAY}T15:30"]})
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, yahoo=yahoo)
    at(venue, live, "10:01")
    venue.down = VenueUnavailable("no answer")
    assert at(venue, live, "10:30:01")
    assert not live.snapshot().usable("B")


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_symbol_without_a_trade_at_the_end_of_an_hour_is_decided_on_some_seconds_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, missing: int
) -> None:
    rows = regular_rows(DAY, 40)
    ends = [f"{DAY}T15:{minute}:00Z" for minute in (25, 20, 15, 10, "05")][:missing]
    seldom = [bar for bar in rows if bar["t"] not in ends]
    for others in ({"B": rows}, {}):
        venue, live = hourly(monkeypatch, {"A": seldom, **others})
        assert at(venue, live, "10:30:01") and 0 < venue.slept <= MOMENT_S
        assert last(live)[2] == 1000 * (12 - missing)
        assert at(venue, live, "10:45:00")
    assert "has come since" not in caplog.text


def test_a_symbol_whose_last_part_comes_later_than_others_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows})
    venue.late_of["A"] = 2.0
    assert at(venue, live, "10:30:01") and last(live)[2] == 12_000
    assert venue.slept == 1


@pytest.mark.parametrize("late_s", [200.0, 400.0])
def test_a_venue_that_is_minutes_late_with_all_has_not_said_that_nobody_traded(
    monkeypatch: pytest.MonkeyPatch, late_s: float
) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, late_s)
    assert not at(venue, live, "10:30:01")
    assert not at(venue, live, "10:30:20")
    assert at(venue, live, "10:37:00") and last(live)[2] == 12_000


def test_yahoos_answer_does_not_say_that_nobody_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    yahoo = Yahoo({"A": [bar for bar in rows if bar["t"] < f"{DAY}T15:25"]})
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, yahoo=yahoo)
    assert at(venue, live, "10:16:00")
    venue.down = VenueUnavailable("no answer")
    assert not at(venue, live, "10:45:00")
    assert live.sources["A"] == "yahoo" and np.isnan(last(live)[1])


@pytest.mark.parametrize("yahoo", [None, Yahoo()])
def test_one_failed_request_costs_no_hour(monkeypatch: pytest.MonkeyPatch, yahoo: Yahoo | None) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, yahoo=yahoo)
    for time, failures in (("10:30:01", 1), ("11:30:01", 3), ("12:30:30", 1)):
        venue.failures, venue.slept = failures, 0
        assert at(venue, live, time) and last(live)[2] == 12_000
        assert venue.slept == failures
    # Of an outage the first iterations alone wait.
    venue.failures, venue.slept = 10**6, 0
    assert not at(venue, live, "13:30:01") and 0 < venue.slept <= MOMENT_S
    venue.slept = 0
    assert not at(venue, live, "16:30:01") and venue.slept == 0


def test_waiting_for_bars_leaves_an_iteration_its_time_for_quotes_and_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, yahoo=Yahoo({"A": rows, "B": rows}))
    venue.at(f"{DAY} 10:30:01")
    venue.late_s, venue.answers_in_s = 1000.0, 1.0
    with time_budget(ITERATION_S):
        live.snapshot()
        assert seconds_left(ITERATION_S) >= RESERVED_S
    # The pauses themselves take nothing away: a symbol without a trade is decided on 8 s after the end all the same.
    venue.rows["A"] = [bar for bar in rows if bar["t"] != f"{DAY}T16:25:00Z"]
    venue.late_s, venue.answers_in_s = 0.0, 0.1
    with time_budget(ITERATION_S):
        assert at(venue, live, "11:30:01") and last(live)[2] == 11_000
    with time_budget(ITERATION_S):
        venue.at(f"{DAY} 12:30:01")
        venue.late_s = 1000.0
        # A slow venue is asked again no longer than that; Yahoo is asked all the same, which takes nothing away.
        venue.answers_in_s, live.fallback = 4.0, (yahoo := Yahoo({"A": rows, "B": rows}))
        live.snapshot()
        assert seconds_left(ITERATION_S) == pytest.approx(RESERVED_S) and len(yahoo.asked) == 2


@pytest.mark.parametrize("answers_in_s", [0.1, 1.3, 1.6, 2.2])
def test_a_slow_venue_settles_the_bar_of_a_symbol_without_a_trade_too(
    monkeypatch: pytest.MonkeyPatch, answers_in_s: float
) -> None:
    rows = regular_rows(DAY, 40)
    quiet = [bar for bar in rows if bar["t"] != f"{DAY}T15:25:00Z"]
    venue, live = hourly(monkeypatch, {"A": quiet, "B": rows})
    venue.answers_in_s = answers_in_s
    with time_budget(ITERATION_S - 0.7):
        assert at(venue, live, "10:30:01") and last(live)[2] == 11_000
        assert seconds_left(ITERATION_S) >= RESERVED_S


def test_yahoo_stands_in_for_a_venue_whose_request_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, yahoo=(yahoo := Yahoo({"A": rows, "B": rows})))
    venue.answers_in_s = 60.0
    with time_budget(ITERATION_S):
        assert at(venue, live, "10:30:01") and len(yahoo.asked) == 2


@pytest.mark.parametrize(("day", "close"), [(DAY, "16:00"), ("2023-07-03", "13:00")])
def test_the_half_hour_before_the_close_is_complete_with_its_last_part(day: str, close: str) -> None:
    venue = DataVenue({"A": regular_rows(day, 40)}, f"{day} {close}:01")
    live = feed(venue, ["A"], minutes=60, needs=NEEDS)
    assert live.snapshot().usable("A")
    assert last(live)[2] == 6000
    asked = len(venue.asked)
    for time in (f"{close[:2]}:20", f"{close[:2]}:59", "19:00"):
        venue.at(f"{day} {time}")
        live.snapshot()
    # Once for each half-hour of the clock, and not once a minute.
    assert len(venue.asked) <= asked + 2


def test_bars_that_lag_behind_are_decided_on_no_second_time(monkeypatch, caplog) -> None:
    rows = [bar for bar in regular_rows(DAY, 40) if bar["t"] < f"{DAY}T16:30"]
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows})
    assert at(venue, live, "11:30:05")
    for time in ("12:30:05", "13:30:05"):
        assert not at(venue, live, time)
        assert live.why_unusable("A") == f"stale since {DAY}T11:30:00-05:00: the newest bar is missing"
    assert "no bar of all 2 symbols has come since that of 11:25" in caplog.text


@pytest.mark.parametrize(
    ("minutes", "missing", "usable"), [(60, 1, False), (30, 1, False), (15, 1, True), (15, 2, False)]
)
def test_of_bars_that_come_whole_no_more_than_a_quarter_of_an_hour_may_be_missing(
    minutes: int, missing: int, usable: bool
) -> None:
    end = moment(f"{DAY} 12:00") - timedelta(minutes=minutes * (missing + 1))
    rows = rows_between(f"{BEFORE} 00:00", f"{end:%Y-%m-%d %H:%M}", minutes)
    venue = DataVenue({"A": rows}, f"{DAY} 12:00:30")
    live = feed(venue, ["A"], minutes=minutes, sessions=False)
    assert live.snapshot().usable("A") is usable


def test_an_hour_that_comes_whole_and_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_between(f"{BEFORE} 00:00", f"{DAY} 12:00", 60)
    venue = LateVenue({"A": rows}, f"{DAY} 11:50")
    venue.late_s = 55 * 60 + 3
    monkeypatch.setattr("brokers.desk.data.feed.time.sleep", venue.sleep)
    live = feed(venue, ["A"], minutes=60, sessions=False)
    live.snapshot()
    venue.at(f"{DAY} 12:00:01")
    live.snapshot()
    assert last(live)[:2] == ("11:00", rows[-2]["c"])


def test_bars_of_the_venue_that_come_back_hours_late_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = regular_rows(DAY, 40)
    venue, live = hourly(monkeypatch, {"A": rows, "B": rows}, yahoo=Yahoo({"A": rows}))
    for time in ("10:30:01", "11:30:01", "12:30:01", "13:30:01", "14:30:01"):
        venue.late_of = {"A": 4 * 3600.0} if time != "14:30:01" else {}
        assert at(venue, live, time)
        assert live.bars is not None
    assert live.bars.volume[-5:, 0].tolist() == [12_000.0] * 5
    np.testing.assert_array_equal(live.bars.close[:, 0], live.bars.close[:, 1])


# Volumes.

VENUE, ALL = 1000, 50_000
BREAKOUT = {
    "breakout_bars": 20, "roc_bars": 10, "min_roc_frac": 0.0, "volume_bars": 20, "min_volume_ratio": 1.2,
    "min_breakout_atr": 0.0, "full_breakout_atr": 2.0, "atr_bars": 14, "stop_atr": 2.0,
}  # fmt: skip


def volumes(live: LiveFeed, symbol: int = 0) -> set[float]:
    assert live.bars is not None
    found = live.bars.volume[:, symbol]
    return set(found[np.isfinite(live.bars.close[:, symbol])].tolist())


def everywhere(rows: list[Json], until: str) -> list[Json]:
    """The same bars as another source has them, with the trades of all exchanges."""
    return [{**bar, "v": ALL} for bar in rows if bar["t"] < until]


@pytest.mark.parametrize("minutes", [5, 60])
def test_one_request_without_an_answer_leaves_the_volumes_of_the_venue(minutes: int) -> None:
    rows = regular_rows(DAY, 40)
    venue = DataVenue({"A": rows, "B": rows}, f"{DAY} 11:25:03")
    live = feed(venue, ["A", "B"], minutes=minutes, yahoo=Yahoo({"A": everywhere(rows, f"{DAY}T16:30")}))
    live.snapshot()
    known = volumes(live)
    venue.down = VenueUnavailable("no answer")
    venue.at(f"{DAY} 11:30:03")
    assert live.snapshot().usable("A")
    # What the other source counts beside the venue's bars is not known.
    assert live.bars is not None and np.isnan(live.bars.volume[-1, 0])
    assert live.sources["A"] == "yahoo"
    venue.down = None
    venue.at(f"{DAY} 11:35:03")
    live.snapshot()
    assert volumes(live) == known and live.sources["A"] == "alpaca"


def test_momentum_buys_nothing_on_a_bar_whose_volume_is_not_known() -> None:
    signal = Momentum(Momentum.Config(**BREAKOUT))
    rows = regular_rows(DAY, 8)
    # The breakout is one of Yahoo's bars, of hardly any volume.
    higher = [{**bar, "v": 10, **{key: bar[key] + 30 for key in "ohlc"}} for bar in rows if bar["t"] >= f"{DAY}T16:25"]
    venue = DataVenue({"A": rows, "B": rows}, f"{DAY} 11:25:03")
    yahoo = Yahoo({"A": [*everywhere(rows, f"{DAY}T16:25"), *higher]})
    live = feed(venue, ["A", "B"], needs=signal.needs(), yahoo=yahoo)
    live.snapshot()
    venue.down = VenueUnavailable("no answer")
    # Later the bar of the breakout is a part of the past, and all volumes of the mean are unknown.
    for time in ("11:30:03", "11:45:03", "14:00:03"):
        venue.at(f"{DAY} {time}")
        market = live.snapshot()
        assert market.usable("A") and np.isnan(market.value("volume", "A"))
        assert market.value("mean_volume_20", "A") == VENUE
        assert np.isnan(signal.scores(market)[0])
        assert "volume not known" in signal.lacks(market, "A")


def test_a_symbol_that_the_venue_had_no_trade_of_for_a_while_has_its_volumes_alone() -> None:
    rows = regular_rows(DAY, 8)
    gap = [bar for bar in rows if not f"{DAY}T15:00" <= bar["t"] < f"{DAY}T15:40"]
    venue = DataVenue({"A": gap, "B": rows}, f"{DAY} 10:01")
    live = feed(venue, ["A", "B"], yahoo=Yahoo({"A": everywhere(rows, f"{DAY}T15:30")}))
    live.snapshot()
    venue.at(f"{DAY} 10:31")
    assert live.snapshot().usable("A")
    # The venue repeats its old bars of the symbol: the other source's stay.
    venue.at(f"{DAY} 10:36")
    live.snapshot()
    assert live.bars is not None and live.bars.close[-2, 0] > 0 and live.sources["A"] == "yahoo"
    venue.at(f"{DAY} 10:46")
    assert live.snapshot().usable("A")
    assert volumes(live) == {VENUE} and live.sources["A"] == "alpaca"


def test_the_past_of_a_symbol_that_the_fallback_served_alone_is_read_from_the_venue() -> None:
    rows = regular_rows(DAY, 8)
    venue = DataVenue({"B": rows}, f"{DAY} 10:01")
    live = feed(venue, ["A", "B"], yahoo=Yahoo({"A": everywhere(rows, f"{DAY}T15:00")}))
    live.snapshot()
    assert volumes(live) == {ALL}
    venue.rows["A"] = rows
    venue.at(f"{DAY} 10:06")
    assert live.snapshot().usable("A")
    assert volumes(live) == {VENUE}
    assert venue.asked[-1][0] == ("A",) and venue.asked[-1][2] == venue.asked[0][2]
    assert live.bars is not None
    np.testing.assert_array_equal(live.bars.close[:, 0], live.bars.close[:, 1])
