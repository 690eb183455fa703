"""A desk on a rehearsed Kraken over HTTP, with time and prices in the test's hand, killed or troubled at will."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.desk.account_figures import AccountFigures
from brokers.desk.core import assemble
from brokers.desk.data.quotes import Quote, judged
from brokers.desk.desk import LiveDesk
from brokers.desk.entry_halts import EntryHalts, KillSwitch
from brokers.desk.execution.entry_task import EntryWindow
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.journal import Journal
from brokers.kraken.connection.client import KrakenClient
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rates import RateModel, Tier
from brokers.kraken.connection.rest import KrakenRest
from brokers.kraken.venue import KrakenVenue
from brokers.network.admission import Admission
from brokers.network.clock import VenueClock
from brokers.rehearsal.kraken.server import KrakenServer
from config import load
from market.trading_day import day_of
from risk.model import Adjustment, BracketTerms, Plan, Proposal
from tests.brokers.kraken.scripted import NO_PAUSE
from tests.brokers.rehearsal.kraken.market import set_price

BTC, ETH, DOGE, SOL = "BTC/USD", "ETH/USD", "DOGE/USD", "SOL/USD"
ENDLESS_TIER = Tier(1e9, 1e9, 1e9, 1e9)
SETTINGS = (
    "sizing.lot=0.00000001", "gate.max_day_notional_frac=4", "gate.max_new_positions=50", "gate.max_open_positions=10",
    "gate.max_order_notional_frac=0.5", "sizing.max_notional_frac=0.5", "gate.min_cash_frac=0", "pace.market=24/7",
    "pace.day=UTC", "live.entry.rest=none", "live.entry.patience_s=120", "live.protection.stop_frac=0.05",
    "live.protection.target_frac=0.1", "live.entry.max_quote_age_s=100000",
)  # fmt: skip


class Killed(BaseException):
    """The process is gone; nothing in it may catch this."""


class HandClock(VenueClock):
    """The server's time, which stands still between steps."""

    def __init__(self, server: KrakenServer) -> None:
        super().__init__()
        self._server = server
        self.time = server.now

    def now(self) -> datetime:
        return self.time

    @property
    def due(self) -> bool:
        return False

    def heard(self, venue_time: datetime, sent: float, received: float) -> bool:
        return True

    def local(self, venue_seconds: float) -> float:
        return 0.0


class WatchedRest(KrakenRest):
    """Counts what is asked, and dies where told to: ``die`` is (endpoint, its n-th request, before or after)."""

    die: tuple[str, int, str] | None = None

    def _sent(self, path: str, api: str, method: str, params: Any) -> Any:
        self.asked[path] += 1
        due = self.die is not None and (self.die[0], self.die[1]) == (path, self.asked[path])
        if due and self.die is not None and self.die[2] == "before":
            raise Killed
        answer = super()._sent(path, api, method, params)
        if due:
            raise Killed
        return answer


class KrakenScene:
    """One account, and one process after another that trades it."""

    def __init__(
        self,
        server: KrakenServer,
        folder: Path,
        tier: Tier = ENDLESS_TIER,
        profile: str = "active",
        stated: tuple[str, ...] = SETTINGS,
        journal: str = "",
    ) -> None:
        self.address = journal or str(folder / "journal.sqlite")
        self.server, self.folder, self.tier = server, folder, tier
        self.settings = load(profile, overrides=list(stated))
        self.asked: Counter[str] = Counter()
        self.bare: dict[str, datetime] = {}
        self.spells: list[float] = []
        self.held_s = self.bare_s = 0.0
        self.die: tuple[str, int, str] | None = None
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        server, self.clock = self.server, HandClock(self.server)
        # The venue's time stands still in a step; what is waited for there passes here alone.
        self.waited = 0.0
        self.rates = RateModel(self.tier, clock=lambda: self.clock.time.timestamp() + self.waited, sleep=self._wait)
        nonce = Nonce(self.folder / "nonce")
        self.rest = WatchedRest(server.key, server.secret, nonce=nonce, rates=self.rates, url=server.url)
        self.rest.asked, self.rest.die = self.asked, self.die
        self.rest.breaker.most = 10**9
        admission = Admission()
        self.venue = KrakenVenue(KrakenClient(self.rest, admission), self.clock, "test", NO_PAUSE)
        self.journal = Journal(self.address, "test", self.clock.now, 5.0)
        self.journal.begin_run("rehearse", "combined", "test", "hash")
        core = assemble(
            self.venue,
            self.journal,
            self.settings,
            self._judged,
            admission,
        )
        core.state.figures = AccountFigures(lambda seconds: 0.0)
        budget = BudgetKeeper.open(self.folder, "test", day_of(self.clock.now()))
        self.core, self.positions = core, core.positions
        self.halts = EntryHalts(self.journal, KillSwitch(self.folder))
        self.desk = LiveDesk(core, self.halts, budget, (), lambda: None, EntryWindow)
        if self.tier is ENDLESS_TIER:
            # Room that comes with the venue's time would be waited for in vain, for a minute of ours.
            self.desk.guard.has_room = lambda: True

    def _judged(self, symbols: Iterable[str]) -> dict[str, Quote]:
        wanted = list(symbols)
        found = self.venue.quotes(wanted)
        return {s: judged(s, found.get(s), self.clock.now(), timedelta(days=1)) for s in wanted}

    def _wait(self, seconds: float) -> None:
        self.waited += max(seconds, 0.001)

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def alive(self, act: Callable[[], None]) -> None:
        """Do something; a process that dies in it is started again."""
        try:
            act()
        except Killed:
            self.die = None
            self.restart()

    def step(self, seconds: float = 1.0, **prices: str) -> None:
        """Time passes, prices jump, and the desk looks and works."""
        self.pass_time(seconds, **prices)
        self.alive(self.iterate)

    def iterate(self) -> None:
        with self.desk.iteration():
            self.desk.look()
            self.desk.reconcile()

    def pass_time(self, seconds: float, **prices: str) -> None:
        self.server.advance_to(self.server.now + timedelta(seconds=seconds))
        for coin, price in prices.items():
            set_price(self.server, price, f"{coin}/USD")
        before, self.clock.time = self.clock.time, self.server.now
        self.measure((self.clock.time - before).total_seconds())

    def measure(self, seconds: float) -> None:
        """How long coins that can be protected were without a stop at the venue, whatever the desk believes.

        The desk acts before time passes, so that what is bare after so many seconds was so all along.
        """
        began = self.server.now - timedelta(seconds=seconds)
        for symbol in (BTC, ETH):
            held = self.protectable(symbol)
            self.held_s += seconds if held else 0
            if held > self.stopped(symbol):
                self.bare.setdefault(symbol, began)
                self.bare_s += seconds
            elif symbol in self.bare:
                self.spells.append((began - self.bare.pop(symbol)).total_seconds())

    def enter(self, symbol: str = BTC, usd: float = 100.0, stop: float = 0.02, target: float = 0.04) -> None:
        def act() -> None:
            with self.desk.iteration():
                self.desk.look()
                self.desk.reconcile()
                price = float(self.venue.quotes([symbol])[symbol].ask)
                terms = BracketTerms("buy", stop, target)
                wish = Proposal(
                    symbol, "buy", "momentum", 80.0, price, 1.0, price * (1 - stop), price * (1 + target), terms,
                    round(usd / price, 8), "test",
                )  # fmt: skip
                self.desk.execute(Plan(self.clock.now(), entries=(wish,)))

        self.alive(act)

    def adjust(self, kind: str, symbol: str = BTC, **more: Any) -> None:
        def act() -> None:
            with self.desk.iteration():
                change = Adjustment("test", kind, symbol, f"TEST_{kind.upper()}", **more)
                self.desk.execute(Plan(self.clock.now(), adjustments=(change,)))

        self.alive(act)

    def settle(self, steps: int = 6, seconds: float = 1.0) -> None:
        for _ in range(steps):
            self.step(seconds)

    # What is true at the venue.

    def orders(self) -> list[Any]:
        return self.server.call(lambda exchange: list(exchange.orders.values()))

    def open(self, symbol: str = BTC) -> list[Any]:
        return [o for o in self.server.call(lambda exchange: exchange.open_orders()) if o.symbol == symbol]

    def held(self, symbol: str = BTC) -> Decimal:
        return self.server.call(lambda exchange: exchange._state.ledger.quantity(symbol))

    def protectable(self, symbol: str) -> Decimal:
        least = self.venue.reference.known(symbol).ordermin
        held = self.held(symbol)
        return held if held >= least else Decimal(0)

    def stopped(self, symbol: str = BTC) -> Decimal:
        stops = (o for o in self.open(symbol) if not o.buy and o.type == "stop")
        return sum((o.remaining(Decimal(1)) for o in stops), Decimal(0))

    def cash(self) -> Decimal:
        return self.server.call(lambda exchange: exchange._state.ledger.cash)

    def price(self, symbol: str = BTC) -> Decimal:
        return self.server.call(lambda exchange: exchange._state.ledger.prices[symbol])

    def client_fees(self) -> Decimal:
        """What the venue charged for our orders, by its own listing."""
        listing = self.venue.orders_since(self.server.now - timedelta(days=3_000))
        ours = (order for order in listing.orders if self.core.sync.client_id(order.id) is not None)
        return sum((order.fees for order in ours if order.fees), Decimal(0))

    def faults(self) -> list[str]:
        """What must not be, at the venue and in the journal."""
        found = []
        for symbol in (BTC, ETH):
            if (bare := self.protectable(symbol) - self.stopped(symbol)) > 0:
                found.append(f"{bare} {symbol} are without a stop")
            ours = self.positions.book.quantity(symbol)
            if ours != self.held(symbol):
                found.append(f"the journal has {ours} {symbol}, the venue {self.held(symbol)}")
        names = Counter(o.client_order_id for o in self.orders())
        found += [f"{name} is there {count} times" for name, count in names.items() if count > 1]
        if self.halts.halted(self.clock.now()):
            found.append(f"halted: {self.halts.halted(self.clock.now())}")
        return found

    def close(self) -> None:
        with suppress(Exception):
            self.journal.close()


def scripted_day(scene: KrakenScene) -> None:
    """What a desk does, once: entries whole, in parts and not at all, a stop moved, stop, target, exit."""
    scene.enter(BTC, 100)
    scene.settle(2)
    scene.adjust("tighten", BTC, stop=89_000.0)
    scene.settle(2)
    scene.step(1, BTC="94000")
    scene.settle(4)
    scene.server.faults.venue.partial_fill_frac = 1.0
    scene.enter(ETH, 200)
    scene.settle(3)
    scene.server.faults.venue.partial_fill_frac = 0.0
    for _ in range(3):
        scene.step(20)
    scene.settle(4)
    scene.step(1, ETH="2900")
    scene.settle(3)
    scene.enter(BTC, 100)
    scene.settle(2)
    scene.adjust("exit", BTC)
    scene.settle(5)
    scene.pass_time(1, BTC="91000")
    scene.enter(BTC, 60)
    scene.settle(3)
    scene.step(130)
    scene.settle(2)
