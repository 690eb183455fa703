"""Bars, quotes and trades: right, paged, and never from the future."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from brokers.rehearsal.alpaca.data.timeframes import read_timeframe
from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.alpaca.us_hours import US_HOURS
from brokers.rehearsal.core.bar_playback import BarPlayback, to_ns
from brokers.rehearsal.core.replay_bars import load_bars
from tests.brokers.rehearsal.market import START, bars, later, market_data, served
from tests.brokers.rehearsal.venue import at, order

FIVE = TimeFrame(5, TimeFrameUnit.Minute)


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    with served() as running:
        yield running


@pytest.fixture
def client(server: RehearsalServer) -> StockHistoricalDataClient:
    return market_data(server)


def asked(symbols: str | list[str], timeframe: TimeFrame = FIVE, **options: Any) -> StockBarsRequest:
    options.setdefault("feed", DataFeed.IEX)
    options.setdefault("start", at("2026-03-09 00:00"))
    return StockBarsRequest(symbol_or_symbols=symbols, timeframe=timeframe, **options)


def test_history_is_the_files_bars(client: StockHistoricalDataClient) -> None:
    found: Any = client.get_stock_bars(asked(["AAPL", "MSFT", "NONE"], adjustment=Adjustment.ALL)).df
    given = bars().set_index(["symbol", "datetime"])
    assert list(found.index.levels[0]) == ["AAPL", "MSFT"]
    for symbol in ("AAPL", "MSFT"):
        mine = found.loc[symbol]
        # 78 bars of the day before, six of today, and the one that begins at ten.
        assert len(mine) == 78 + 6 + 1
        closed = mine.iloc[:-1]
        theirs = given.loc[symbol].loc[closed.index.tz_convert("America/New_York")]
        for field in ("open", "high", "low", "close", "volume"):
            assert np.allclose(closed[field], theirs[field]), field


def test_the_forming_bar_is_what_has_been_played_of_it(server: RehearsalServer) -> None:
    client = market_data(server)

    def newest() -> list[float]:
        bar: Any = client.get_stock_bars(asked("AAPL", start=START)).df.iloc[-1]
        return [round(bar[field], 2) for field in ("open", "high", "low", "close")]

    assert newest() == [100.84, 100.84, 100.84, 100.84]
    later(server, seconds=100)
    assert newest() == [100.84, 100.84, 100.64, 100.64]
    later(server, seconds=100)
    assert newest() == [100.84, 101.14, 100.64, 101.14]
    later(server, seconds=99)
    assert newest() == [100.84, 101.14, 100.64, 101.14]
    later(server, seconds=1)
    bar: Any = client.get_stock_bars(asked("AAPL", start=START, end=START)).df.iloc[-1]
    assert (round(bar["close"], 2), bar["volume"]) == (100.94, 4001)


def test_bars_show_the_way_that_the_exchange_walked(server: RehearsalServer) -> None:
    """Where a buy rests the high comes first."""
    server.call(lambda exchange: exchange.submit(order("buy", "limit", limit_price="90")))
    server.advance_to(START + timedelta(minutes=5, seconds=101))
    bar: Any = market_data(server).get_stock_bars(asked("AAPL", start=START + timedelta(minutes=5))).df.iloc[-1]
    assert [round(bar[field], 2) for field in ("open", "high", "low", "close")] == [100.85, 101.15, 100.85, 101.15]


@pytest.mark.parametrize("feed", [None, DataFeed.SIP])
def test_sip_ends_a_quarter_of_an_hour_ago(client: StockHistoricalDataClient, feed: DataFeed | None) -> None:
    found: Any = client.get_stock_bars(asked("AAPL", feed=feed)).df
    assert found.index[-1][1] == START - timedelta(minutes=15)
    with pytest.raises(APIError) as caught:
        client.get_stock_bars(asked("AAPL", feed=feed, end=START))
    assert caught.value.status_code == 403


@pytest.mark.parametrize(
    ("timeframe", "first", "count"),
    [
        (TimeFrame.Hour, "2026-03-09 09:00", 7 + 2),
        (TimeFrame(30, TimeFrameUnit.Minute), "2026-03-09 09:30", 13 + 2),
        (TimeFrame.Day, "2026-03-09 00:00", 2),
    ],
)
def test_longer_bars_begin_on_the_clock(
    client: StockHistoricalDataClient, timeframe: TimeFrame, first: str, count: int
) -> None:
    found: Any = client.get_stock_bars(asked("AAPL", timeframe)).df.loc["AAPL"]
    assert found.index[0] == at(first)
    assert len(found) == count
    given = bars(symbols=("AAPL",)).set_index("datetime")
    span = given.loc[at("2026-03-09 09:30") : at("2026-03-09 09:59")]
    if timeframe.unit_value is not TimeFrameUnit.Day:
        bar = found.iloc[0]
        wanted = [span["open"].iloc[0], span["high"].max(), span["low"].min(), span["close"].iloc[-1]]
        assert np.allclose(bar[["open", "high", "low", "close"]].astype(float), wanted)
        assert bar["volume"] == span["volume"].sum()
    # The present day's bar knows only what has been.
    assert found["high"].iloc[-1] <= given.loc[at("2026-03-10 09:30") : START]["high"].max()


def test_pages_go_through_symbols_by_name(server: RehearsalServer) -> None:
    session = requests.Session()
    session.headers.update({"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret})
    url = f"{server.url}/v2/stocks/bars?symbols=MSFT,AAPL&timeframe=5Min&start=2026-03-09&feed=iex"
    whole = session.get(url, timeout=5).json()
    assert whole["next_page_token"] is None
    for sort, limit in (("asc", 50), ("asc", 85), ("desc", 60), ("asc", 170)):
        pieces: dict[str, list[Any]] = {}
        token, pages = "", 0
        while token is not None:
            page = session.get(f"{url}&limit={limit}&sort={sort}&page_token={token}", timeout=5).json()
            assert sum(map(len, page["bars"].values())) <= limit
            for symbol, part in page["bars"].items():
                pieces.setdefault(symbol, []).extend(part)
            token, pages = page["next_page_token"], pages + 1
        assert pages == -(-170 // limit)
        assert list(pieces) == ["AAPL", "MSFT"]
        step = 1 if sort == "asc" else -1
        assert pieces == {symbol: part[::step] for symbol, part in whole["bars"].items()}


def test_the_librarys_own_paging_sees_every_bar(server: RehearsalServer) -> None:
    found: Any = market_data(server).get_stock_bars(asked(["AAPL", "MSFT"], limit=20)).df
    assert len(found) == 20
    assert found.index[-1][0] == "AAPL"


@pytest.mark.parametrize(
    "query",
    [
        "symbols=AAPL&timeframe=60Min",
        "symbols=AAPL&timeframe=24Hour",
        "symbols=AAPL&timeframe=2Day",
        "symbols=AAPL",
        "timeframe=5Min",
        "symbols=AAPL&timeframe=5Min&start=soon",
        "symbols=AAPL&timeframe=5Min&limit=10001",
        "symbols=AAPL&timeframe=5Min&page_token=***",
        "symbols=AAPL&timeframe=5Min&feed=iex&start=2026-03-10&end=2026-03-09",
    ],
)
def test_bad_requests(server: RehearsalServer, query: str) -> None:
    keys = {"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret}
    answer = requests.get(f"{server.url}/v2/stocks/bars?{query}", headers=keys, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_the_latest_of_everything(server: RehearsalServer) -> None:
    client = market_data(server)
    later(server, seconds=130)
    names = ["AAPL", "NONE"]
    quotes: Any = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=names))
    assert list(quotes) == ["AAPL"]
    quote = quotes["AAPL"]
    # Quotes are renewed while a symbol trades; the trade is a third of the bar old.
    assert (quote.bid_price, quote.ask_price, quote.timestamp) == (100.63, 100.65, START + timedelta(seconds=130))
    trade: Any = client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=names))["AAPL"]
    assert (trade.price, trade.timestamp.replace(microsecond=0)) == (100.64, START + timedelta(seconds=99))
    minute: Any = client.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=names))["AAPL"]
    assert (minute.timestamp, minute.close) == (START + timedelta(minutes=1), 100.64)
    snapshot: Any = client.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=names))["AAPL"]
    assert snapshot.daily_bar.timestamp == at("2026-03-10 00:00")
    assert (snapshot.previous_daily_bar.close, snapshot.latest_trade.price) == (100.87, 100.64)


def test_a_quote_is_as_old_as_the_market_when_it_is_closed(server: RehearsalServer) -> None:
    server.advance_to(at("2026-03-10 18:00"))
    request = StockLatestQuoteRequest(symbol_or_symbols="AAPL")
    quote: Any = market_data(server).get_stock_latest_quote(request)["AAPL"]
    assert abs(quote.timestamp - at("2026-03-10 16:00")) < timedelta(seconds=1)


def every_time(body: Any) -> Iterator[tuple[str, float]]:
    """All times in an answer with the prices that go with them."""
    if isinstance(body, dict):
        if "t" in body:
            yield body["t"], body.get("h", body.get("p", body.get("ap", 0.0)))
        for value in body.values():
            yield from every_time(value)
    elif isinstance(body, list):
        for value in body:
            yield from every_time(value)


PATHS = [
    "bars?symbols=AAPL&timeframe=1Min&start=2026-03-09&feed=iex&limit=10000",
    "bars?symbols=AAPL&timeframe=5Min&start=2026-03-09&end=2026-03-12&feed=iex",
    "bars?symbols=AAPL&timeframe=1Hour&start=2026-03-09&feed=iex",
    "bars?symbols=AAPL&timeframe=1Day&start=2026-03-01&feed=iex",
    "bars?symbols=AAPL&timeframe=1Day&start=2026-03-01",
    "quotes/latest?symbols=AAPL",
    "trades/latest?symbols=AAPL",
    "bars/latest?symbols=AAPL",
    "snapshots?symbols=AAPL",
]


def answers(server: RehearsalServer) -> list[Any]:
    keys = {"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret}
    return [requests.get(f"{server.url}/v2/stocks/{path}", headers=keys, timeout=5).json() for path in PATHS]


def test_nothing_is_later_than_the_venues_present() -> None:
    """Two futures that differ from a moment on give the same answers until then."""
    cut = at("2026-03-10 11:02")
    other = bars()
    # The bar that begins after the cut, and all others.
    later_bars = other["datetime"] >= pd.Timestamp(at("2026-03-10 11:05"))
    other.loc[later_bars, ["open", "high", "low", "close"]] *= 7
    with served() as one, served(data=other) as two:
        for moment in (START, at("2026-03-10 10:31:40"), cut, at("2026-03-10 11:04:59")):
            both = []
            for server in (one, two):
                server.advance_to(moment)
                both.append(answers(server))
                for stamp, _ in every_time(both[-1]):
                    assert datetime.fromisoformat(stamp) <= moment
            assert json.dumps(both[0]) == json.dumps(both[1])
        for server in (one, two):
            server.advance_to(at("2026-03-10 11:05"))
        assert json.dumps(answers(one)) != json.dumps(answers(two))


def test_bars_of_any_length_are_prefix_invariant() -> None:
    playback = BarPlayback(load_bars(bars(), US_HOURS))
    start, now = at("2026-03-09 00:00"), at("2026-03-10 13:07:31")
    for name in ("1Min", "7Min", "15T", "3Hour", "1H", "1Day"):
        frame = read_timeframe(name)
        assert frame is not None
        all_bars = playback.bars("AAPL", frame, start, at("2026-03-12 00:00"), at("2026-03-12 00:00"))
        seen = playback.bars("AAPL", frame, start, at("2026-03-12 00:00"), now)
        assert seen[:-1] == all_bars[: len(seen) - 1]
        assert seen[-1].start <= to_ns(now)
        assert sum(bar.volume for bar in all_bars) == 3 * 78 * 4_001
