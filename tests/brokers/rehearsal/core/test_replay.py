"""The playback is played at its times: by hand, by the clock, over nights; and bad data are refused."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtests.data.bar_files import read_bars
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.alpaca.us_hours import US_HOURS
from brokers.rehearsal.core.bar_playback import BarPlayback, from_ns
from brokers.rehearsal.core.model import Bar
from brokers.rehearsal.core.pace import ByTime
from brokers.rehearsal.core.player import Player
from brokers.rehearsal.core.replay_bars import load_bars
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.serving.rate import RateLimit
from config.errors import Refusal
from tests.brokers.rehearsal.market import START, bars, later, served, trading, wait_for
from tests.brokers.rehearsal.venue import at, order


def player(
    data: pd.DataFrame | None = None, start: date | None = None, sessions: int | None = None
) -> Player[Exchange]:
    playback = BarPlayback(load_bars(bars() if data is None else data, US_HOURS))
    return Player(playback, start, sessions, lambda known, now: Exchange(known, now, lambda update: None))


def test_playing_bars_in_steps_gives_what_whole_bars_give() -> None:
    """The same orders against the same bars, once step by step and once bar by bar."""
    data = bars()
    told: tuple[list[Any], list[Any]] = ([], [])
    playback = BarPlayback(load_bars(data, US_HOURS))
    played = Player(playback, date(2026, 3, 10), 1, lambda known, now: Exchange(known, now, told[0].append))
    whole = Exchange(playback.symbols, played.exchange.now, told[1].append, VenueSettings())
    frame = data[data["datetime"].dt.date == date(2026, 3, 10)]
    first = True
    for time, rows in frame.groupby("datetime"):
        moment = time.to_pydatetime()
        opens = {r.symbol: Bar(*(Decimal(str(round(v, 2))) for v in (r.open, r.high, r.low, r.close)))
                 for r in rows.itertuples()}  # fmt: skip
        whole.on_bar(moment, opens, timedelta(minutes=5))
        played.play(whole.now)
        if first or moment.minute == 0:
            for venue in (played.exchange, whole):
                venue.submit(order("buy", qty="10", symbol="MSFT"))
                venue.submit(order("buy", "limit", limit_price="100.5"))
                venue.submit(order("buy", "stop", stop_price="101.6"))
        first = False
    assert told[0]
    assert [_plain(update) for update in told[0]] == [_plain(update) for update in told[1]]
    assert played.exchange.account()["equity"] == whole.account()["equity"]


def _plain(update: dict[str, Any]) -> tuple[Any, ...]:
    return update["event"], update["timestamp"], update["order"]["symbol"], update.get("price"), update.get("qty")


def test_prices_move_within_the_bar() -> None:
    with served() as server:
        client = trading(server)
        server.call(lambda exchange: exchange.submit(order("buy", qty="1")))
        prices = []
        for _ in range(4):
            later(server, seconds=100)
            position: Any = client.get_open_position("AAPL")
            prices.append(position.current_price)
        # Holding shares, the low comes first; after the close at 10:05 the next bar has opened.
        assert prices == ["100.64", "101.14", "100.85", "100.65"]


def test_the_clock_cannot_go_back_or_be_moved_where_it_runs() -> None:
    with served() as server, pytest.raises(ValueError, match="cannot go back"):
        server.advance_to(START - timedelta(seconds=1))
    with served(clock="auto") as server, pytest.raises(ValueError, match="moves by itself"):
        server.advance_to(START)


def test_a_date_starts_before_the_open_with_yesterdays_close() -> None:
    one = player(start=date(2026, 3, 10))
    assert one.exchange.now == at("2026-03-10 09:25")
    assert one.next_bar == at("2026-03-10 09:30")
    one.exchange.submit(order("buy", qty="1"))
    one.play(at("2026-03-10 09:29"))
    assert one.exchange.positions() == []
    one.play(at("2026-03-10 09:31"))
    position = one.exchange.position("AAPL")
    assert (position["avg_entry_price"], position["lastday_price"]) == ("100.79", "100.87")


def test_the_last_sessions_are_played_by_default_and_then_nothing_comes() -> None:
    one = player(sessions=2)
    assert one.exchange.now == at("2026-03-10 09:25")
    assert not one.finished
    one.play(at("2026-03-11 15:59"))
    assert not one.finished
    one.play(at("2026-03-12 10:00"))
    assert one.finished


def test_only_so_many_sessions_are_played() -> None:
    one = player(start=date(2026, 3, 9), sessions=1)
    one.play(at("2026-03-11 10:00"))
    assert one.finished
    assert one.last_bar == at("2026-03-09 15:55")


def daily() -> pd.DataFrame:
    days = pd.bdate_range("2026-03-02", "2026-03-13")
    base = pd.Series(range(len(days)), dtype=float)
    return pd.DataFrame(
        {"symbol": "AAPL", "datetime": days, "open": 100 + base, "high": 104 + base, "low": 98 + base}
    ).assign(close=101 + base, volume=1000)


def test_a_daily_bar_is_spread_over_its_session() -> None:
    one = player(daily(), start=date(2026, 3, 10))
    seen: list[tuple[str, str]] = []
    one.listeners.trades.append(
        lambda t, prices: seen.append((f"{t.astimezone(START.tzinfo):%H:%M}", str(prices["AAPL"])))
    )
    one.play(at("2026-03-10 20:00"))
    assert (seen[0], seen[-1]) == (("09:30", "106.0"), ("15:59", "107.0"))
    assert len(seen) == 391, "a price a minute"
    prices = [float(price) for _, price in seen]
    assert (min(prices), max(prices)) == (104.0, 110.0)


class Seconds:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_runs_at_its_speed_and_jumps_over_nights() -> None:
    clock = Seconds()
    one = player(start=at("2026-03-10 15:58"))
    pace = ByTime(one, 60.0, True, 0.5, clock)
    clock.now = 1.0
    pace.catch_up()
    assert one.exchange.now == at("2026-03-10 15:59")
    clock.now = 2.1
    pace.catch_up()
    assert one.exchange.now == at("2026-03-10 16:00") + timedelta(seconds=6)
    clock.now = 2.5
    pace.catch_up()
    assert one.exchange.now == at("2026-03-10 16:00") + timedelta(seconds=30)
    clock.now = 2.7
    pace.catch_up()
    assert one.exchange.now == at("2026-03-11 09:25")
    clock.now = 2.7 + 6
    pace.catch_up()
    assert one.exchange.now == at("2026-03-11 09:31")
    clock.now = 2.7 + 6 + 390
    pace.catch_up()
    clock.now += 10
    pace.catch_up()
    # Nothing comes any more, so there is nothing to jump to.
    assert one.exchange.now == at("2026-03-11 16:11")


def test_nights_last_where_nobody_skips_them() -> None:
    clock = Seconds()
    one = player(start=at("2026-03-10 15:58"))
    pace = ByTime(one, 60.0, False, 0.0, clock)
    for clock.now in (10.0, 20.0, 60.0):
        pace.catch_up()
    assert one.exchange.now == at("2026-03-10 16:58")


def test_what_rests_overnight_lives_through_the_jump() -> None:
    one = player(start=at("2026-03-10 15:58"))
    day_order = one.exchange.submit(order("buy", "limit", limit_price="90"))["id"]
    gtc = one.exchange.submit(order("buy", "limit", limit_price="90", time_in_force="gtc"))["id"]
    one.play(at("2026-03-11 03:00"))
    assert [one.exchange.order(str(i))["status"] for i in (day_order, gtc)] == ["expired", "accepted"]
    one.play(at("2026-03-11 09:25"))
    assert one.exchange.order(str(gtc))["status"] == "new"


def test_the_rate_limits_minute_is_the_venues() -> None:
    clock = Seconds()
    limit = RateLimit(2, 60.0, clock)
    assert [limit.take() for _ in range(3)] == [True, True, False]
    clock.now = 1.0
    assert limit.take()
    assert limit.headers()["X-RateLimit-Remaining"] == "1"


def test_the_automatic_server_runs_by_itself() -> None:
    with served(clock="auto", speed=60_000.0, gap_s=0.0, start=date(2026, 3, 10), sessions=1) as server:
        before = server.now
        wait_for(lambda: server.finished)
        assert server.now > before + timedelta(hours=6)
        assert server.call(lambda exchange: exchange.clock())["is_open"] is False


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.drop(columns="volume"), "no column volume"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "AAPL 2026-03-09 09:45 is there twice"),
        (lambda f: f.assign(open=f["open"].where(f.index != 5, np.nan)), "open of the bar AAPL 2026-03-09 09:55"),
        (lambda f: f.assign(close=f["close"].where(f.index != 5, -1.0)), "close of the bar AAPL 2026-03-09 09:55"),
        (lambda f: f.assign(high=f["high"].where(f.index != 5, 1.0)), "is below its low"),
        (lambda f: f.assign(datetime="soon"), "column datetime holds no times"),
        (lambda f: f.assign(datetime=pd.Timestamp("2026-03-08 02:30")), "holds what is no time"),
        (lambda f: f.assign(datetime=1), "column datetime holds no times"),
        (lambda f: f.groupby("symbol").head(1), "one bar per symbol"),
    ],
)
def test_data_that_cannot_be_are_refused(change: Any, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        load_bars(change(bars().reset_index(drop=True)), US_HOURS)


def test_a_file_is_played_as_the_backtest_reads_it(tmp_path: Path) -> None:
    # Across the beginning of summer time, so that offsets differ.
    given = bars(days=("2026-03-06", "2026-03-09"))
    given.to_csv(tmp_path / "bars.csv")
    given.set_index(["symbol", "datetime"]).to_parquet(tmp_path / "bars.parquet")
    for name in ("bars.csv", "bars.parquet"):
        loaded = load_bars(read_bars(tmp_path / name), US_HOURS, ["msft"])
        assert (loaded.symbols, loaded.minutes) == (["MSFT"], 5)
        assert from_ns(loaded.opens[0]) == at("2026-03-06 09:30")
        assert from_ns(loaded.opens[78]) == at("2026-03-09 09:30")
        with pytest.raises(Refusal, match="no bars of NVDA"):
            load_bars(read_bars(tmp_path / name), US_HOURS, ["AAPL", "NVDA"])


def test_prices_that_nobody_can_trade_are_refused() -> None:
    frame = daily()
    frame.loc[:, ["open", "high", "low", "close"]] *= 1e-7
    with pytest.raises(Refusal, match=r"open of the bar AAPL .* is below 0\.0001 USD, the smallest price"):
        load_bars(frame, US_HOURS)


def test_prices_lie_on_the_venues_grid() -> None:
    frame = daily()
    frame.loc[3, ["open", "high", "low", "close"]] = [103.123456, 107.999, 101.00001, 0.123456]
    loaded = load_bars(frame, US_HOURS).frame.iloc[3]
    assert loaded[["open", "high", "low", "close"]].tolist() == [103.12, 108.0, 0.1235, 0.1235]
