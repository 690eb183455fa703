"""Public data: what has happened by now, and nothing that is to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from brokers.rehearsal.kraken.reference.synthetic_bars import COINS, NOTE, synthetic_bars
from brokers.rehearsal.kraken.server import KrakenServer
from brokers.rehearsal.kraken.settings import KrakenSettings
from config.errors import Refusal
from tests.brokers.rehearsal.kraken.account import SATURDAY
from tests.brokers.rehearsal.kraken.market import Wire, bars, later, served
from tests.brokers.rehearsal.market import wait_for

HOUR = 3_600


@pytest.fixture
def wire() -> Iterator[Wire]:
    with served() as server:
        yield Wire(server)


def ohlc(wire: Wire, **query: Any) -> tuple[list[Any], int]:
    answer = wire.public("OHLC", **{"pair": "XBTUSD", **query})
    assert answer["error"] == []
    return answer["result"]["XXBTZUSD"], answer["result"]["last"]


@pytest.mark.parametrize("interval", [1, 5, 15, 30, 60, 240, 1440, 10080, 21600])
def test_the_last_bar_is_the_one_that_forms(wire: Wire, interval: int) -> None:
    rows, last = ohlc(wire, interval=interval)
    now = int(SATURDAY.timestamp())
    assert 0 < len(rows) <= 720
    times = [row[0] for row in rows]
    assert times == list(range(times[0], times[-1] + 1, interval * 60))
    assert times[-1] == now // (interval * 60) * interval * 60
    assert last == times[-1] - interval * 60
    for _, opening, high, low, close, average, volume, count in rows:
        assert float(low) <= min(float(opening), float(close)) <= max(float(opening), float(close)) <= float(high)
        assert (float(volume) > 0) == (count > 0) == (float(average) > 0)


def test_a_bar_holds_what_has_been_traded_so_far() -> None:
    with served() as server:
        wire = Wire(server)
        assert ohlc(wire, interval=60)[0][-1][1:] == ["90000.0"] * 5 + ["2.00000000", 1]
        later(server, minutes=21)
        assert ohlc(wire, interval=60)[0][-1][7] == 2
        later(server, minutes=38, seconds=59)
        row = ohlc(wire, interval=60)[0][-1]
        assert (row[2], row[3], row[6], row[7]) == ("90450.0", "89550.0", "6.00000000", 3)
        later(server, minutes=2)
        assert ohlc(wire, interval=60)[0][-2][6] == "8.00000000"


def test_hours_without_trades_repeat_the_price() -> None:
    data = bars(("BTC/USD",))
    gap = pd.Timestamp("2026-11-28 10:00", tz="UTC")
    data = data[(data["datetime"] < gap) | (data["datetime"] >= gap + pd.Timedelta(hours=3))]
    with served(data=data) as server:
        rows, _ = ohlc(Wire(server), interval=60, since=int(gap.timestamp()) - 1)
        assert [(row[6], row[7]) for row in rows[:4]] == [("0.00000000", 0)] * 3 + [("8.00000000", 61)]
        assert {row[4] for row in rows} == {"90000.0"}


def test_bars_since_a_time_begin_after_it(wire: Wire) -> None:
    now = int(SATURDAY.timestamp())
    rows, _ = ohlc(wire, interval=60, since=now - 3 * HOUR)
    assert [row[0] for row in rows] == [now - 2 * HOUR, now - HOUR, now]
    assert ohlc(wire, interval=60, since=now + HOUR)[0] == []
    assert len(ohlc(wire, interval=60, since=1)[0]) == 720


def test_trades_since_a_time(wire: Wire) -> None:
    answer = wire.public("Trades", pair="XBTUSD", since=str(int((SATURDAY - timedelta(hours=2)).timestamp() * 1e9)))
    rows = answer["result"]["XXBTZUSD"]
    assert len(rows) == 8
    again = wire.public("Trades", pair="XBTUSD", since=answer["result"]["last"])
    assert again["result"]["XXBTZUSD"] == []
    assert len(wire.public("Trades", pair="XBTUSD", count=5)["result"]["XXBTZUSD"]) == 5


@pytest.mark.parametrize(
    ("method", "query", "text"),
    [
        ("OHLC", {"pair": "XBTUSD", "interval": 2}, "EGeneral:Invalid arguments:interval"),
        ("OHLC", {"pair": "XBTUSD", "since": "soon"}, "EGeneral:Invalid arguments:since"),
        ("OHLC", {}, "EGeneral:Invalid arguments:pair"),
        ("Ticker", {"pair": "NOSUCH"}, "EQuery:Unknown asset pair"),
        ("Depth", {"pair": "XBTUSD", "count": 0}, "EGeneral:Invalid arguments:count"),
        ("Assets", {"asset": "NOSUCH"}, "EQuery:Unknown asset"),
    ],
)
def test_questions_that_have_no_answer(wire: Wire, method: str, query: dict[str, Any], text: str) -> None:
    assert wire.public(method, **query) == {"error": [text]}


def test_names_of_pairs(wire: Wire) -> None:
    for name in ("XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD"):
        assert list(wire.public("Ticker", pair=name)["result"]) == ["XXBTZUSD"]
    assert set(wire.public("Ticker")["result"]) == {"XXBTZUSD", "XETHZUSD", "SOLUSD", "XDGUSD"}


def test_only_pairs_with_bars_are_listed_and_no_others_are_played() -> None:
    with served(data=bars(("ETH/USD",)).assign(symbol="ETH-USD")) as server:
        assert set(Wire(server).public("AssetPairs")["result"]) == {"XETHZUSD"}
    with pytest.raises(Refusal, match="AAPL is no pair"):
        served(data=bars(("BTC/USD",)).assign(symbol="AAPL"))
    with pytest.raises(Refusal, match="NO/USD is no pair"):
        served(symbols=["NO/USD"])


def test_prices_of_the_future_reach_nobody() -> None:
    """Two markets that are alike until now and differ from then on tell the same."""
    other = bars()
    ahead = other["datetime"] > SATURDAY
    other.loc[ahead, ["open", "high", "low", "close"]] *= 1.5
    answers = []
    for data in (bars(), other):
        with served(data=data) as server:
            wire = Wire(server)
            answers.append(
                [
                    *(wire.public("OHLC", pair="XBTUSD", interval=minutes) for minutes in (1, 60, 1440)),
                    wire.public("Ticker"), wire.public("Depth", pair="XBTUSD"), wire.public("Trades", pair="XBTUSD"),
                ]
            )  # fmt: skip
    assert answers[0] == answers[1]


def test_synthetic_bars_are_the_same_for_the_same_seed_and_say_what_they_are() -> None:
    first, again, other = synthetic_bars(1, 30), synthetic_bars(1, 30), synthetic_bars(2, 30)
    pd.testing.assert_frame_equal(first, again)
    assert not first["close"].equals(other["close"])
    assert "no market ever traded them" in NOTE
    assert set(first["symbol"]) == {coin.symbol for coin in COINS}
    assert len(first) == len(COINS) * 30 * 24
    assert (first["high"] >= first[["open", "close"]].max(axis=1)).all()
    assert (first["low"] <= first[["open", "close"]].min(axis=1)).all()
    assert (first[["low", "volume"]] > 0).all(axis=None)


def test_time_can_pass_by_itself() -> None:
    with served(clock="auto", speed=3_600.0) as server:
        wire, began = Wire(server), server.now
        order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.001", "price": "89600"}
        assert wire.private("AddOrder", **order)["error"] == []
        wait_for(lambda: bool(wire.private("TradesHistory")["result"]["trades"]))
        assert server.now - began >= timedelta(minutes=20)
        (trade,) = wire.private("TradesHistory")["result"]["trades"].values()
        assert (trade["price"], trade["maker"]) == ("89600.00000", True)


def test_synthetic_bars_can_be_played() -> None:
    start = datetime(2025, 1, 25, tzinfo=UTC)
    with KrakenServer(
        synthetic_bars(0, 30), start=start, clock="manual", settings=KrakenSettings(tier="none")
    ) as server:
        wire = Wire(server)
        order = {"pair": "ETHUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}
        assert wire.private("AddOrder", **order)["error"] == []
        later(server, days=2)
        assert len(wire.private("TradesHistory")["result"]["trades"]) == 1
