"""The stream of market data, to the venue's own client and to a bare socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, timedelta
from typing import Any

import pytest
import websockets.sync.client as sync
from alpaca.data.live import StockDataStream

from brokers.rehearsal.alpaca.server import RehearsalServer
from tests.brokers.rehearsal.market import START, served, wait_for


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    with served() as running:
        yield running


def test_the_data_stream_tells_quotes_trades_and_minutes(server: RehearsalServer) -> None:
    heard: dict[str, list[Any]] = {"quote": [], "trade": [], "bar": []}
    stream = StockDataStream(server.key, server.secret, url_override=server.data_stream_url)

    def keeper(kind: str) -> Any:
        async def keep(message: Any) -> None:
            heard[kind].append(message)

        return keep

    stream.subscribe_quotes(keeper("quote"), "AAPL")
    stream.subscribe_trades(keeper("trade"), "*")
    stream.subscribe_bars(keeper("bar"), "AAPL")

    def run() -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(stream._run_forever())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: bool(server.call(lambda _: [w for w in server._market_stream._wanted.values() if w["bars"]])))
    server.advance_to(START + timedelta(minutes=5))
    wait_for(lambda: len(heard["bar"]) == 3)
    loop: Any = stream._loop
    loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
    thread.join(5)
    assert {trade.symbol for trade in heard["trade"]} == {"AAPL", "MSFT"}
    assert [round(q.ask_price - 0.01, 2) for q in heard["quote"]] == [100.64, 101.14, 100.94, 100.85]
    # The open of the bar belongs to the minute at whose beginning the clients came.
    assert [bar.timestamp for bar in heard["bar"]] == [START + timedelta(minutes=m) for m in (1, 3, 4)]
    assert heard["bar"][0].timestamp.tzinfo == UTC


def test_the_data_stream_speaks_json_and_checks_keys(server: RehearsalServer) -> None:
    with sync.connect(server.data_stream_url) as socket:
        assert json.loads(socket.recv()) == [{"T": "success", "msg": "connected"}]
        for sent, code in (
            ({"action": "subscribe", "bars": ["AAPL"]}, 401),
            ({"action": "auth", "key": "x", "secret": "y"}, 402),
            ("{", 400),
        ):
            socket.send(sent if isinstance(sent, str) else json.dumps(sent))
            assert json.loads(socket.recv())[0]["code"] == code
        socket.send(json.dumps({"action": "auth", "key": server.key, "secret": server.secret}))
        assert json.loads(socket.recv()) == [{"T": "success", "msg": "authenticated"}]
        socket.send(json.dumps({"action": "subscribe", "trades": ["AAPL"]}))
        assert json.loads(socket.recv())[0]["trades"] == ["AAPL"]
        server.advance_to(START + timedelta(minutes=2))
        message = json.loads(socket.recv())[0]
        assert (message["T"], message["S"], message["p"]) == ("t", "AAPL", 100.64)
