"""Keys go to the venue, and to nobody between or beside it."""

from __future__ import annotations

import http.server
import json
import logging
import threading
import time
from collections.abc import Iterator

import pytest
from websockets.sync.server import ServerConnection, serve

from brokers.alpaca.client import VenueClient
from brokers.alpaca.quote_stream import AlpacaQuoteStream
from brokers.lumibot.trade_stream import TradeStream
from config.values.addresses import encrypted_abroad

KEY, SECRET = "KEY-hunter2", "SECRET-hunter2"


class Elsewhere:
    """A stream server of somebody else; it keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.server = serve(self._serve, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/stream"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _serve(self, connection: ServerConnection) -> None:
        connection.send(json.dumps([{"T": "success", "msg": "connected"}]))
        self.heard.append(str(connection.recv()))


class Http:
    """A plain server: redirects to ``target`` where that is set, else answers with an empty object."""

    def __init__(self, status: int = 200, target: str = "") -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers)))
                self.send_response(status)
                if target:
                    self.send_header("Location", target)
                body = b"" if target else b'{"timestamp": "2024-03-04T15:00:00Z", "is_open": true}'
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self) -> None:
                self.do_GET()

            def log_message(self, *args: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    yield server
    server.server.shutdown()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_stream_follows_a_redirect(elsewhere, status, caplog):
    caplog.set_level(logging.INFO)
    venue = Http(status, elsewhere.url)
    url = venue.url.replace("http", "ws")
    trades = TradeStream(
        KEY, SECRET, paper=True, url=f"{url}/stream", on_event=lambda event, update: None, on_state=lambda up: None
    )
    trades.first_wait_s = 0.05
    thread = threading.Thread(target=trades.run, daemon=True)
    thread.start()
    prices = AlpacaQuoteStream(f"{url}/v2/iex", KEY, SECRET)
    prices.start(lambda *quote: None)
    deadline = time.monotonic() + 10
    while len({path for path, _ in venue.seen}) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    trades.stop()
    prices.stop()
    thread.join(5)
    assert {path for path, _ in venue.seen} == {"/stream", "/v2/iex"}
    assert elsewhere.heard == []
    assert "hunter2" not in caplog.text


def test_no_proxy_and_no_netrc_between_us_and_this_machine(monkeypatch, tmp_path):
    proxy, venue = Http(), Http()
    for name in ("HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv(name.lower(), proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter3\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    client = VenueClient(KEY, SECRET, paper=True, trading_url=venue.url, data_url=venue.url)
    with pytest.raises(Exception, match=r"."):
        client.account()
        raise ValueError("answered")
    assert venue.seen and not proxy.seen
    headers = venue.seen[0][1]
    assert headers["APCA-API-KEY-ID"] == KEY and "Authorization" not in headers
    prices = AlpacaQuoteStream(venue.url.replace("http", "ws"), KEY, SECRET)
    asked = len(venue.seen)
    prices.start(lambda *quote: None)
    deadline = time.monotonic() + 10
    while len(venue.seen) == asked and time.monotonic() < deadline:
        time.sleep(0.02)
    prices.stop()
    assert len(venue.seen) > asked and not proxy.seen


def test_a_proxy_may_stand_before_what_is_encrypted_and_far_only():
    assert encrypted_abroad("https://paper-api.alpaca.markets") and encrypted_abroad("wss://stream.example.com/x")
    for url in ("http://127.0.0.1:1", "ws://localhost:1", "https://127.0.0.1", "wss://[::1]/x"):
        assert not encrypted_abroad(url)
