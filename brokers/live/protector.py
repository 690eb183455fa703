"""Keeps every share of ours behind a working stop, and no exit without its share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.journal import JournalOrder
from brokers.live.counter import OrderRefused
from brokers.live.cover import Cover
from brokers.live.floor import Floor
from brokers.live.orders import VenueOrder
from brokers.live.payloads import digits, exits, price_text
from risk.model import Adjustment, Position

VENUE_GAP = 0.01
RETRY = timedelta(seconds=5)
UNANSWERED = timedelta(seconds=2)
"""An order without an answer delays protection no longer: the venue never lets the same shares be sold twice."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which shares were not behind a stop; ``until`` None while it lasts."""

    symbol: str
    since: datetime
    until: datetime | None
    why: str


@dataclass(slots=True)
class Levels:
    """Where a position's exits belong, USD."""

    stop: float
    target: float


@dataclass(slots=True)
class Protector:
    """Places what is missing, cancels what is too much, renews what would end.

    Parameters
    ----------
    floor : Floor
    leave : callable
        Closes a position whose stop or target the market has passed: symbol and reason.
    """

    floor: Floor
    leave: Callable[[str, str], None]
    spells: list[Spell] = field(default_factory=list)
    _levels: dict[str, Levels] = field(default_factory=dict)
    _naked: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _not_before: dict[str, datetime] = field(default_factory=dict)

    def tend(self, symbol: str, keep: Decimal | None = None) -> None:
        """One step towards a stop for each of our shares; ``keep`` where fewer are to stay."""
        held = self.floor.own.quantity(symbol)
        cover = self.floor.cover(symbol)
        want = abs(held) if keep is None else min(abs(held), keep)
        self._note(symbol, abs(held) - cover.protected)
        if not held:
            self._forget(symbol, cover)
            return
        if cover.leaving or self._just_sent(symbol):
            return
        if any(entry.filled and not entry.leaving for entry in cover.entries):
            return  # The entry is being ended first; its own exits would fight new ones for the shares.
        self._remember(symbol, cover)
        missing = want - cover.protected
        if missing > 0:
            self._place(symbol, held, missing, cover)
        elif missing < 0:
            self._cancel(cover, f"exits for {cover.protected}, {want} held")
        else:
            self._renew(cover)

    def tighten(self, change: Adjustment, time: datetime) -> None:
        """Move the resting stops of a position; never away from the market."""
        position = self.floor.own.ledger.positions.get(change.symbol)
        if position is None or change.stop is None:
            return
        cover = self.floor.cover(change.symbol)
        self._remember(change.symbol, cover)
        sign = 1 if position.quantity > 0 else -1
        stop = float(price_text(change.stop))
        if not sign * (stop - self.levels(position).stop) > 0:
            return
        quote = self.floor.quote(change.symbol)
        if not quote.problem and sign * (float(quote.bid if sign > 0 else quote.ask) - stop) < VENUE_GAP:
            self.leave(change.symbol, f"{change.code}; the market has passed the new stop {stop}")
            return
        for order in cover.stops:
            self._move(order, stop, change.code, time)

    def levels(self, position: Position) -> Levels:
        """Stop and target of a position as they are now or were last."""
        symbol = position.symbol
        if symbol not in self._levels:
            entry = self.floor.own.entries[symbol]
            stop = self.floor.journal.last_exit_price(symbol, "stop", entry.journaled_at)
            known = Levels(float(stop) if stop else position.stop, position.target)
            self._levels[symbol] = _complete(known, position, self.floor)
        return self._levels[symbol]

    @property
    def naked(self) -> dict[str, str]:
        """Symbols with shares that no stop covers now, and why."""
        return {symbol: why for symbol, (_, why) in dict(self._naked).items()}

    def _just_sent(self, symbol: str) -> bool:
        return any(self.floor.now - order.journaled_at < UNANSWERED for order in self.floor.unresolved(symbol))

    def _place(self, symbol: str, held: Decimal, missing: Decimal, cover: Cover) -> None:
        floor = self.floor
        now = floor.now
        if now < self._not_before.get(symbol, now):
            return
        position = floor.own.ledger.positions[symbol]
        levels = self.levels(position)
        quote = floor.quote(symbol)
        sign = 1 if held > 0 else -1
        if not quote.problem and (passed := _passed(levels, float(quote.bid if sign > 0 else quote.ask), sign)):
            self.leave(symbol, passed)
            return
        if floor.view.available(symbol) < missing and self._in_the_way(symbol, cover):
            return
        entry = floor.own.entries[symbol]
        payload = exits(symbol, "sell" if held > 0 else "buy", float(missing), levels.stop, levels.target)
        try:
            floor.place(payload, "target", entry.decision_time, parent=entry.client_order_id, reason="protection")
        except OrderRefused as refusal:
            log.warning("%s: %s shares without a stop, protection refused: %s", symbol, missing, refusal.code)
            self._not_before[symbol] = floor.now + RETRY
            base = refusal.venue.body.get("base_price") if refusal.venue else None
            if base is not None:
                self.leave(symbol, f"the venue's price {base} is beyond the stop {levels.stop} or {levels.target}")

    def _in_the_way(self, symbol: str, cover: Cover) -> bool:
        """Cancel exits without a stop that hold the shares; True if there are any or shares are on their way back."""
        blocking = [order for order in cover.exits if not order.is_stop and order.group not in _stopped(cover)]
        for order in blocking:
            log.warning("%s: cancelling %s, it holds shares that need a stop", symbol, _told(order))
            self.floor.counter.cancel(order.id)
        return True

    def _forget(self, symbol: str, cover: Cover) -> None:
        """Nothing is held: whatever would still sell is an orphan."""
        self._levels.pop(symbol, None)
        self._not_before.pop(symbol, None)
        if self.floor.view.held(symbol):
            return  # A hand's position, with a hand's exits.
        for order in cover.groups.values():
            if not self._entry_alive(order, cover):
                log.warning("%s: cancelling %s, there is no position", symbol, _told(order))
                self.floor.counter.cancel(order.id)

    @staticmethod
    def _entry_alive(order: VenueOrder, cover: Cover) -> bool:
        return any(entry.group == order.group for entry in cover.entries)

    def _cancel(self, cover: Cover, why: str) -> None:
        for order in cover.groups.values():
            log.warning("%s: cancelling %s, %s", order.symbol, _told(order), why)
            self.floor.counter.cancel(order.id)

    def _renew(self, cover: Cover) -> None:
        """Exits near the end of their life are cancelled one at a time; the next step places them anew."""
        soon = self.floor.now + timedelta(days=self.floor.settings.live.protection.renew_days)
        for order in cover.exits:
            if order.ends is not None and order.ends < soon and order.raw.get("time_in_force") == "gtc":
                log.info("%s: renewing %s, it would end on %s", order.symbol, _told(order), order.ends.date())
                self.floor.counter.cancel(order.id)
                return

    def _move(self, order: VenueOrder, stop: float, why: str, time: datetime) -> None:
        floor = self.floor
        name = floor.books.client_id(order.id)
        parent = floor.journal.order(name).parent_id if name else ""
        intent = floor.intent(
            order.symbol, order.side, order.remaining, "stop", "stop", time, stop=stop, parent=parent, reason=why
        )
        try:
            moved: JournalOrder = floor.counter.replace(order.id, intent, {"stop_price": price_text(stop)})
        except OrderRefused as refusal:
            log.warning("%s: the stop stays at %s: %s", order.symbol, order.stop_price, refusal.code)
            return
        log.info("%s: stop moved from %s to %s (%s); %s", order.symbol, order.stop_price, stop, moved.state, why)
        self._levels[order.symbol].stop = stop

    def _remember(self, symbol: str, cover: Cover) -> None:
        """What works at the venue is where the levels are, also after a hand moved them."""
        position = self.floor.own.ledger.positions[symbol]
        levels = self.levels(position)
        stops = [float(order.stop_price) for order in cover.stops if order.stop_price]
        if stops:
            levels.stop = min(stops) if position.quantity > 0 else max(stops)

    def _note(self, symbol: str, missing: Decimal) -> None:
        """Keep the times in which shares were without a stop."""
        if missing > 0 and symbol not in self._naked:
            self._naked[symbol] = (self.floor.now, f"{digits(missing)} shares without a working stop")
        elif missing <= 0 and symbol in self._naked:
            since, why = self._naked.pop(symbol)
            self.spells.append(Spell(symbol, since, self.floor.now, why))


def _stopped(cover: Cover) -> set[str]:
    """Groups with a stop in them."""
    return {order.group for order in cover.exits if order.is_stop}


def _passed(levels: Levels, price: float, sign: int) -> str:
    """What the market has left behind, in words; empty if the price is between stop and target."""
    if sign * (price - levels.stop) < VENUE_GAP:
        return f"STOP_PASSED: {price} is at or beyond the stop {levels.stop}"
    if sign * (levels.target - price) < VENUE_GAP:
        return f"TARGET_PASSED: {price} is at or beyond the target {levels.target}"
    return ""


def _complete(known: Levels, position: Position, floor: Floor) -> Levels:
    """Levels by the settings where a position has none of its own."""
    rule, sign = floor.settings.live.protection, 1 if position.quantity > 0 else -1
    price = position.entry_price
    return Levels(
        stop=float(price_text(price * (1 - sign * rule.stop_frac))) if math.isnan(known.stop) else known.stop,
        target=float(price_text(price * (1 + sign * rule.target_frac))) if math.isnan(known.target) else known.target,
    )


def _told(order: VenueOrder) -> str:
    price = order.stop_price if order.is_stop else order.limit_price
    return f"{order.side} {order.type} of {order.remaining} at {price or 'market'}"
