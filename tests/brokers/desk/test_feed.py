"""The live feed: requests, sources, staleness, and what happens when nobody answers (DATA-1, DATA-3, DATA-4)."""

from __future__ import annotations

import logging
from datetime import timedelta

import numpy as np
import pytest

from brokers.venue_errors import VenueError, VenueUnavailable
from tests.brokers.desk.feedside import DataVenue, Yahoo, daily_rows, feed, moment, regular_rows, rows_between

DAY = "2023-03-07"
NEEDS = ("rsi_14", "atr_14")


def venue_of(symbols: tuple[str, ...], now: str) -> DataVenue:
    return DataVenue({symbol: regular_rows(DAY, 8) for symbol in symbols}, now)


def test_one_request_a_snapshot_and_only_for_what_is_new() -> None:
    venue = venue_of(("A", "B"), f"{DAY} 10:01")
    live = feed(venue, ["A", "B"], needs=NEEDS)
    first = live.snapshot()
    venue.at(f"{DAY} 10:06")
    second = live.snapshot()
    assert [(symbols, minutes) for symbols, minutes, _ in venue.asked] == [(("A", "B"), 5)] * 2
    assert venue.asked[0][2] < moment("2023-03-02 00:00")
    assert venue.asked[1][2] >= moment(f"{DAY} 10:00") - timedelta(hours=1)
    assert second.minutes_since(first.time) == pytest.approx(4)
    assert live.bars is not None
    assert live.bars.opens_at[-1] == moment(f"{DAY} 10:00")


def test_the_market_carries_the_venues_time_and_the_last_complete_bar() -> None:
    venue = venue_of(("A",), f"{DAY} 10:04:59")
    live = feed(venue, ["A"], needs=NEEDS)
    market = live.snapshot()
    assert market.time == moment(f"{DAY} 10:04:59")
    assert str(market.time.tzinfo) == "America/New_York"
    assert market.usable("A")
    assert live.bars is not None
    assert live.bars.opens_at[-1] == moment(f"{DAY} 09:55")


def test_a_bar_that_was_forming_when_first_read_is_read_again() -> None:
    venue = venue_of(("A",), f"{DAY} 10:02")
    live = feed(venue, ["A"])
    whole = dict(venue.rows["A"][-72])
    assert whole["t"].endswith("15:00:00Z")
    venue.rows["A"][-72] = {**whole, "c": 50.0, "l": 49.0}
    live.snapshot()
    venue.rows["A"][-72] = whole
    venue.at(f"{DAY} 10:05")
    assert live.snapshot().value("close", "A") == whole["c"]


def test_history_that_takes_several_goes_is_asked_for_in_the_same_words_until_it_is_there() -> None:
    venue = venue_of(("A",), f"{DAY} 10:02")
    live = feed(venue, ["A"])
    venue.down = VenueUnavailable("a page was not answered")
    with pytest.raises(VenueError, match="a page was not answered"):
        live.snapshot()
    venue.down = None
    venue.at(f"{DAY} 10:09")
    live.snapshot()
    assert venue.asked[0] == venue.asked[1]
    assert venue.ends == [moment(f"{DAY} 10:02"), moment(f"{DAY} 10:02"), None]
    assert live.bars is not None
    # What was forming when the history was begun has been read again since.
    assert live.bars.opens_at[-1] == moment(f"{DAY} 10:00")


def test_the_history_is_there_before_the_first_decision(monkeypatch) -> None:
    monkeypatch.setattr("brokers.desk.data.feed.PAUSE_S", 0.0)
    venue = venue_of(("A",), f"{DAY} 10:02")
    live = feed(venue, ["A"])
    live.prepare()
    assert len(venue.asked) == 1
    live.snapshot()
    assert venue.ends == [moment(f"{DAY} 10:02")]
    silent = venue_of(("A",), f"{DAY} 10:02")
    silent.down = VenueUnavailable("no answer")
    feed(silent, ["A"]).prepare()
    assert len(silent.asked) == 5


def test_history_is_read_anew_at_each_session() -> None:
    venue = DataVenue({"A": regular_rows("2023-03-08", 9)}, f"{DAY} 15:59")
    live = feed(venue, ["A"])
    live.snapshot()
    # A split overnight: the venue now writes all of history at half the price.
    venue.rows["A"] = [{**bar, **{key: bar[key] / 2 for key in "ohlc"}} for bar in venue.rows["A"]]
    venue.at("2023-03-08 09:36")
    market = live.snapshot()
    assert market.window("close", 3).max() < 60


def test_bars_are_read_again_once_the_clock_is_back_from_a_year_ahead() -> None:
    venue = venue_of(("A",), f"{DAY} 10:02")
    live = feed(venue, ["A"])
    live.snapshot()
    venue.at("2024-03-07 10:04")
    with pytest.raises(VenueError):
        live.snapshot()
    venue.at(f"{DAY} 10:06")
    live.snapshot()
    assert live.bars is not None and live.bars.opens_at[-1] == moment(f"{DAY} 10:00")


def test_names_are_the_venues_outside_and_ours_inside() -> None:
    venue = DataVenue({"BRK.B": regular_rows(DAY, 8)}, f"{DAY} 10:01")
    live = feed(venue, ["BRK.B"])
    assert live.snapshot().usable("BRK.B")
    assert venue.asked[0][0] == ("BRK.B",)
    assert live.sources == {"BRK.B": "alpaca"}


def test_the_log_names_the_source_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "brokers.desk.data.feed")
    venue = venue_of(("A", "B"), f"{DAY} 10:01")
    live = feed(venue, ["A", "B"])
    live.snapshot()
    venue.at(f"{DAY} 10:06")
    live.snapshot()
    assert caplog.messages == ["bars of A, B: from alpaca"]


def test_a_history_that_is_too_short_for_the_features_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    venue = venue_of(("A",), f"{DAY} 10:01")
    live = feed(venue, ["A"], needs=["ema_200"])
    live.snapshot()
    venue.at(f"{DAY} 10:06")
    live.snapshot()
    assert sum("are all that there are, the features need" in message for message in caplog.messages) == 1
    caplog.clear()
    feed(venue, ["A"], needs=["ema_2"]).snapshot()
    assert "are all that there are" not in caplog.text


def test_a_ticker_the_venue_lacks_comes_from_yahoo_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    venue = venue_of(("A",), f"{DAY} 10:01")
    yahoo = Yahoo({"B": [bar for bar in regular_rows(DAY, 8) if bar["t"] < "2023-03-07T15:00"]})
    live = feed(venue, ["A", "B"], needs=NEEDS, yahoo=yahoo)
    market = live.snapshot()
    assert live.sources == {"A": "alpaca", "B": "yahoo"}
    assert yahoo.asked == ["B"]
    assert market.usable("B")
    assert "B: bars from Yahoo, the venue has no bars of it" in caplog.messages


def test_yahoo_serves_all_when_the_request_fails(caplog: pytest.LogCaptureFixture) -> None:
    venue = venue_of((), f"{DAY} 10:01")
    venue.down = VenueUnavailable("timed out")
    rows = [bar for bar in regular_rows(DAY, 8) if bar["t"] < "2023-03-07T15:00"]
    live = feed(venue, ["A", "B"], needs=NEEDS, yahoo=Yahoo({"A": rows, "B": rows}))
    market = live.snapshot()
    assert market.usable("A")
    assert market.usable("B")
    assert "timed out" in caplog.text


def test_a_hopeless_ticker_is_asked_for_every_quarter_of_an_hour() -> None:
    venue = venue_of(("A",), f"{DAY} 10:01")
    yahoo = Yahoo()
    live = feed(venue, ["A", "B"], yahoo=yahoo)
    for minute in ("10:01", "10:06", "10:15:59", "10:16", "10:21"):
        venue.at(f"{DAY} {minute}")
        live.snapshot()
    assert yahoo.asked == ["B", "B"]
    assert live.sources["B"] == "none"
    assert live.why_unusable("B") == "no bar yet"


def test_a_yahoo_that_raises_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    venue = venue_of(("A",), f"{DAY} 10:01")
    yahoo = Yahoo(down=RuntimeError("no network"))
    live = feed(venue, ["A", "B", "C"], yahoo=yahoo)
    for minute in ("10:01", "10:06", "10:11"):
        venue.at(f"{DAY} {minute}")
        assert live.snapshot().usable("A")
    assert yahoo.asked == ["B"]
    assert "B: Yahoo cannot be asked (RuntimeError), next try in 15 minutes" in caplog.messages


def test_a_venue_that_falls_silent_makes_every_symbol_unusable() -> None:
    rows = [bar for bar in regular_rows(DAY, 8) if bar["t"] < f"{DAY}T15:00"]
    venue = DataVenue({"A": rows, "B": rows}, f"{DAY} 10:01")
    live = feed(venue, ["A", "B"], needs=NEEDS)
    assert live.snapshot().usable("A")
    venue.down = VenueUnavailable("timed out")
    venue.at(f"{DAY} 10:10")
    assert live.snapshot().usable("A")
    venue.at(f"{DAY} 10:15")
    market = live.snapshot()
    assert not market.values("usable").any()
    assert live.why_unusable("A") == "stale since 2023-03-07T10:00:00-05:00: the newest bar is missing"
    assert market.mark("A") > 0


def test_a_quarter_of_an_hour_without_a_bar_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    rows = [bar for bar in regular_rows(DAY, 8) if bar["t"] < f"{DAY}T18:00"]
    until = {symbol: [bar for bar in rows if bar["t"] < f"{DAY}T15:00"] for symbol in "ABC"}
    venue = DataVenue({**until, "C": rows}, f"{DAY} 10:01")
    live = feed(venue, ["A", "B", "C"])
    for minute in ("10:01", "10:06", "10:11"):
        venue.at(f"{DAY} {minute}")
        live.snapshot()
    assert "has come since" not in caplog.text
    for minute in ("10:16", "10:21", "10:26"):
        venue.at(f"{DAY} {minute}")
        live.snapshot()
    (line,) = [m for m in caplog.messages if "has come since" in m]
    assert line == "no bar of A, B has come since that of 09:55; nothing is entered on what is missing"
    venue.rows |= dict.fromkeys("AB", rows)
    venue.at(f"{DAY} 10:31")
    live.snapshot()
    assert caplog.messages[-1] == "bars of A, B come again"


def test_a_venue_that_has_no_new_bars_at_all_is_told(caplog: pytest.LogCaptureFixture) -> None:
    rows = [bar for bar in regular_rows(DAY, 8) if bar["t"] < f"{DAY}T15:00"]
    venue = DataVenue({"A": rows, "B": rows}, f"{DAY} 10:01")
    live = feed(venue, ["A", "B"])
    live.snapshot()
    venue.at(f"{DAY} 10:16")
    live.snapshot()
    assert [m for m in caplog.messages if "has come since" in m] == [
        "no bar of all 2 symbols has come since that of 09:55; nothing is entered on what is missing"
    ]


def test_without_any_bars_there_is_no_market() -> None:
    venue = venue_of((), f"{DAY} 10:01")
    with pytest.raises(VenueError, match="no bars of A and others"):
        feed(venue, ["A"]).snapshot()


@pytest.mark.parametrize("price", [0, -1.0, None, "soon"])
def test_a_bad_bar_makes_its_symbol_unusable_with_a_reason(price: object) -> None:
    venue = venue_of(("A", "B"), f"{DAY} 10:01")
    venue.rows["A"] = [{**bar, "l": price} if bar["t"].startswith(f"{DAY}T14:55") else bar for bar in venue.rows["A"]]
    live = feed(venue, ["A", "B"])
    market = live.snapshot()
    assert (market.usable("A"), market.usable("B")) == (False, True)
    assert live.why_unusable("A").startswith("price is not")


def test_daily_bars_end_with_the_last_session_that_is_over() -> None:
    venue = DataVenue({"A": daily_rows(DAY, 300)}, f"{DAY} 10:30")
    live = feed(venue, ["A"], minutes=1440, needs=NEEDS)
    assert live.snapshot().usable("A")
    assert live.bars is not None
    assert f"{live.bars.opens_at[-1]:%Y-%m-%d}" == "2023-03-06"


def test_a_partial_bar_is_not_taken_for_a_complete_one_when_the_venue_falls_silent() -> None:
    venue = venue_of(("A",), f"{DAY} 10:02")
    live = feed(venue, ["A"])
    live.snapshot()
    venue.down = VenueUnavailable("timed out")
    venue.at(f"{DAY} 10:05")
    live.snapshot()
    assert live.bars is not None
    assert live.bars.opens_at[-1] == moment(f"{DAY} 09:55")


def test_a_partial_bar_from_yahoo_is_never_taken_for_a_complete_one() -> None:
    venue = venue_of(("A",), f"{DAY} 10:02")
    live = feed(venue, ["A", "B"], yahoo=Yahoo({"B": [b for b in regular_rows(DAY, 8) if b["t"] <= f"{DAY}T15:00Z"]}))
    live.snapshot()
    venue.at(f"{DAY} 10:05")
    assert not live.snapshot().usable("B")


def test_a_hole_is_filled_when_the_venue_is_back() -> None:
    venue = venue_of(("A", "B"), f"{DAY} 10:01")
    rows = regular_rows(DAY, 8)
    yahoo = Yahoo({"A": [bar for bar in rows if bar["t"] < f"{DAY}T18:00"], "B": []})
    live = feed(venue, ["A", "B"], yahoo=yahoo)
    live.snapshot()
    venue.down = VenueUnavailable("timed out")
    venue.at(f"{DAY} 13:01")
    live.snapshot()
    venue.down = None
    venue.at(f"{DAY} 13:06")
    live.snapshot()
    assert live.bars is not None
    today = live.bars.opens_at >= moment(f"{DAY} 09:30")
    assert (live.bars.close[today, 1] > 0).all()


def test_a_ticker_that_has_not_traded_yet_this_morning_is_not_behind() -> None:
    venue = venue_of(("A", "B"), f"{DAY} 09:36")
    venue.rows["B"] = [bar for bar in venue.rows["B"] if bar["t"] < f"{DAY}T00:00"]
    yahoo = Yahoo()
    feed(venue, ["A", "B"], yahoo=yahoo).snapshot()
    assert yahoo.asked == []


def test_an_empty_answer_in_the_morning_leaves_the_history() -> None:
    venue = venue_of(("A",), f"{DAY} 15:59")
    live = feed(venue, ["A"])
    live.snapshot()
    venue.rows["A"] = rows_between("2023-03-09 09:30", "2023-03-09 09:35")
    venue.at("2023-03-08 09:31")
    assert live.snapshot().mark("A") > 0


def test_between_two_bars_nothing_is_asked_and_nothing_is_computed_again() -> None:
    venue = venue_of(("A", "B"), f"{DAY} 10:01")
    live = feed(venue, ["A", "B"], needs=NEEDS)
    live.snapshot()
    asked, features = len(venue.asked), live.features
    venue.at(f"{DAY} 10:04:30")
    market = live.snapshot()
    assert len(venue.asked) == asked and live.features is features
    assert market.time == moment(f"{DAY} 10:04:30")
    venue.at(f"{DAY} 10:05:10")
    live.snapshot()
    assert len(venue.asked) == asked + 1 and live.features is not features


def test_a_bar_that_is_late_is_asked_for_at_each_iteration_of_a_minute_and_then_once_in_it() -> None:
    venue = venue_of(("A", "B"), f"{DAY} 10:04")
    live = feed(venue, ["A", "B"], needs=NEEDS)
    live.snapshot()
    late = [row for row in venue.rows["B"] if row["t"] >= "2023-03-07T15:00"]
    venue.rows["B"] = [row for row in venue.rows["B"] if row not in late]
    asked = []
    for second in range(10, 300, 20):
        venue.at(str(moment(f"{DAY} 10:05") + timedelta(seconds=second)))
        before = len(venue.asked)
        live.snapshot()
        asked += [second] * (len(venue.asked) - before)
    assert asked == [10, 30, 50, 110, 170, 230, 290]
    venue.rows["B"] += late
    venue.at(f"{DAY} 10:10:01")
    assert live.snapshot().usable("B")


def test_what_the_bars_of_the_start_close_at_is_known_before_the_first_snapshot() -> None:
    feeds = feed(DataVenue({"A": regular_rows(DAY, 8)}, f"{DAY} 09:00"), ["A", "B"])
    assert feeds.prepared_closes() == {}
    feeds.prepare()
    closes = feeds.prepared_closes()
    assert feeds.known_bars() is None
    bars = feeds.snapshot() and feeds.bars
    assert bars is not None
    assert closes == {"A": bars.close[np.isfinite(bars.close[:, 0]), 0][-1]}
