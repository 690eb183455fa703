"""Every mishap between client and venue, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websockets.sync.client as sync
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest
from websockets.exceptions import ConnectionClosed

from brokers.rehearsal.alpaca.server import RehearsalServer
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.serving.network_faults import Fault, Mishap, NetworkFaults, StreamFaults
from tests.brokers.rehearsal.market import START, later, listening, served, trading, wait_for

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    with served() as running:
        yield running


def send(server: RehearsalServer, timeout: float = 5.0) -> requests.Response:
    keys = {"APCA-API-KEY-ID": server.key, "APCA-API-SECRET-KEY": server.secret}
    return requests.post(server.url + "/v2/orders", json=ORDER, headers=keys, timeout=timeout)


def accepted(server: RehearsalServer) -> int:
    return server.call(lambda exchange: len(exchange.orders("all")))


@pytest.mark.parametrize(
    ("mishap", "status", "orders"),
    [(Mishap.TOO_MANY, 429, 0), (Mishap.SERVER_ERROR, 500, 0), (Mishap.TIMEOUT_AFTER, 504, 1)],
)
def test_answers_that_are_no_orders(server: RehearsalServer, mishap: Mishap, status: int, orders: int) -> None:
    server.faults.strike(mishap, "POST", "/v2/orders", nth=2)
    assert send(server).status_code == 200
    answer = send(server)
    assert answer.status_code == status
    assert "X-RateLimit-Reset" in answer.headers
    assert accepted(server) == 1 + orders
    entry = server.log[-1]
    assert (entry.status, entry.mishap) == (status, mishap)
    assert ("id" in str(entry.answer)) == bool(orders)
    server.faults.strike(mishap, "POST", "/v2/orders", text="other words")
    answer = send(server)
    assert (answer.status_code, answer.json()) == (status, {"message": "other words"})
    assert send(server).status_code == 200


@pytest.mark.parametrize(("mishap", "orders"), [(Mishap.DROP_BEFORE, 0), (Mishap.DROP_AFTER, 1)])
def test_a_connection_can_break(server: RehearsalServer, mishap: Mishap, orders: int) -> None:
    server.faults.strike(mishap, "POST")
    with pytest.raises(requests.ConnectionError):
        send(server)
    assert accepted(server) == orders
    assert server.log[-1].status is None
    assert send(server).status_code == 200


@pytest.mark.parametrize(("mishap", "orders"), [(Mishap.HANG_BEFORE, 0), (Mishap.HANG_AFTER, 1)])
def test_a_request_can_hang_for_ever(server: RehearsalServer, mishap: Mishap, orders: int) -> None:
    server.faults.strike(mishap, "POST")
    with pytest.raises(requests.ReadTimeout):
        send(server, timeout=0.2)
    assert accepted(server) == orders
    assert (server.log[-1].status, server.log[-1].mishap) == (None, mishap)
    assert send(server).status_code == 200


def test_a_request_that_hangs_can_be_processed_after_its_client_has_gone(server: RehearsalServer) -> None:
    server.faults.strike(Mishap.HANG_BEFORE, "POST", seconds=0.3)
    with pytest.raises(requests.ReadTimeout):
        send(server, timeout=0.1)
    assert accepted(server) == 0
    wait_for(lambda: accepted(server) == 1)


def test_an_answer_can_come_late(server: RehearsalServer) -> None:
    server.faults.strike(Mishap.HANG_AFTER, "POST", seconds=0.2)
    began = time.monotonic()
    assert send(server).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_closing_the_server_ends_what_hangs() -> None:
    server = served()
    server.start()
    server.faults.strike(Mishap.HANG_AFTER, "POST")
    ended: list[Exception] = []

    def ask() -> None:
        try:
            send(server, timeout=30)
        except requests.RequestException as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: bool(server.log))
    server.close()
    thread.join(5)
    assert isinstance(ended[0], requests.ConnectionError)


def test_the_clock_can_be_wrong(server: RehearsalServer) -> None:
    server.faults.clock_skew_s = -90.0
    clock: Any = trading(server).get_clock()
    assert (clock.timestamp - START).total_seconds() == -90
    server.faults.clear()
    clock = trading(server).get_clock()
    assert clock.timestamp == START


def test_mishaps_inside_the_venue_can_be_set_while_it_runs(server: RehearsalServer) -> None:
    server.faults.venue.partial_fill_frac = 1.0
    order: Any = trading(server).submit_order(
        MarketOrderRequest(symbol="AAPL", qty=50, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    later(server, seconds=1)
    order = trading(server).get_order_by_id(str(order.id))
    assert order.status.value == "partially_filled"


def test_the_nth_match_is_counted_by_each_fault_alone() -> None:
    faults = NetworkFaults(0, FaultPlan())
    faults.strike(Mishap.SERVER_ERROR, "GET", "/v2/clock$", nth=2)
    faults.strike(Mishap.DROP_AFTER, ".*", "/v2", nth=2)
    faults.add(Fault(Mishap.TOO_MANY, "DELETE", times=2))

    def taken(method: str, path: str) -> str | None:
        fault = faults.take(method, path)
        return fault.mishap.name if fault else None

    requested = [("GET", "/v2/clock"), ("POST", "/v2/clocks"), ("GET", "/v2/clock"), ("GET", "/v2/clock")]
    assert [taken(*one) for one in requested] == [None, "DROP_AFTER", "SERVER_ERROR", None]
    assert [taken("DELETE", "/v2/orders") for _ in range(3)] == ["TOO_MANY", "TOO_MANY", None]


def test_chances_are_drawn_from_the_seed() -> None:
    def play(seed: int) -> list[bool]:
        faults = NetworkFaults(seed, FaultPlan())
        faults.chance(Mishap.SERVER_ERROR, 0.3)
        return [faults.take("GET", "/") is not None for _ in range(500)]

    assert play(1) == play(1) != play(2)
    assert 100 < Counter(play(1))[True] < 200


def events(heard: list[Any]) -> list[str]:
    return [update.event for update in heard]


def trade(server: RehearsalServer) -> None:
    assert send(server).status_code == 200
    later(server, seconds=1)


def test_updates_can_get_lost(server: RehearsalServer) -> None:
    with listening(server) as heard:
        server.faults.stream(StreamFaults(swallow_next=2))
        trade(server)
        wait_for(lambda: events(heard) == ["fill"])
        server.faults.stream(StreamFaults(swallow_frac=1.0))
        trade(server)
        server.faults.clear()
        trade(server)
        wait_for(lambda: events(heard) == ["fill", "pending_new", "new", "fill"])


def test_updates_can_come_twice(server: RehearsalServer) -> None:
    server.faults.stream(StreamFaults(duplicate_frac=1.0))
    with listening(server) as heard:
        trade(server)
        wait_for(lambda: len(heard) == 6)
        assert Counter(events(heard)) == {"pending_new": 2, "new": 2, "fill": 2}
        assert heard[4].execution_id == heard[5].execution_id


def test_updates_can_overtake_each_other(server: RehearsalServer) -> None:
    with listening(server) as heard:
        server.faults.stream(StreamFaults(delay_frac=1.0, delay_s=0.3))
        assert send(server).status_code == 200
        server.faults.clear()
        later(server, seconds=1)
        wait_for(lambda: events(heard) == ["new", "fill", "pending_new"])


def test_the_stream_can_break_and_what_happened_meanwhile_is_not_repeated(server: RehearsalServer) -> None:
    with listening(server) as heard:
        server.drop_streams()
        assert server.listeners == 0
        trade(server)
        wait_for(lambda: server.listeners == 1)
        trade(server)
        wait_for(lambda: len(heard) == 3)
        assert len({update.order.id for update in heard}) == 1


def test_the_stream_lets_nobody_in_without_keys(server: RehearsalServer) -> None:
    def ask(socket: Any, **message: object) -> Any:
        socket.send(json.dumps(message))
        frame = socket.recv()
        assert isinstance(frame, bytes)
        return json.loads(frame)

    listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
    with sync.connect(server.stream_url) as socket:
        socket.send("no json")
        answer = ask(socket, action="authenticate", data={"key_id": server.key, "secret_key": "x"})
        assert answer == {"stream": "authorization", "data": {"status": "unauthorized", "action": "authenticate"}}
        assert ask(socket, **listen)["data"] == {"status": "unauthorized", "action": "listen"}
        assert server.listeners == 0
        answer = ask(socket, action="authenticate", data={"key_id": server.key, "secret_key": server.secret})
        assert answer == {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
        assert ask(socket, **listen) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        assert server.listeners == 1
        server.drop_streams()
        with pytest.raises(ConnectionClosed):
            socket.recv()


CLIENT = """
    import sys
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import MarketOrderRequest
    client = TradingClient(sys.argv[2], sys.argv[3], url_override=sys.argv[1])
    client.submit_order(MarketOrderRequest(symbol="AAPL", qty=1, side="buy", time_in_force="day"))
"""


@pytest.mark.parametrize(("phase", "orders"), [("before", 1), ("after", 1)])
def test_a_client_can_be_killed_at_an_exact_point(server: RehearsalServer, phase: str, orders: int) -> None:
    """Before or after the order is processed: the venue has it either way, the client knows of neither."""
    started = threading.Event()
    child: list[subprocess.Popen[bytes]] = []
    seen: list[int] = []

    def kill(number: int, method: str, path: str, when: str) -> None:
        if when == phase:
            started.wait(5)
            seen.append(len(server.call(lambda exchange: exchange.orders("all"))))
            os.kill(child[0].pid, signal.SIGKILL)
            child[0].wait(5)

    server.on_request(kill)
    command = [sys.executable, "-c", textwrap.dedent(CLIENT), server.url, server.key, server.secret]
    child.append(subprocess.Popen(command))
    started.set()
    assert child[0].wait(20) == -signal.SIGKILL
    wait_for(lambda: len(server.log) == 1)
    assert seen == [0 if phase == "before" else 1]
    assert accepted(server) == orders
