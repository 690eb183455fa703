"""Empties the venue of orders, sells dust, and takes unknown symbols out of the local state; says what it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.alpaca.client import VenueClient
from brokers.alpaca.errors import VenueError
from brokers.alpaca.listing_validation import position_of
from brokers.alpaca.listings import VenueOrder, flat
from brokers.alpaca.payloads import Json, amount, digits, single
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.reconcile.position_adjustments import MANUAL
from brokers.desk.venue_state import Floor
from brokers.journal import Journal, State
from brokers.journal.states import FINAL
from config import Settings

PAUSE_S = 0.1
POLL_S = 0.5
AGAIN_S = 3.0
DEADLINE_S = 30.0
DUST_USD = Decimal(1)


@dataclass(slots=True)
class Pace:
    """Keeps calls that change something apart; time can be handed in."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _last: float = -PAUSE_S

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Around a call: begins it no earlier than the pause after the one before ended."""
        self.sleep(max(0.0, self._last + PAUSE_S - self.clock()))
        try:
            yield
        finally:
            self._last = self.clock()

    def done_by(self, done: Callable[[], bool], seconds: float = DEADLINE_S) -> bool:
        """Whether ``done`` becomes true in time."""
        end = self.clock() + seconds
        while not done():
            if self.clock() >= end:
                return False
            self.sleep(POLL_S)
        return True


@dataclass(frozen=True, slots=True)
class Group:
    """Open orders that end together: one of them by its id, and all of them in words."""

    id: str
    told: str
    leaving: bool


@dataclass(slots=True)
class Cleanup:
    """One cleanup of an account.

    Parameters
    ----------
    client : VenueClient
    say : callable
        Is told each action before it happens.
    floor : Floor or None
        Orders, cancels and books; without it nothing is changed.
    pace : Pace
    """

    client: VenueClient
    say: Callable[[str], None]
    floor: Floor | None
    pace: Pace = field(default_factory=Pace)
    _asked: dict[str, float] = field(default_factory=dict)

    def cancel_all(self) -> bool:
        """Cancel every open order and wait until the venue has none left; False if some are."""
        if self.floor is None:
            for group in self._groups():
                self.say(f"would cancel {group.told}")
            return True
        if self.pace.done_by(self._none_left):
            return True
        self.say("orders are still open at the venue after the time there was; run this again")
        return False

    def sell_dust(self, is_open: bool) -> bool:
        """Sell positions worth less than a dollar, where the venue takes that; False if one was not settled."""
        settled = True
        for raw in self._positions():
            worth, held = abs(amount(raw, "market_value")), abs(amount(raw, "qty"))
            if not held or worth >= DUST_USD:
                continue
            if raw.get("market_value") in (None, ""):
                self.say(f"left: {digits(held)} {raw['symbol']}, the venue does not say what they are worth")
                continue
            what = f"{digits(held)} {raw['symbol']}, worth {worth:.2f} USD"
            if why := self._unsellable(raw, held, is_open):
                self.say(f"dust left: {what}: {why}")
            elif self.floor is None:
                self.say(f"would sell dust: {what}")
            else:
                self.say(f"sell dust: {what}")
                settled &= self._sell(self.floor, raw, held)
        return settled

    def _none_left(self) -> bool:
        try:
            groups = self._groups()
            for group in groups:
                if not group.leaving and self.pace.clock() - self._asked.get(group.id, -AGAIN_S) >= AGAIN_S:
                    self._cancel(group)
        except VenueError as error:
            self.say(f"the venue does not answer ({error}); trying on")
            return False
        return not groups

    def _cancel(self, group: Group) -> None:
        assert self.floor is not None
        self._asked[group.id] = self.pace.clock()
        self.say(f"cancel {group.told}")
        with self.pace.apart():
            taken = self.floor.counter.cancel(group.id)
        if not taken:
            self.say(f"the venue did not take the cancel of {group.id}; looking whether it is still open")

    def _groups(self) -> list[Group]:
        """One open order of each group, as the venue lists it, and how many others go with it."""
        raws = self.client.open_orders()
        orders = flat(raws)
        found: dict[str, Group] = {}
        for raw in raws:
            name = str(raw.get("id") or "")
            order = orders.get(name)
            if order is None:
                # A cancel needs nothing but its id; one without stays, and is told as still open in the end.
                found[name] = Group(name, f"an order that cannot be read ({name or 'without an id'})", leaving=not name)
                continue
            members = sum(other.group == order.group and other.open for other in orders.values())
            if order.open:
                found.setdefault(order.group, Group(order.id, _order(order, members - 1), order.leaving))
        return list(found.values())

    def _positions(self) -> list[Json]:
        return [row for row in map(position_of, self.client.positions()) if row is not None]

    def _unsellable(self, raw: Json, held: Decimal, is_open: bool) -> str:
        """Why the venue would not take the sale; empty if it would."""
        asset = self.client.asset(str(raw["symbol"]))
        if asset is None or asset.get("tradable") is False:
            return "the venue does not trade it"
        if held % 1 and asset.get("fractionable") is False:
            return "the venue takes whole shares of it only"
        return "" if is_open else "the market is closed; run this again when it is open"

    def _sell(self, floor: Floor, raw: Json, held: Decimal) -> bool:
        symbol = str(raw["symbol"])
        if not self.pace.done_by(lambda: self._released(symbol)):
            self.say(f"the venue does not release the shares of {symbol}; run this again")
            return False
        adopt(floor, symbol)
        # A remnant is sold whole, so that it is its own lot.
        floor.counter.limits.lot = float(held)
        side = "buy" if raw.get("side") == "short" else "sell"
        payload = single(symbol, side, float(held), None)
        try:
            with self.pace.apart():
                # In the books a hand did it: what is left may be a hand's shares, ours, or both.
                placed = floor.place(payload, MANUAL, floor.now, reason="dust, sold by the cleanup")
        except OrderRefused as refused:
            self.say(f"dust left: {symbol}: {refused.code}")
            return True

        def over() -> bool:
            floor.look(account=False)
            return floor.journal.order(placed.client_order_id).state in FINAL

        if self.pace.done_by(over) and floor.journal.order(placed.client_order_id).state is State.FILLED:
            self.say(f"sold {digits(held)} {symbol}")
            return True
        self.say(f"the sale of {symbol} is {floor.journal.order(placed.client_order_id).state}; run this again")
        return False

    def _released(self, symbol: str) -> bool:
        found = [raw for raw in self._positions() if raw["symbol"] == symbol]
        return all(abs(amount(raw, "qty_available")) >= abs(amount(raw, "qty")) for raw in found)


def adopt(floor: Floor, symbol: str) -> None:
    """Enter a hand's shares of a symbol, so that a sale of them adds up."""
    for order in floor.view.strangers:
        if order.symbol == symbol and order.filled > 0:
            floor.books.adopt_manual(order)
    floor.add_up()
    difference = floor.view.held(symbol) - floor.own.total(symbol)
    if difference and not floor.unresolved(symbol):
        price = amount(floor.view.positions[symbol], "avg_entry_price")
        floor.books.note_difference(symbol, difference, price, floor.now, "found at the venue without an order")
        floor.add_up()


def floor_of(client: VenueClient, journal: Journal, settings: Settings) -> Floor:
    """A floor whose counter is the client's only door; it sends exits only, so it needs no quotes."""
    floor = Floor(client, journal, settings, client.clock, lambda symbols: {}, settings.strategy, client.budget)
    client.trading.admit, client.trading.urgent = floor.counter.admits, floor.counter.urgent
    floor.add_up()
    return floor


def _order(order: VenueOrder, legs: int) -> str:
    price = order.limit_price or order.stop_price
    at = f" at {digits(price)}" if price else ""
    filled = f", {digits(order.filled)} filled" if order.filled else ""
    others = f", and {legs} that goes with it" if legs == 1 else f", and {legs} that go with it" if legs else ""
    return f"{order.side} {digits(order.quantity)} {order.symbol} {order.type}{at}{filled}{others} ({order.id})"
