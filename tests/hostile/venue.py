"""A desk with its real client at an exchange behind a server that lies, floods or echoes when it is told to."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from brokers.alpaca.client import VenueClient
from brokers.alpaca.http import Timeouts
from brokers.alpaca.limits import SlidingWindowLimiter
from brokers.alpaca.listings import update_of
from brokers.alpaca.venue import AlpacaVenue
from brokers.desk.account_figures import AccountFigures
from brokers.desk.core import assemble
from brokers.desk.data.quotes import Quote, unavailable
from brokers.desk.desk import LiveDesk
from brokers.desk.entry_halts import EntryHalts, KillSwitch
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.journal import Journal
from brokers.network.admission import Admission
from brokers.network.breaker import CircuitBreaker
from brokers.network.clock import VenueClock
from brokers.rehearsal.alpaca.activities import Activities
from brokers.rehearsal.alpaca.portfolio_history import PortfolioHistory
from brokers.rehearsal.alpaca.routes import Routes
from brokers.rehearsal.alpaca.trading_api import TradingApi
from brokers.venue_errors import VenueError
from tests.brokers.desk.scene import ACCOUNT, Scene, read_quote

KEY, SECRET = "PKHOSTILE0123456789AB", "hostile+secret/of-the-test=77"
TIMEOUTS = Timeouts(connect_s=0.5, read_s=0.5, max_wait_s=0.5)
JUNK_S = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server read it; ``secret`` is what came in its headers."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    payload: Any


@dataclass(slots=True)
class Told:
    """What the exchange answers: status and body, before a hostile venue has its way with it."""

    status: int
    body: Any


Change = Callable[[Asked, Told], Told]
Send = Callable[["Handler", Asked, Told], None]


@dataclass(slots=True)
class Hostility:
    """What a venue does while it is hostile: change answers, send them in its own way, babble on the stream."""

    change: Change | None = None
    send: Send | None = None
    stream: Callable[[dict[str, Any]], Any] | None = None
    on: bool = False
    met: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    owner: HostileScene

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query))
        asked = Asked(self.command, parts.path, query, dict(self.headers), json.loads(raw) if raw else {})
        hostility = self.owner.hostility
        told = self.owner.answer(asked)
        if hostility.on and hostility.change is not None:
            told = hostility.change(asked, told)
        if hostility.on and hostility.send is not None:
            hostility.met += 1
            hostility.send(self, asked, told)
        else:
            self.plain(told)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # http.server's names

    def plain(self, told: Told, content: bytes | None = None, **headers: str) -> None:
        """Send an answer as it should be."""
        body = (b"" if told.status == 204 else json.dumps(told.body).encode()) if content is None else content
        self.send_response(told.status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class HostileScene(Scene):
    """A scene whose desk asks over HTTP."""

    def __init__(self, folder: Path, hostility: Hostility, **options: Any) -> None:
        self.hostility = hostility
        self.elsewhere: list[str] = []
        handler = type("Hostile", (Handler,), {"owner": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._mutex = threading.Lock()
        super().__init__(folder, **options)

    def start(self) -> None:
        exchange = self.exchange
        self.routes = Routes()
        history = PortfolioHistory(exchange.now, exchange.equity)
        TradingApi(exchange, Activities(), history, lambda: 0.0).add_to(self.routes)
        clock = VenueClock(monotonic=lambda: exchange.now.timestamp(), wall=lambda: exchange.now)
        self.admission = Admission()
        client: Any = VenueClient(
            KEY, SECRET, paper=True, trading_url=self.url, data_url=self.url, timeouts=TIMEOUTS, clock=clock,
            bucket=SlidingWindowLimiter(limit=10**6), breaker=CircuitBreaker(cool_down_s=JUNK_S),
            admission=self.admission,
        )  # fmt: skip
        client.data_breaker.cool_down_s = JUNK_S
        self.wire, self.clock = client, clock
        self.journal = Journal(self.address, ACCOUNT, lambda: exchange.now, self.settings.live.journal_answer_s)
        self.journal.begin_run("rehearse", "combined", "active", "hash")
        core = assemble(AlpacaVenue(client), self.journal, self.settings, self.quotes, self.admission)
        self.state, self.positions, self.gateway = core.state, core.positions, core.gateway
        self.sync, self.observer = core.sync, core.observer
        core.state.figures = AccountFigures(lambda seconds: 0.0)
        today = exchange.now.date()
        budget = BudgetKeeper.open(self.folder, ACCOUNT, today)
        budget.compare(self.journal.filled_orders(), today)
        halts = EntryHalts(self.journal, KillSwitch(self.folder))
        self.desk = LiveDesk(core, halts, budget, (), lambda: None, lambda: self.window())

    def stop(self) -> None:
        self.hostility.over.set()
        super().stop()

    def close(self) -> None:
        """End the server too."""
        self.stop()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, asked: Asked) -> Told:
        """What an honest exchange says."""
        with self._mutex:
            if asked.path == "/v2/stocks/quotes/latest":
                return Told(200, {"quotes": {s: self._raw_quote(s) for s in asked.query["symbols"].split(",")}})
            answer = self.routes.answer(asked.method, asked.path, asked.query, asked.payload)
            return Told(answer.status, answer.body)

    def quotes(self, symbols: Iterable[str]) -> dict[str, Quote]:
        wanted, client, now = list(symbols), self.wire, self.exchange.now
        try:
            found: Mapping[str, Any] = client.latest_quotes(wanted)
        except VenueError as error:
            return {symbol: unavailable(symbol, error) for symbol in wanted}
        return {symbol: read_quote(symbol, found.get(symbol), now, timedelta(minutes=5)) for symbol in wanted}

    def hand_on(self) -> None:
        """Events of the stream; what cannot be read ends the connection, and the next one begins."""
        events, self.events[:] = list(self.events), []
        for event in events:
            said = event
            if self.hostility.on and self.hostility.stream is not None:
                said = self.hostility.stream(event)
                self.hostility.met += 1
            try:
                self.desk.hear(update_of(said))
            except Exception as error:
                log.info("the stream is connected anew (%s)", type(error).__name__)

    def _raw_quote(self, symbol: str) -> dict[str, Any]:
        price, half = self.prices.get(symbol, Decimal(100)), Decimal("0.01")
        return {"bp": float(price - half), "ap": float(price + half), "t": self.exchange.now.isoformat()}
