"""Plays a path of the market over the present book: exits fill as in a backtest, halts are the rules' own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from backtests.research.shock.paths import MarketDay, ShockPath
from backtests.research.shock.present import Held, PresentBook
from brokers.backtest.fills import Kind, Ticket, at_open, fee, within
from brokers.desk_rules import Halts, halting
from config.schema import Fills
from market.bars import FIELDS
from market.features import ALWAYS
from market.market import Market
from risk.interface import RiskModule
from risk.model import Book, ClosedTrade, Position, floor_lot
from strategies.pipeline import later, strictest

LEAST_PRICE = 0.01
SESSION = timedelta(hours=6, minutes=30)


@dataclass(frozen=True, slots=True)
class ShockExit:
    """Shares that left in a session, 1 is the first; ``why`` is stop, target or a rule, ``usd`` the result from now."""

    session: int
    label: str
    symbol: str
    quantity: float
    price: float
    why: str
    usd: float


@dataclass(frozen=True, slots=True)
class ShockHalt:
    """A rule that stops entries, from a session on."""

    session: int
    label: str
    rule: str
    sessions: int


@dataclass(slots=True)
class ShockResult:
    """The book through a path; USD. ``curve`` is equity at each close, the present one before it.

    ``lowest`` is the least equity of any session, at the market's low. ``held_through`` is equity at the end if
    nothing had been sold. ``unplayed`` names rules that read indicators, of which a path has none.
    """

    path: ShockPath
    equity: float
    curve: list[float]
    lowest: float
    held_through: float
    exits: list[ShockExit] = field(default_factory=list)
    halts: list[ShockHalt] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unplayed: tuple[str, ...] = ()

    @property
    def change(self) -> float:
        """Equity at the end against now, a fraction."""
        return self.curve[-1] / self.equity - 1

    @property
    def worst(self) -> float:
        """The least equity against now, a fraction."""
        return self.lowest / self.equity - 1


def play(present: PresentBook, path: ShockPath) -> ShockResult:
    """Apply a path to the present book; nothing new is bought, and fills cost what the settings say."""
    return _Play(present, path).run()


class _Play:
    def __init__(self, present: PresentBook, path: ShockPath) -> None:
        self.present, self.path = present, path
        self.fills: Fills = present.settings.fills
        self.lot = present.settings.sizing.lot
        self.held = {h.position.symbol: h for h in present.held}
        self.positions = {h.position.symbol: h.position for h in present.held}
        self.price = {h.position.symbol: h.price for h in present.held}
        self.cash = present.equity - sum(h.position.quantity * h.price for h in present.held)
        self.loose = {**self.price}
        self.closed = list(present.closed)
        self.realised = {h.position.symbol: 0.0 for h in present.held}
        self.halters = [m for m in present.chain if type(m).halts is not RiskModule.halts]
        managers = [m for m in present.chain if type(m).manage is not RiskModule.manage]
        self.managers = [m for m in managers if set(m.needs()) <= set(ALWAYS)]
        self.halts = Halts(present.equity_peak, dict(present.halted))
        self.rows: list[np.ndarray] = []
        self.result = ShockResult(
            path,
            present.equity,
            [present.equity],
            present.equity,
            0.0,
            unplayed=tuple(m.name for m in managers if m not in self.managers),
        )

    def run(self) -> ShockResult:
        for number, day in enumerate(self.path.days, 1):
            self._session(number, day)
        result = self.result
        result.left = sorted(self.positions)
        kept = sum(h.position.quantity * (self.loose[s] - h.price) for s, h in self.held.items())
        result.held_through = self.present.equity + kept
        return result

    def _session(self, number: int, day: MarketDay) -> None:
        opening = self.result.curve[-1]
        self.halts.open_session(self.halters, opening)
        bars = {symbol: self._bar(held, self.price[symbol], day, number) for symbol, held in self.held.items()}
        if self.rows:
            self._manage(number, day, opening, {symbol: bar[0] for symbol, bar in bars.items()})
        for symbol in list(self.positions):
            self._exits(number, day, symbol, bars[symbol])
        # At one moment every price is where the market's is: at its low a hedge stands high.
        moments = [{symbol: bar[k] for symbol, bar in bars.items()} for k in (1, 2, 3)]
        equities = [self._equity(prices) for prices in moments]
        lowest = min(equities)
        self.result.lowest = min(self.result.lowest, lowest)
        book = self._book(number, lowest, opening)
        for module in list(halting(self.halters, book, self.halts.left)):
            self.halts.begin(module, book.time, self.present.settings.pace.market)
            self.result.halts.append(ShockHalt(number, day.label, module.name, module.halt_sessions))
        for symbol, bar in bars.items():
            self.price[symbol] = bar[3]
            loose = self._bar(self.held[symbol], self.loose[symbol], day, number)
            self.loose[symbol] = loose[3]
        self._remember(bars)
        self.halts.see(equities[-1])
        self.result.curve.append(equities[-1])

    def _bar(self, held: Held, before: float, day: MarketDay, number: int) -> tuple[float, float, float, float]:
        """Price at the market's open, high, low and close."""
        moves = [held.slope * move for move in (day.open, day.high, day.low, day.close)]
        if number == 1 and held.sector in self.path.sectors:
            moves = [self.path.sectors[held.sector]] * 4
        first, second, third, last = (max(LEAST_PRICE, before * (1 + move)) for move in moves)
        return first, second, third, last

    def _manage(self, number: int, day: MarketDay, opening: float, opens: dict[str, float]) -> None:
        """What the rules do to what is held, decided on the sessions before and done at the open."""
        book, market = self._book(number, opening, opening), self._market(number)
        if not book.positions:
            return
        for change in strictest(a for m in self.managers for a in m.manage(book, market) if later(a, book, market)):
            position = self.positions.get(change.symbol)
            if position is None:
                continue
            if change.kind == "tighten":
                self.positions[change.symbol] = replace(position, stop=change.stop or position.stop)
                continue
            held = abs(position.quantity)
            wanted = held if change.kind == "exit" else min(held, floor_lot(change.quantity, self.lot))
            sale = Ticket(Kind.MARKET, buy=position.quantity < 0)
            price = at_open(sale, opens[change.symbol], self.fills)
            self._leave(number, day, position, wanted, price, change.module, partial=change.kind == "partial")

    def _exits(self, number: int, day: MarketDay, symbol: str, bar: tuple[float, float, float, float]) -> None:
        """Stop and target of a position in a session; where both were reached, the stop."""
        position = self.positions[symbol]
        covered = min(position.protected_quantity, abs(position.quantity))
        if covered <= 0:
            return
        buy = position.quantity < 0
        orders = [
            (why, Ticket(kind, buy, limit=level, stop=level))
            for why, kind, level in (("stop", Kind.STOP, position.stop), ("target", Kind.LIMIT, position.target))
            if math.isfinite(level)
        ]
        high, low = max(bar), min(bar)
        prices = [(why, at_open(order, bar[0], self.fills)) for why, order in orders]
        prices += [(why, within(order, high, low, bar[3], self.fills)) for why, order in orders]
        for why, price in prices:
            if math.isfinite(price):
                self._leave(number, day, position, covered, price, why)
                return

    def _leave(
        self,
        number: int,
        day: MarketDay,
        position: Position,
        quantity: float,
        price: float,
        why: str,
        *,
        partial: bool = False,
    ) -> None:
        if not quantity > 0:
            return
        symbol, sign = position.symbol, math.copysign(1.0, position.quantity)
        cost = fee(self.fills, quantity, price)
        self.cash += sign * quantity * price - cost
        now = self.held[symbol].price
        self.result.exits.append(
            ShockExit(number, day.label, symbol, sign * quantity, price, why, sign * quantity * (price - now) - cost)
        )
        self.realised[symbol] += sign * quantity * (price - position.entry_price) - cost
        rest = position.quantity - sign * quantity
        if abs(rest) > self.lot * 1e-9:
            bare = max(0.0, position.protected_quantity - quantity)
            self.positions[symbol] = replace(
                position, quantity=rest, protected_quantity=bare, partial_taken=position.partial_taken or partial
            )
            return
        del self.positions[symbol]
        won = self.realised[symbol]
        time = self._time(number)
        self.closed.append(ClosedTrade(symbol, position.entry_time, time, won, math.nan, position.role))

    def _equity(self, prices: dict[str, float]) -> float:
        return self.cash + sum(p.quantity * prices[s] for s, p in self.positions.items())

    def _book(self, number: int, equity: float, opening: float) -> Book:
        return Book(
            time=self._time(number),
            equity=equity,
            cash=self.cash,
            positions=self.positions,
            session_open_equity=opening,
            equity_peak=self.halts.peak,
            closed_trades=self.closed,
            halted=frozenset(self.halts.left),
            last_halts=self.halts.began,
        )

    def _time(self, number: int) -> datetime:
        return self.present.time + timedelta(days=number)

    def _remember(self, bars: dict[str, tuple[float, float, float, float]]) -> None:
        names = list(self.held)
        # What moves against the market is highest at its low.
        rows = [[bars[s][0], max(bars[s]), min(bars[s]), bars[s][3], 0.0] for s in names]
        # A book without positions has rows without columns.
        self.rows.append(np.array(rows, dtype=float).reshape(len(names), len(FIELDS)).T)
        for symbol, position in list(self.positions.items()):
            bar = bars[symbol]
            best = max(position.best_price, *bar) if position.quantity > 0 else min(position.best_price, *bar)
            self.positions[symbol] = replace(position, best_price=best)

    def _market(self, number: int) -> Market:
        """The sessions so far; volume is not known."""
        names: Sequence[str] = tuple(self.held)
        stacked = np.stack(self.rows)
        columns = {name: stacked[:, k] for k, name in enumerate(FIELDS)}
        columns |= {"mark": columns["close"], "usable": np.ones_like(columns["close"], dtype=bool)}
        begins = np.array([self._time(k).timestamp() for k in range(1, number)])
        return Market(
            time=self._time(number),
            row=len(self.rows) - 1,
            symbols=names,
            index={symbol: k for k, symbol in enumerate(names)},
            columns=columns,
            sectors={symbol: held.sector for symbol, held in self.held.items()},
            times=np.stack([begins, begins + SESSION.total_seconds()]),
        )
