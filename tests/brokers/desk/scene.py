"""A desk on the rehearsal exchange, in one process, with time in the test's hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from brokers.alpaca.errors import AlpacaRefusal
from brokers.alpaca.listings import orders_of, update_of
from brokers.alpaca.market_data import quote_of
from brokers.alpaca.venue import AlpacaVenue
from brokers.desk.account_figures import AccountFigures
from brokers.desk.core import assemble
from brokers.desk.data.quotes import Quote, judged
from brokers.desk.desk import LiveDesk
from brokers.desk.entry_halts import EntryHalts, KillSwitch
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.journal import Journal
from brokers.network.admission import Admission
from brokers.network.clock import FAR_S
from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.settings import VenueSettings
from brokers.venue_errors import OutcomeUnknown, VenueError
from brokers.venue_values import VenueTime
from config import load
from risk.interface import RiskModule
from risk.model import Adjustment, BracketTerms, Plan, Proposal

ACCOUNT = "rehearsal-account"
TUESDAY = datetime(2023, 3, 7, 15, 0, tzinfo=UTC)
"""10:00 in New York, the market is open."""
SYMBOLS = ("AAPL", "MSFT", "NVDA", "PLTR", "TSLA")
WIDE_GATE = (
    "gate.max_order_notional_frac=0.2", "gate.max_day_notional_frac=1.0", "gate.max_new_positions=20",
    "gate.min_cash_frac=0",
)  # fmt: skip
"""Tests of the desk send what they like; what the shipped gate says to that is tested in test_gate.py."""
Json = dict[str, Any]


def read_quote(symbol: str, raw: Mapping[str, Any] | None, now: datetime, max_age: timedelta) -> Quote:
    """A quote as Alpaca writes it, judged; None for none."""
    return judged(symbol, None if raw is None else quote_of(raw), now, max_age)


class Clock:
    """The venue's clock, as far as a desk reads it: never the same time twice, and back as the real one goes back.

    That is only where it was far ahead, which the venue said twice.

    ``wrong`` is by how much what it says differs from the venue's true time.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.wrong = timedelta(0)
        self.due = False
        self._newest = exchange.now

    def local(self, venue_seconds: float) -> float:
        return venue_seconds

    def now(self) -> datetime:
        reading, least = self.exchange.now + self.wrong, self._newest + timedelta(microseconds=1)
        self._newest = reading if least - reading > timedelta(seconds=FAR_S) else max(reading, least)
        return self._newest


class Wire:
    """The exchange as a client shows it; ``mishap`` may raise before or after a request was carried out."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.calls: list[tuple[str, Any]] = []
        self.mishap: Callable[[str, str], None] = lambda method, phase: None

    clock: Clock
    bucket: Any = SimpleNamespace(limit=200, reserve=30, drop_waiting=lambda: None, room=lambda need, requests: True)
    gone, gone_for_data_alone = "", False
    trading_url = "in process"

    def budget(self, seconds: float) -> AbstractContextManager[None]:
        return nullcontext()

    def venue_clock(self) -> VenueTime:
        raw = self._call("venue_clock", self.exchange.clock)
        times = (datetime.fromisoformat(raw[key]) for key in ("timestamp", "next_open", "next_close"))
        now, opens, closes = times
        return VenueTime(now, raw["is_open"], opens, closes)

    def account(self) -> Json:
        return self._call("account", self.exchange.account)

    def asset(self, symbol: str) -> Json | None:
        return self._call("asset", lambda: self.exchange.asset(symbol))

    def positions(self) -> list[Json]:
        return self._call("positions", self.exchange.positions)

    def open_orders(self) -> list[Json]:
        return self._call("open_orders", lambda: self.exchange.orders(nested=True, limit=500))

    def orders_since(self, after: datetime, nested: bool = True) -> list[Json]:
        return self._call(
            "orders_since",
            lambda: self.exchange.orders("all", limit=500, after=after, direction="asc", nested=nested),
        )

    def order(self, venue_id: str, nested: bool = True) -> Json:
        return self._call("order", lambda: self.exchange.order(venue_id, nested))

    def order_by_client_id(self, client_order_id: str) -> Json | None:
        try:
            return self._call("order_by_client_id", lambda: self.exchange.order_by_client_id(client_order_id))
        except AlpacaRefusal:
            return None

    def submit(self, payload: Mapping[str, Any]) -> Json:
        return self._call("submit", lambda: self.exchange.submit(payload), payload)

    def replace(self, venue_id: str, patch: Mapping[str, Any]) -> Json:
        return self._call("replace", lambda: self.exchange.replace(venue_id, patch), (venue_id, patch))

    def cancel(self, venue_id: str) -> None:
        return self._call("cancel", lambda: self.exchange.cancel(venue_id), venue_id)

    def _call(self, name: str, request: Callable[[], Any], what: Any = None) -> Any:
        self.calls.append((name, what))
        self.mishap(name, "before")
        try:
            answer = request()
        except ApiError as error:
            code = error.body.get("code")
            raise AlpacaRefusal(error.status, code, str(error.body.get("message")), error.body) from error
        self.mishap(name, "after")
        return answer


class Scene:
    """An account, a desk, and time that passes when told to."""

    def __init__(
        self,
        folder: Path,
        *,
        overrides: Iterable[str] = (),
        faults: FaultPlan | None = None,
        settings: VenueSettings | None = None,
        prices: Mapping[str, float] | None = None,
        start: datetime = TUESDAY,
        journal: str = "",
        halters: Sequence[RiskModule] = (),
    ) -> None:
        self.folder = folder
        self.halters = halters
        self.address = journal or str(folder / "journal.sqlite")
        self.settings = load(overrides=[*WIDE_GATE, *overrides])
        self.journal_answer_s = self.settings.live.journal_answer_s
        self.events: list[Json] = []
        self.deaf = False
        self.told: Callable[[list[Json]], list[Json]] = lambda events: events
        """What of the venue's events the stream hands on now, and in which order."""
        self.asked: dict[str, int] = {}
        self.exchange = Exchange(SYMBOLS, start, self._emit, settings or VenueSettings(), faults)
        self.prices = {symbol: Decimal(100) for symbol in SYMBOLS} | {
            s: Decimal(str(p)) for s, p in (prices or {}).items()
        }
        self.exchange.on_quote(start, self.prices)
        self.quote_age = timedelta(0)
        self.quoted: Callable[[str], Quote] | None = None
        self.start()

    def start(self) -> None:
        """Begin a process: everything that is not on the disk or at the venue is new."""
        self.wire = Wire(self.exchange)
        self.journal = Journal(self.address, ACCOUNT, lambda: self.exchange.now, self.journal_answer_s)
        self.journal.begin_run("rehearse", "combined", "active", "hash")
        self.clock = self.wire.clock = Clock(self.exchange)
        client: Any = self.wire
        self.admission = Admission()
        core = assemble(AlpacaVenue(client), self.journal, self.settings, self.quotes, self.admission)
        self.state, self.positions, self.gateway = core.state, core.positions, core.gateway
        self.sync, self.observer = core.sync, core.observer
        # Time passes when told to: nobody waits for a second reading of the account.
        core.state.figures = AccountFigures(lambda seconds: 0.0)
        today = self.exchange.now.date()
        budget = BudgetKeeper.open(self.folder, ACCOUNT, today)
        budget.compare(self.journal.filled_orders(), today)
        halts = EntryHalts(self.journal, KillSwitch(self.folder))
        self.desk = LiveDesk(core, halts, budget, self.halters, lambda: None, lambda: self.window())

    def window(self) -> EntryWindow:
        return EntryWindow(extended=not self.exchange.clock()["is_open"])

    def stop(self) -> None:
        self.journal.close()

    def restart(self) -> None:
        """Stop without a word and begin again."""
        self.events.clear()
        self.stop()
        self.start()

    def quotes(self, symbols: Iterable[str]) -> dict[str, Quote]:
        return {symbol: self.quote(symbol) for symbol in symbols}

    def quote(self, symbol: str) -> Quote:
        if self.quoted is not None:
            return self.quoted(symbol)
        price, half = self.prices[symbol], Decimal("0.01")
        raw = {"bp": str(price - half), "ap": str(price + half), "t": (self.exchange.now - self.quote_age).isoformat()}
        return read_quote(symbol, raw, self.exchange.now, timedelta(minutes=5))

    def pass_time(self, seconds: float = 1.0, **prices: float) -> None:
        """Let time pass, then prices change, and hand on what the stream says."""
        now = self.exchange.now + timedelta(seconds=seconds)
        self.prices |= {symbol: Decimal(str(price)) for symbol, price in prices.items()}
        self.exchange.on_quote(now, {symbol: self.prices[symbol] for symbol in prices})
        self.hand_on()

    def take(self, raw: Mapping[str, Any]) -> None:
        """One order, as an answer about it alone would show it."""
        self.state.show(orders_of([raw]))
        self.sync.take(self.state.view.orders)

    def hand_on(self) -> None:
        events, self.events[:] = list(self.events), []
        for event in self.told(events):
            self.desk.hear(update_of(event))

    def step(self, seconds: float = 1.0, **prices: float) -> None:
        """Time passes and the desk looks and works."""
        self.pass_time(seconds, **prices)
        with self.desk.iteration():
            self.desk.look()
            self.desk.reconcile()

    def settle(self, steps: int = 8, seconds: float = 1.0) -> None:
        for _ in range(steps):
            self.step(seconds)

    def enter(self, symbol: str = "AAPL", quantity: float = 50, *, iterate: bool = True, **changes: Any) -> None:
        """Reconcile and send a plan with one entry at 5% / 15%."""
        if iterate:
            self.desk.reconcile()
        now = self.exchange.now
        self.desk.execute(Plan(now, entries=(self.proposal(symbol, quantity, **changes),)))

    def proposal(self, symbol: str, quantity: float, **changes: Any) -> Proposal:
        price = float(self.prices[symbol])
        values: dict[str, Any] = {
            "symbol": symbol, "side": "buy", "signal": "mean_reversion", "score": 80.0, "price": price, "atr": 2.0,
            "stop": price * 0.95, "target": price * 1.15, "terms": BracketTerms("buy", 0.05, 0.15),
            "quantity": quantity, "reason": "test",
        }  # fmt: skip
        return Proposal(**values | changes)

    def in_part(self, symbol: str, away: float, send: Callable[[], object]) -> None:
        """Send something that fills in part before the market has run away to another price."""
        faults = self.exchange.faults
        faults.partial_fill_frac = 1.0
        send()
        self.pass_time(0.3)
        self.pass_time(0, **{symbol: away})
        faults.partial_fill_frac = 0.0

    def adjust(self, kind: Any, symbol: str = "AAPL", **changes: Any) -> None:
        now = self.exchange.now
        self.desk.execute(Plan(now, adjustments=(Adjustment("test", kind, symbol, f"TEST_{kind.upper()}", **changes),)))

    # What the venue says, whatever the desk believes.

    def held(self, symbol: str = "AAPL") -> Decimal:
        rows = [row for row in self.exchange.positions() if row["symbol"] == symbol]
        return Decimal(rows[0]["qty"]) if rows else Decimal(0)

    def open(self, symbol: str = "AAPL") -> list[Json]:
        rows = self.exchange.orders(nested=True, limit=500)
        flat = [order for row in rows for order in (row, *(row["legs"] or ()))]
        return [order for order in flat if order["symbol"] == symbol]

    def stopped(self, symbol: str = "AAPL") -> Decimal:
        """Shares behind a stop whose entry has filled completely."""
        total = Decimal(0)
        for row in self.exchange.orders(nested=True, limit=500):
            if row["symbol"] != symbol or row["side"] == "buy":
                continue
            for order in (row, *(row["legs"] or ())):
                if order["type"] == "stop":
                    total += Decimal(order["qty"]) - Decimal(order["filled_qty"])
        return total

    def protected(self) -> bool:
        return all(self.stopped(row["symbol"]) == abs(Decimal(row["qty"])) for row in self.exchange.positions())

    def agrees(self) -> bool:
        """Journal, desk and venue hold the same shares, and the journal's cash is the venue's."""
        venue = {row["symbol"]: Decimal(row["qty"]) for row in self.exchange.positions()}
        own = {symbol: self.positions.book.total(symbol) for symbol in self.positions.book.symbols}
        cash = Decimal(self.exchange.account()["cash"]) - Decimal(100_000)
        return venue == own == self.journal.positions_by_fills() and abs(self.journal.cash_by_fills() - cash) < 1

    def _emit(self, event: Json) -> None:
        if not self.deaf:
            self.events.append(event)


def held(scene: Scene, symbol: str = "AAPL") -> None:
    """Fifty shares, 49 after the limit, behind their bracket."""
    scene.enter(symbol, 50)
    scene.settle(2)
    assert scene.held(symbol) == scene.stopped(symbol) == 49
    scene.wire.calls.clear()


def fill(scene: Scene, quantity: int) -> None:
    """So many shares of the entry fill, whatever was asked of it."""
    (entry,) = (order for order in scene.exchange._state.open_orders("AAPL") if order.buy)
    status = entry.status
    scene.exchange._life.fill(entry, Decimal(quantity), Decimal("100.01"))
    if entry.open and status == "pending_cancel":
        entry.status = status
    scene.hand_on()


def changes(scene: Scene) -> list[str]:
    """What was asked for that changes orders."""
    return [name for name, _ in scene.wire.calls if name in ("submit", "cancel", "replace")]


def slow_cancels(scene: Scene, seconds: float) -> None:
    """The venue takes so long to end an order whose cancel it was asked for; it may fill meanwhile."""
    life = scene.exchange._life
    end, settle, due = life._settle_cancel, life.settle, list[tuple[datetime, Any]]()

    def later() -> None:
        settle()
        now = scene.exchange.now
        for item in [item for item in due if item[0] <= now]:
            due.remove(item)
            end(item[1])

    life._settle_cancel = lambda order: due.append((scene.exchange.now + timedelta(seconds=seconds), order))
    life.settle = later


def lost(on: str, phase: str, times: int = 1) -> Callable[[str, str], None]:
    """A mishap: the answer to a request never comes, before or after it was carried out."""
    left = [times]

    def mishap(name: str, when: str) -> None:
        if name == on and when == phase and left[0]:
            left[0] -= 1
            raise OutcomeUnknown("no answer")

    return mishap


__all__ = ["ACCOUNT", "SYMBOLS", "TUESDAY", "Clock", "Scene", "VenueError", "Wire", "lost"]


def hang(scene: Scene, is_meant: Callable[[Json], bool]) -> None:
    """The venue shows some orders as being cancelled, for ever."""

    def shown(ask: Callable[..., list[Json]]) -> Callable[..., list[Json]]:
        def asked(*args: Any, **kwargs: Any) -> list[Json]:
            rows = ask(*args, **kwargs)
            for row in rows:
                for order in (row, *(row["legs"] or ())):
                    if is_meant(order):
                        order["status"] = "pending_cancel"
            return rows

        return asked

    scene.wire.orders_since = shown(scene.wire.orders_since)
    scene.wire.open_orders = shown(scene.wire.open_orders)
