"""Looks on while a rehearsal runs: what its iterations cost, and whether all books agree at its end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Any

from rich.table import Table

from brokers.alpaca.http import RequestLog
from brokers.alpaca.venue import AlpacaVenue
from brokers.desk.lifecycle.session import TradingSession

CENT = Decimal("0.01")
SETTLE_S = 20.0
"""How long the last news may take to arrive, in local seconds."""


Watch = Callable[[Any, TradingSession, Any], AbstractContextManager[None]]
"""Around the loop of a run: strategy, session and server (None unless it is a rehearsal)."""


@dataclass(frozen=True, slots=True)
class Books:
    """What one of the books says: shares by symbol, signed and never 0, and cash in USD (None: it keeps none)."""

    name: str
    positions: dict[str, Decimal]
    cash: Decimal | None


def disagreements(books: Sequence[Books]) -> list[str]:
    """Where books differ from the first of them, in words: by any share, or by a cent or more."""
    found: list[str] = []
    first = books[0]
    for other in books[1:]:
        for symbol in sorted(first.positions.keys() | other.positions.keys()):
            one, two = (book.positions.get(symbol, Decimal(0)) for book in (first, other))
            if one != two:
                found.append(f"{symbol}: {one} by {first.name}, {two} by {other.name}")
        if first.cash is not None and other.cash is not None and abs(first.cash - other.cash) >= CENT:
            found.append(f"cash: {first.cash} by {first.name}, {other.cash} by {other.name}")
    return found


@dataclass(slots=True)
class RehearsalWatch:
    """Counts and times iterations, and compares the books at the end.

    ``requests`` and ``seconds`` have an entry for each iteration: the requests of the thread that iterates,
    Lumibot's own included, and how long it took in local seconds. ``others`` counts the requests of the desk's
    watch between them, ``start`` all that came before the first. ``figures`` and ``books`` are there after the end.
    """

    requests: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    start: int = 0
    others: int = 0
    figures: dict[str, str] = field(default_factory=dict)
    books: tuple[Books, ...] = ()
    _asked: int = 0
    _thread: int | None = None
    _cash: Decimal = Decimal(0)
    _parts: int = 0

    @contextlib.contextmanager
    def __call__(self, strategy: Any, session: TradingSession, server: Any) -> Iterator[None]:
        """Listen to requests, fills and iterations; at the end wait for the last news and read every book."""
        self._cash = Decimal(str(server.call(lambda exchange: exchange.account()["cash"])))
        assert isinstance(session.venue, AlpacaVenue), "rehearsals are of Alpaca"
        for http in (session.venue.client.trading, session.venue.client.data):
            http.observers.append(self._request)
        strategy.broker.trade_listeners.append(self._hear)
        # Lumibot keeps what it calls: an attribute of the strategy would never be asked.
        executor = strategy._executor
        iterate: Callable[[], None] = executor._on_trading_iteration_callable

        def watched() -> None:
            if self._thread is None:
                # Until now nothing told its thread from others: account, assets and the whole history.
                self.start, self._asked = self._asked, 0
            self._thread = threading.get_ident()
            began = time.perf_counter()
            iterate()
            self.seconds.append(time.perf_counter() - began)
            self.requests.append(self._asked)
            self._asked = 0

        executor._on_trading_iteration_callable = watched
        yield
        deadline = time.monotonic() + SETTLE_S
        while True:
            strategy.account.desk.tick()
            self.books = self._read(strategy, session, server)
            if not disagreements(self.books) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        self.figures = self._count(strategy, session)

    @property
    def disagreements(self) -> list[str]:
        """Where the books differ at the end; a run without an end disagrees."""
        return disagreements(self.books) if self.books else ["the run did not come to its end"]

    def table(self) -> Table:
        """The figures of the run."""
        table = Table(title="rehearsal", title_justify="left", show_header=False)
        for name, value in self.figures.items():
            table.add_row(name, value)
        return table

    def _request(self, line: RequestLog) -> None:
        if self._thread in (None, threading.get_ident()):
            self._asked += 1
        else:
            self.others += 1

    def _hear(self, event: Mapping[str, Any]) -> None:
        self._parts += event.get("event") == "partial_fill"

    def _read(self, strategy: Any, session: TradingSession, server: Any) -> tuple[Books, ...]:
        venue, cash = server.call(lambda exchange: (exchange.positions(), exchange.account()["cash"]))
        own = strategy.account.desk.positions.book
        mine = {symbol: own.total(symbol) for symbol in own.symbols}
        return (
            Books("the exchange", {raw["symbol"]: Decimal(raw["qty"]) for raw in venue}, Decimal(cash)),
            Books(
                "the journal's fills",
                session.journal.positions_by_fills(),
                self._cash + session.journal.cash_by_fills(),
            ),
            Books("the strategy", mine, self._cash + Decimal(str(round(own.ledger.cash, 6)))),
        )

    def _count(self, strategy: Any, session: TradingSession) -> dict[str, str]:
        desk = strategy.account.desk
        filled = [item.order for item in session.journal.filled_orders()]
        roles = Counter(order.role for order in filled)
        partial = sum(order.filled_quantity < order.quantity for order in filled)
        naked = [s.seconds for s in desk.protector.log.intervals]
        asked = self.requests or [0]
        return {
            "iterations": f"{len(self.requests)}",
            "entries filled": f"{roles['entry']}",
            "hedges filled": f"{roles['hedge']}",
            "stops filled": f"{roles['stop']}",
            "targets filled": f"{roles['target']}",
            "trims filled": f"{roles['trim']}",
            "part profits taken": f"{roles['partial']}",
            "closed at market": f"{roles['close']}",
            "orders that filled in part only": f"{partial}",
            "partial fills": f"{self._parts}",
            "requests of an iteration, median and most": f"{median(asked):g} and {max(asked)}",
            "requests before the first, between them": f"{self.start}, {self.others}",
            "longest iteration, local seconds": f"{max(self.seconds, default=0.0):.2f}",
            "spells without a stop": f"{len(naked)}, {len(desk.protector.log.present)} still",
            "seconds without a stop, median and worst": (
                f"{median(naked):.1f} and {max(naked):.1f}" if naked else "none"
            ),
        }
