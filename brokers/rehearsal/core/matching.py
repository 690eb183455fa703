"""Which orders a move of the price executes, and at which price.

A move is a jump (quote, opening of a bar: nothing between the two prices was traded) or a walk (inside a bar:
every price between was). In a jump an order executes at the new price, which on a gap is worse than a stop; in
a walk at the first price that reaches it. A bar is walked open, first extreme, other extreme, close. Which
extreme comes first is the one that hurts: the low for a long position, the high for a short; without a
position the high where a buy rests (bought on the way down, stopped out further down), else the low.

A bar of hours has more than four prices: with ``VenueSettings.price_every`` a long bar is walked in many small
steps (:func:`winding`), so that an order which rests near the price is reached as it would be. Without a position and
without an order nobody is hurt by either, and the extreme nearer the open comes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from random import Random

from brokers.rehearsal.core.hours import Phase
from brokers.rehearsal.core.ledger import VenueLedger
from brokers.rehearsal.core.lifecycle import Lifecycle, waits_behind
from brokers.rehearsal.core.model import TRAILING, ZERO, Asset, Bar, Order

STOPS = frozenset({"stop", "stop_limit", "trailing_stop", "trailing_stop_limit"})
TRIGGERED = STOPS | {"take_profit", "take_profit_limit"}
"""Kinds that wait for a price: a stop for one that hurts, a take-profit for one that pleases."""
LIMITED = frozenset({"stop_limit", "take_profit_limit", "trailing_stop_limit"})
AT_ONCE = frozenset({"ioc", "fok"})
SHORT_BAR = timedelta(minutes=15)
"""Up to this length open, extremes and close are all of a bar's prices."""
ONE = Decimal(1)
Levels = tuple[Decimal, Decimal, Decimal]


def touch(order: Order, start: Decimal, end: Decimal, half_spread: Decimal) -> Decimal | None:
    """First last-price between ``start`` and ``end`` at which the order executes or triggers; None if none does.

    Buys execute on the ask and sells on the bid; stops trigger on the last price.
    """
    if order.type in TRIGGERED and not order.triggered:
        level, rising = order.stop_price, order.buy == (order.type in STOPS)
    elif order.limit_price is None:
        return start
    else:
        rising = not order.buy
        level = order.limit_price + half_spread if rising else order.limit_price - half_spread
    if level is None:
        return None
    if start >= level if rising else start <= level:
        return start
    if end >= level if rising else end <= level:
        return level
    return None


def low_first(position: Decimal, buy_rests: bool) -> bool:
    """Whether a bar is walked to its low before its high."""
    return position > 0 or (position == 0 and not buy_rests)


def winding(bar: Bar, levels: Levels, steps: int, asset: Asset, chance: Random) -> list[Decimal]:
    """The prices of a long bar after its open.

    A random walk through both extremes and the close: as restless as one that has this range in so many steps, folded
    back where it would leave the range, on the asset's grid.

    Parameters
    ----------
    bar : Bar
    levels : tuple of Decimal
        First extreme, second extreme, close.
    steps : int
        How many prices, three at least; the last one is the close.
    asset : Asset
        Whose grid the prices lie on.
    chance : Random
        Where it turns; only ``random`` is asked, which gives the same numbers in every version of Python.

    Returns
    -------
    list of Decimal
        All within low to high, both of which are among them or were the open.
    """
    # Extremes lie near the ends more often than in the middle (arcsine law).
    places = sorted(1 + int(math.sin(chance.random() * math.pi / 2) ** 2 * (steps - 2)) for _ in range(2))
    first = min(places[0], steps - 2)
    knots = (0, first, max(places[1], first + 1), steps)
    low, span = float(bar.low), float(bar.high - bar.low)
    # A random walk's range is 1.6 of its deviation at the end; evenly spread steps deviate by a root of twelve.
    restless = span / 1.6 / math.sqrt(steps) * math.sqrt(12)
    path: list[Decimal] = []
    for (left, right), (start, end) in zip(pairwise(knots), pairwise((bar.open, *levels)), strict=True):
        length = right - left
        walk = list(accumulate((chance.random() - 0.5) * restless for _ in range(length)))
        for step in range(1, length):
            share = step / length
            price = float(start) + share * (float(end) - float(start)) + walk[step - 1] - share * walk[-1]
            off = (price - low) % (2 * span) if span else 0.0
            inside = Decimal(repr(low + min(off, 2 * span - off)))
            tick = asset.tick_at(inside)
            path.append(min(max((inside / tick).quantize(ONE) * tick, bar.low), bar.high))
        path.append(end)
    return path


class Matcher:
    """Applies price moves to the open orders of a symbol."""

    def __init__(self, life: Lifecycle) -> None:
        self._life = life
        self._state = life.state

    def steps(self, length: timedelta) -> int:
        """How many prices a bar of that length is walked to after its open."""
        every = self._state.settings.price_every
        return max(length // every, 3) if every and length > SHORT_BAR else 3

    def path(self, symbol: str, bar: Bar, time: datetime, steps: int) -> Sequence[Decimal]:
        """The prices that a bar which opens at ``time`` is walked to after its open."""
        position = self._state.ledger.quantity(symbol)
        buy_rests = any(o.buy for o in self._state.open_orders(symbol))
        low_comes_first = low_first(position, buy_rests)
        if steps > 3 and not position and not buy_rests:
            low_comes_first = bar.open - bar.low <= bar.high - bar.open
        levels = (bar.low, bar.high, bar.close) if low_comes_first else (bar.high, bar.low, bar.close)
        if steps == 3:
            return levels
        chance = Random(f"{symbol} {time.isoformat()} {self._state.settings.seed}")
        return winding(bar, levels, steps, self._state.assets[symbol], chance)

    def move(self, symbol: str, start: Decimal, end: Decimal) -> None:
        """Let the price go from ``start`` to ``end``; equal for a jump or for a second look at a price.

        An order that filled in part waits for the next move with the rest.
        """
        ledger = self._state.ledger
        here, tried = start, set[str]()
        while True:
            self._price(symbol, here)
            reached = [
                (abs(at - here), order.type not in STOPS, order.sequence, at, order)
                for order in self._matchable(symbol)
                if order.id not in tried
                and (at := touch(order, here, end, _half_spread(ledger, order, here))) is not None
            ]
            if not reached:
                break
            # Nearest first, a stop before a limit at the same price, then the older.
            _, _, _, here, order = min(reached, key=lambda entry: entry[:3])
            self._price(symbol, here)
            self._execute(order, here, tried)
        self._price(symbol, end)
        for order in self._matchable(symbol):
            order.rested = True
            if order.type in TRAILING and not order.triggered:
                order.follow(end)
        ledger.priced_at[symbol] = self._state.now

    def _price(self, symbol: str, price: Decimal) -> None:
        self._state.ledger.prices[symbol] = price
        self._state.ledger.priced_at[symbol] = self._state.now

    def _matchable(self, symbol: str) -> list[Order]:
        """Open orders that may trade in the present phase of the day."""
        phase = self._state.phase
        if phase is Phase.CLOSED:
            return []
        return [
            order
            for order in self._state.open_orders(symbol)
            if (phase is Phase.REGULAR or order.extended_hours)
            and (order.resumes is None or order.resumes <= self._state.now)
            and order.auction != "close"
            and (order.works or _guards(order))
            and not self._sticks(order)
        ]

    def _sticks(self, order: Order) -> bool:
        how = self._life.faults.stops_stick
        return bool(how) and order.type in STOPS and (order.triggered or how == "untriggered")

    def _execute(self, order: Order, last: Decimal, tried: set[str]) -> None:
        if order.type in TRIGGERED and not order.triggered:
            self._life.trigger(order)
            if order.type in LIMITED or self._sticks(order):
                # Seen again at this price, now as a limit, by the loop that called.
                return
        bid, ask = self._state.ledger.bid_ask(last, order.asset)
        # An auction has one price for both sides.
        price = last if order.auction else self._life.fill_price(order, ask if order.buy else bid)
        if not order.fits(price):
            return
        wanted = order.remaining(price)
        allowed = self._life.closable(order, wanted)
        if allowed <= 0 or (allowed < wanted and order.time_in_force == "fok"):
            self._life.end(order, "canceled")
            return
        qty = allowed if order.time_in_force == "fok" else self._life.faults.part(allowed, order.asset.lot)
        if qty < wanted:
            tried.add(order.id)
            order.resumes = self._state.now + self._life.faults.partial_pause
        self._life.fill(order, qty, price)
        if qty == allowed < wanted:
            self._life.end(order, "canceled")

    def end_at_once_orders(self, symbol: str) -> None:
        """Cancel what is left of orders that had to execute at once."""
        for order in self._matchable(symbol):
            if order.time_in_force in AT_ONCE or order.auction:
                self._life.end(order, "canceled")


def _half_spread(ledger: VenueLedger, order: Order, price: Decimal) -> Decimal:
    """How far bid and ask lie from the price for this order; an auction has one price for both sides."""
    return ZERO if order.auction else ledger.half_spread(price, order.asset)


def _guards(order: Order) -> bool:
    """A stop that waits behind a working take-profit watches the price all the same."""
    group = order.group
    return waits_behind(order) and order.role == "stop_loss" and group is not None and group.armed
