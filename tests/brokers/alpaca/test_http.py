from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.data.requests import StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from brokers.alpaca.client import VenueClient
from brokers.alpaca.errors import AlpacaRefusal
from brokers.alpaca.http import Timeouts
from brokers.alpaca.limits import SlidingWindowLimiter
from brokers.network.breaker import CircuitBreaker
from brokers.network.dns import Names
from brokers.network.transport import _TimedReader, attempt
from brokers.venue_errors import NotSent, OutcomeUnknown, RateLimited, VenueUnavailable, level_of
from tests.brokers.alpaca.scripted import (
    KEY,
    SECRET,
    FakeClock,
    answer,
    break_off,
    client_of,
    drip,
    hang,
    hang_up,
    serving,
)

ORDER = {"symbol": "SPY", "client_order_id": "name-1"}
CHANGES = [
    ("POST", lambda client: client.submit(ORDER)),
    ("PATCH", lambda client: client.replace("an-id", {"stop_price": "1"})),
    ("DELETE", lambda client: client.cancel("an-id")),
]
DEAF_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b" " * 200
DEAF_HEAD = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200
DEAF_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 40


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def submit_stock(url: str) -> None:
    client = TradingClient(KEY, SECRET, url_override=url)
    client._retry_wait = 0
    order = MarketOrderRequest(symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    with contextlib.suppress(APIError):
        client.submit_order(order)


def test_stock_alpaca_sends_an_order_again_after_a_504():
    with serving(answer("", 504)) as server:
        submit_stock(server.url)
        assert server.count("POST") == 4


def test_the_environment_is_read_once_for_a_host(monkeypatch):
    reads: list[str] = []
    read = requests.Session.merge_environment_settings

    def counted(session: requests.Session, url: str, *rest: object) -> object:
        reads.append(url)
        return read(session, url, *rest)

    monkeypatch.setattr(requests.Session, "merge_environment_settings", counted)
    with serving(answer("{}")) as one, serving(answer("{}")) as other:
        for server in (one, other):
            client = client_of(server.url)
            for _ in range(3):
                client.account()
        assert one.count("GET") == other.count("GET") == 3
    assert len(reads) == 2


@pytest.mark.parametrize(("method", "change"), CHANGES)
@pytest.mark.parametrize(
    "script",
    [answer("", status) for status in (500, 502, 503, 504, 408, 302)]
    + [hang, hang_up, break_off, drip(DEAF_BODY), drip(DEAF_HEAD), answer("<html>"), answer("[" * 100_000)],
)
def test_a_change_without_an_answer_is_unknown_and_sent_once(method, change, script):
    with serving(script) as server:
        with pytest.raises(OutcomeUnknown):
            change(client_of(server.url))
        assert server.count(method) == len(server.asked) == 1


@pytest.mark.parametrize(
    "script", [answer("", 500), answer("", 504), hang, hang_up, break_off, answer("<html>"), answer([]), answer()]
)
def test_a_question_without_an_answer_is_unavailable(script):
    with serving(script) as server:
        with pytest.raises(VenueUnavailable) as error:
            client_of(server.url).account()
        assert not isinstance(error.value, NotSent)
        assert len(server.asked) == 1


@pytest.mark.parametrize("script", [drip(DEAF_BODY), drip(DEAF_HEAD), drip(DEAF_CHUNKS)])
def test_a_venue_that_drips_is_given_up_in_time(script):
    with serving(script) as server:
        client = client_of(server.url, timeouts=Timeouts(0.3, 5.0))
        began = time.monotonic()
        with pytest.raises(VenueUnavailable), client.budget(0.4):
            client.account()
        assert time.monotonic() - began < 0.8


def test_nothing_is_read_once_the_time_is_over():
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=0) as raw:
        theirs.sendall(b"late")
        with attempt(-1.0, 100), pytest.raises(TimeoutError):
            _TimedReader(raw, ours).readinto(bytearray(4))


def test_a_time_that_is_over_as_soon_as_it_was_read_is_no_error(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=0) as raw:
        theirs.sendall(b"late")
        with attempt(0.0, 100):
            times = iter([time.monotonic() - 0.01, time.monotonic() + 60.0])
            monkeypatch.setattr("brokers.network.transport.time", SimpleNamespace(monotonic=lambda: next(times)))
            assert _TimedReader(raw, ours).readinto(bytearray(4)) == 4


def test_a_kept_connection_that_was_closed_does_not_repeat_an_order():
    with serving(answer({"id": "account"}), hang_up, answer({"id": "order"})) as server:
        client = client_of(server.url)
        client.account()
        with pytest.raises(OutcomeUnknown):
            client.submit(ORDER)
        assert server.count("POST") == 1


def test_requests_repeats_nothing_by_itself():
    with serving(answer({})) as server:
        client = client_of(server.url)
        for http in (client.trading, client.data):
            for url in ("http://x", "https://x"):
                assert http._session.get_adapter(url).max_retries.total == 0
                assert http._session.get_adapter(url).max_retries.read is False


@pytest.mark.parametrize("ask", [change for _, change in CHANGES] + [lambda client: client.account()])
def test_nothing_is_sent_where_nobody_listens(ask):
    with pytest.raises(NotSent):
        ask(client_of(closed_port()))


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "no such name"), TimeoutError("slow")])
def test_nothing_is_sent_without_a_connection(monkeypatch, failure):
    def fail(*args, **more):
        raise failure

    monkeypatch.setattr("brokers.network.transport.socket.getaddrinfo", fail)
    with pytest.raises(NotSent):
        client_of("http://127.0.0.1:9").submit(ORDER)


def test_a_resolver_that_hangs_is_given_up_in_time(monkeypatch):
    over = threading.Event()

    def hang_on(*args, **more):
        over.wait(10)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr("brokers.network.transport.NAMES", Names())
    monkeypatch.setattr(socket, "getaddrinfo", hang_on)
    client = client_of("http://127.0.0.1:9", timeouts=Timeouts(3.0, 5.0))
    began = time.monotonic()
    with client.budget(0.6):
        for _ in range(2):
            with pytest.raises(NotSent):
                client.submit(ORDER)
    assert time.monotonic() - began < 0.8
    over.set()


def test_a_host_is_where_it_was_while_its_name_cannot_be_resolved(monkeypatch):
    def fail(*args, **more):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with serving(answer({"id": "1"})) as server:
        assert client_of(server.url).account() == {"id": "1"}
        monkeypatch.setattr(socket, "getaddrinfo", fail)
        monkeypatch.setattr("brokers.network.transport.create_connection", connected)
        assert client_of(server.url).account() == {"id": "1"}
        monkeypatch.setattr("brokers.network.transport.NAMES", Names())
        with pytest.raises(NotSent):
            client_of(server.url).account()


def connected(at: tuple[str, int], *more: object) -> socket.socket:
    """A connection for which nobody asks the resolver."""
    made = socket.socket()
    made.connect(at)
    return made


def test_resolver_connection_and_handshake_share_one_connect_timeout(monkeypatch):
    over, resolve, asked = threading.Event(), socket.getaddrinfo, []

    def slow_at_first(*args, **more):
        asked.append(args)
        time.sleep(0.45 if len(asked) == 1 else 0)
        return resolve(*args, **more)

    def drip_hello(listener: socket.socket) -> None:
        taken, _ = listener.accept()
        with taken, contextlib.suppress(OSError):
            taken.recv(4096)
            # A record of a kilobyte, a byte at a time.
            for byte in b"\x16\x03\x03\x04\x00" + b"\x02" * 1024:
                taken.sendall(bytes([byte]))
                if over.wait(0.02):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip_hello, args=(listener,), daemon=True).start()
        client = client_of(f"https://127.0.0.1:{listener.getsockname()[1]}", timeouts=Timeouts(1.0, 5.0))
        monkeypatch.setattr("brokers.network.transport.socket.getaddrinfo", slow_at_first)
        began = time.monotonic()
        with pytest.raises(NotSent):
            client.submit(ORDER)
        assert time.monotonic() - began < 1.2
        over.set()


def test_all_addresses_of_a_host_share_one_connect_timeout(monkeypatch):
    granted: list[float] = []

    def time_out(address, timeout, *more):
        granted.append(timeout)
        raise TimeoutError

    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*entry, (f"127.0.0.{i}", 9)) for i in (1, 2, 3)]
    monkeypatch.setattr("brokers.network.transport.socket.getaddrinfo", lambda *args, **more: found)
    monkeypatch.setattr("brokers.network.transport.create_connection", time_out)
    with pytest.raises(NotSent):
        client_of("http://127.0.0.1:9", timeouts=Timeouts(3.0, 5.0)).submit(ORDER)
    assert granted[0] == pytest.approx(1.0, abs=0.05)


def test_what_cannot_be_written_down_is_not_sent():
    with serving(answer({"id": "1"})) as server:
        client = client_of(server.url)
        for price in (float("nan"), object()):
            with pytest.raises(NotSent):
                client.submit({"limit_price": price})
        assert not server.asked
        assert client.breaker.failures == 0


@pytest.mark.parametrize(("ahead", "pause"), [(20.0, 20.0), (-5.0, 0.5), (900.0, 60.0), (None, 3.0), ("nan", 3.0)])
def test_a_429_empties_the_bucket_until_the_venue_says(ahead, pause):
    now = FakeClock()
    reset = {} if ahead is None else {"X_RateLimit_Reset": ahead if ahead == "nan" else str(time.time() + ahead)}
    with serving(answer({"message": "too many"}, 429, **reset), answer({"id": "1"})) as server:
        client = client_of(server.url, bucket=SlidingWindowLimiter(clock=now, sleep=now.sleep))
        with pytest.raises(NotSent):
            client.submit(ORDER)
        with pytest.raises(RateLimited, match="429, too many requests: the venue takes none for") as refused:
            client.submit(ORDER)
        assert level_of(refused.value) < logging.INFO
        assert len(server.asked) == 1
        assert client.breaker.failures == 0
        now.now = pause + 0.5
        client.submit(ORDER)


def test_prices_leave_a_reserve_to_listings_and_entries_and_those_one_to_what_protects():
    bucket = SlidingWindowLimiter(limit=3, reserve=1, clock=FakeClock(), sleep=lambda seconds: None)
    with serving(answer({"quotes": {}}), answer([]), answer({"id": "1"})) as server:
        client = client_of(server.url, bucket=bucket)
        client.latest_quotes(["SPY"])
        with pytest.raises(NotSent):
            client.latest_quotes(["SPY"])
        client.positions()
        for listing in (client.open_orders, client.positions, client.account):
            with pytest.raises(NotSent):
                listing()
        with pytest.raises(NotSent, match="own rate limit: 2 of 3 requests of a minute are spent"):
            client.submit(ORDER)
        client.trading.urgent = lambda method, path, body: True
        client.submit(ORDER)
        assert len(server.asked) == 3


def test_the_breaker_stops_requests_and_lets_one_try():
    now = FakeClock()
    with serving(*[answer("", 503)] * 3, answer({"id": "1"})) as server:
        client = client_of(server.url, breaker=CircuitBreaker(clock=now))
        for _ in range(3):
            with pytest.raises(VenueUnavailable):
                client.account()
        assert client.breaker.open
        with pytest.raises(NotSent):
            client.submit(ORDER)
        assert len(server.asked) == 3
        now.now = 1.0
        client.account()
        assert not client.breaker.open


def test_an_open_breaker_holds_back_what_is_not_urgent():
    with serving(*[answer("", 503)] * 3, answer(status=204), answer({"id": "1"})) as server:
        client = client_of(server.url, breaker=CircuitBreaker(clock=FakeClock()))
        client.trading.urgent = lambda method, path, body: method == "DELETE"
        for _ in range(3):
            with pytest.raises(VenueUnavailable):
                client.account()
        for ask in (client.account, lambda: client.submit(ORDER)):
            with pytest.raises(NotSent):
                ask()
        client.cancel("an-id")
        assert server.count("DELETE") == 1
        # It was answered, so the venue is back.
        assert client.account() == {"id": "1"}


def test_a_dead_host_of_data_does_not_hold_back_trading():
    with serving(answer({"id": "1"})) as server:
        client = VenueClient(KEY, SECRET, paper=True, trading_url=server.url, data_url=closed_port())
        for _ in range(3):
            with pytest.raises(VenueUnavailable):
                client.latest_quotes(["SPY"])
        assert client.data_breaker.open
        assert client.gone == "circuit breaker open (data)" and client.gone_for_data_alone
        assert client.account() == {"id": "1"}
        assert not client.breaker.open


def test_a_trial_is_not_wasted_on_a_request_that_has_no_room():
    now = FakeClock()
    bucket = SlidingWindowLimiter(clock=FakeClock(), sleep=lambda seconds: None)
    with serving(answer({"id": "1"})) as server:
        client = client_of(server.url, breaker=CircuitBreaker(most=1, clock=now), bucket=bucket)
        client.breaker.failed()
        now.now = 10.0
        bucket.turned_away(30.0)
        with pytest.raises(NotSent):
            client.account()
        assert client.breaker.ready


def test_a_budget_bounds_all_requests_together():
    with serving(hang) as server:
        client = client_of(server.url, timeouts=Timeouts(3.0, 5.0))
        began = time.monotonic()
        with client.budget(0.5):
            with client.budget(30.0), pytest.raises(OutcomeUnknown):
                client.submit(ORDER)
            with pytest.raises(NotSent):
                client.submit(ORDER)
        assert time.monotonic() - began < 0.9
        assert len(server.asked) == 1


@pytest.mark.parametrize(("method", "change"), CHANGES)
def test_nothing_that_nobody_admits_is_sent(method, change):
    with serving(answer({"id": "1"})) as server:
        client = client_of(server.url)
        asked: list[tuple] = []
        for admit in (None, lambda *request: bool(asked.append(request))):
            client.trading.admit = admit
            with pytest.raises(AlpacaRefusal) as error:
                change(client)
            assert error.value.status == 0
        with pytest.raises(AlpacaRefusal):
            client.trading.close_all_positions()
        assert not server.asked
        assert asked[0][0] == method
        client.account()


def test_observers_are_told_and_cannot_do_harm(caplog):
    with serving(answer({"id": "1"}), answer({"message": "no"}, 422), answer("", 504)) as server:
        client = client_of(server.url)
        lines = []

        def fail(line):
            raise RuntimeError

        client.trading.observers += [fail, lines.append]
        assert client.submit(ORDER) == {"id": "1"}
        for error in (AlpacaRefusal, OutcomeUnknown):
            with pytest.raises(error):
                client.submit(ORDER)
        assert [line.outcome for line in lines] == ["200", "422", "OutcomeUnknown"]
        assert {(line.method, line.path, line.client_order_id) for line in lines} == {("POST", "/orders", "name-1")}
        assert all(one.began <= other.began and one.seconds >= 0 for one, other in pairwise(lines))
        assert "an observer of requests failed" in caplog.text


def test_both_stay_ordinary_alpaca_clients():
    quote = {"t": "2026-09-28T14:30:00Z", "ap": 2, "as": 1, "bp": 1, "bs": 1, "ax": "V", "bx": "V", "c": [], "z": "A"}
    clock = {
        "timestamp": "2026-09-28T14:30:00Z", "is_open": True,
        "next_open": "2026-09-29T13:30:00Z", "next_close": "2026-09-28T20:00:00Z",
    }  # fmt: skip
    with serving(answer(clock), answer({"quotes": {"SPY": quote}})) as server:
        client = client_of(server.url + "/")
        assert client.trading.get_clock().is_open
        assert (
            client.data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="SPY"))["SPY"].ask_price == 2
        )
        assert [asked.path for asked in server.asked] == ["/v2/clock", "/v2/stocks/quotes/latest"]


def test_what_the_venue_has_counted_is_read_from_its_answers():
    """As after a restart: the process before has spent most of the minute."""
    told = answer([], X_RateLimit_Limit="200", X_RateLimit_Remaining="30", X_RateLimit_Reset=str(time.time() + 40))
    with serving(told) as server:
        client = client_of(server.url)
        client.positions()
        assert client.bucket.spent == "170 of 200 requests of a minute are spent"
        with pytest.raises(NotSent, match="own rate limit: 170 of 200 requests of a minute are spent"):
            client.positions()
        assert server.count("GET") == 1
