"""Keeps every share of ours behind a working stop, and no exit without its share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.alpaca.listings import VenueOrder
from brokers.alpaca.payloads import CRUMB, amount, digits, exits, price_text, whole_lots
from brokers.desk.execution.exit_levels import LevelKeeper, Levels, passed
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.protection_status import ProtectionStatus
from brokers.desk.reconcile.order_ownership import orphaned_manual_exits
from brokers.desk.venue_state import Floor
from brokers.journal import JournalOrder
from risk.model import Adjustment, Position

LONGEST_PAUSE_S, LONGEST_BARE_PAUSE_S = 60, 8
"""Between two attempts to place protection that is refused; the latter in the session, in which stops are triggered."""
UNANSWERED = timedelta(seconds=2)
"""An order without an answer delays protection no longer: the venue never lets the same shares be sold twice."""
PATIENCE = timedelta(seconds=30)
"""How long a cancel or shares on their way back are waited for before things go on without them."""
ENDING = timedelta(seconds=3)
"""How long shares that filled in part wait for the end of their entry, whose exits would come on top of their own."""
RESIZE = timedelta(seconds=5)
"""How long the venue may take to resize a stop after its target has filled in part."""
REMNANT = timedelta(minutes=10)
"""Between two attempts to sell what is left of a share."""
NOBODY = "there is no position"
LEVEL_EXITS = ("stop", "target")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnprotectedInterval:
    """A time in which shares were not behind a stop; ``until`` None while it lasts."""

    symbol: str
    since: datetime
    until: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Protection that was refused ``times`` times in a row, last at ``time``; ``what`` tells it from any other."""

    what: tuple[object, ...]
    times: int
    time: datetime


@dataclass(slots=True)
class Protector:
    """Places what is missing, cancels what is too much, renews what would end.

    It needs no quote to place exits: the venue knows its own price, and refuses what the market has passed. Stops are
    triggered in the regular session only, so outside it no price is a reason to leave a position.

    Parameters
    ----------
    floor : Floor
    leave : callable
        Closes a position whose stop or target the market has passed: symbol and reason.
    """

    floor: Floor
    leave: Callable[[str, str], None]
    spells: list[UnprotectedInterval] = field(default_factory=list)
    _keeper: LevelKeeper = field(init=False)
    _naked: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _since: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _remnants: dict[str, Decimal] = field(default_factory=dict)
    _refused: dict[str, Refused] = field(default_factory=dict)
    _cancelling: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._keeper = LevelKeeper(self.floor)

    def tend(self, symbol: str, keep: Decimal | None = None) -> None:
        """One step towards a stop for each of our whole shares; ``keep`` where fewer are to stay."""
        self._cancelling.discard(symbol)
        held, cover = self.floor.own.quantity(symbol), self.floor.cover(symbol)
        whole = whole_lots(abs(held), self.floor.lot)
        self._note(symbol, whole - cover.protected)
        self._tell_remnant(symbol, abs(held) - whole)
        for order in orphaned_manual_exits(self.floor, symbol):
            why = f"it is for more shares than hands have, {digits(abs(held))} are ours" if held else NOBODY
            self._end(order, f"sent by hand, {why}")
        if not held:
            self._since = {key: since for key, since in self._since.items() if key[0] != symbol}
            self._refused.pop(symbol, None)
            for order in cover.groups.values():
                self._end(order, NOBODY)
            return
        if not whole and keep is None:
            self._leave_remnant(symbol, held)
        if self._something_leaves(symbol, cover):
            self._cancelling.add(symbol)
            return
        if self._just_sent(symbol):
            return
        self._keeper.see(self.floor.own.ledger.positions[symbol], cover)
        want = whole if keep is None else min(whole, whole_lots(keep, self.floor.lot))
        missing = want - cover.protected
        lagging = missing < 0 and cover.lagging == -missing
        if self._waits(symbol, "resize", lagging, RESIZE):
            return
        if missing > 0:
            self._place(symbol, held, missing, cover)
        elif missing < 0:
            for order in self._surplus(cover, -missing):
                self._end(order, f"exits for {digits(cover.protected)}, {digits(want)} held")
        else:
            self._renew(cover)

    def tighten(self, change: Adjustment, time: datetime) -> None:
        """Move the resting stops of a position, each for itself; never away from the market."""
        position = self.floor.own.ledger.positions.get(change.symbol)
        if position is None or change.stop is None:
            return
        cover = self.floor.cover(change.symbol)
        self._keeper.see(position, cover)
        sign = 1 if position.quantity > 0 else -1
        stop = float(price_text(change.stop))
        levels = self.levels(position)
        if not sign * (stop - levels.stop) > 0:
            return
        quote = self.floor.quote(change.symbol)
        if not quote.problem and passed(Levels(stop, sign * math.inf), quote.prices, sign):
            self._leave(change.symbol, f"{change.code}; the market has passed the new stop {stop}")
            return
        for order in cover.stops:
            # One part's stop may lie nearer already, where a hand moved it.
            if sign * (stop - float(order.stop_price)) > 0:
                self._move(order, stop, change.code, time, levels)

    def levels(self, position: Position) -> Levels:
        """Stop and target of a position as they are now or were last."""
        return self._keeper.of(position)

    def relearn(self, symbol: str) -> None:
        """Take a symbol's levels from the journal again: those remembered are in shares from before a split."""
        self._keeper.forget(symbol)

    @property
    def cancelling(self) -> frozenset[str]:
        """Symbols in which something was cancelled or is ending, so that the next step has to look what came of it."""
        return frozenset(self._cancelling)

    @property
    def naked(self) -> dict[str, str]:
        """Symbols with shares that no stop covers now, and why."""
        return {symbol: why for symbol, (_, why) in dict(self._naked).items()}

    def _just_sent(self, symbol: str) -> bool:
        return any(self.floor.now - order.journaled_at < UNANSWERED for order in self.floor.unresolved(symbol))

    def _something_leaves(self, symbol: str, cover: ProtectionStatus) -> bool:
        """Whether to wait for exits that are being cancelled, or for an entry whose exits would fight new ones."""
        leaving = [order for order in (*cover.exits, *cover.entries) if order.leaving]
        waits = self._waits(symbol, "leaving", bool(leaving), PATIENCE)
        for order in leaving if not waits else ():
            self._end(order, f"asked {PATIENCE.seconds} s ago and still there")
        # Until the venue says that an entry has ended, its rest may fill, and then its own exits protect all of it.
        part = any(entry.filled for entry in cover.entries)
        return self._waits(symbol, "ending", part, ENDING) or (waits and cover.leaving)

    def _waits(self, symbol: str, what: str, there: bool, most: timedelta) -> bool:
        """Whether to wait for something: while it is there, but no longer than ``most`` at a time."""
        if not there:
            self._since.pop((symbol, what), None)
            return False
        now = self.floor.now
        if now - self._since.setdefault((symbol, what), now) < most:
            return True
        self._since[symbol, what] = now
        return False

    def _place(self, symbol: str, held: Decimal, missing: Decimal, cover: ProtectionStatus) -> None:
        floor = self.floor
        available = floor.view.available(symbol)
        if available < missing:
            self._clear_the_way(symbol, cover)
        if self._waits(symbol, "shares", available < missing, PATIENCE):
            return
        if available < missing and not (missing := whole_lots(available, floor.lot)):
            return
        levels, entry = self.levels(floor.own.ledger.positions[symbol]), floor.own.entries[symbol]
        sign = 1 if held > 0 else -1
        what = self._circumstances(symbol, missing, levels, sign)
        if self._pauses(symbol, what):
            return
        payload = exits(symbol, "sell" if held > 0 else "buy", float(missing), levels.stop, levels.target)
        try:
            floor.place(payload, "target", entry.decision_time, parent=entry.client_order_id, reason="protection")
        except OrderRefused as refusal:
            log.warning("%s: %s shares without a stop, protection refused: %s", symbol, missing, refusal.code)
            before = self._refused.get(symbol)
            times = before.times + 1 if before is not None and before.what == what else 1
            self._refused[symbol] = Refused(what, times, floor.now)
            if why := self._passed(symbol, levels, refusal, sign):
                self._leave(symbol, why)
        else:
            self._refused.pop(symbol, None)

    def _circumstances(self, symbol: str, missing: Decimal, levels: Levels, sign: int) -> tuple[object, ...]:
        """What a refusal may hang on: with any of it changed, the next attempt is a new one, and waits for nothing."""
        price = float(amount(self.floor.view.positions.get(symbol, {}), "current_price"))
        return missing, levels.stop, levels.target, self.floor.in_session, bool(passed(levels, [price], sign))

    def _pauses(self, symbol: str, what: tuple[object, ...]) -> bool:
        """Whether the same protection was refused just now; the pause doubles from one refusal to the next."""
        refused = self._refused.get(symbol)
        if refused is None or refused.what != what:
            return False
        most = LONGEST_BARE_PAUSE_S if self.floor.in_session else LONGEST_PAUSE_S
        return self.floor.now - refused.time < timedelta(seconds=min(2**refused.times, most))

    def _leave(self, symbol: str, why: str) -> None:
        """Close a position whose level was passed; what a price outside the session passed, the next open decides."""
        if self.floor.in_session:
            self.leave(symbol, why)
        else:
            log.warning("%s: not left outside the regular session, %s", symbol, why)

    def _passed(self, symbol: str, levels: Levels, refusal: OrderRefused, sign: int) -> str:
        """Why exits were refused, if the market is beyond them; by the venue's word, or by both sides of a quote.

        One side alone is no witness: the bid of a thin quote lies wherever somebody left it.
        """
        if refusal.venue is None or not self.floor.in_session:
            return ""
        if (base := refusal.venue.body.get("base_price")) is not None:
            told = f"the venue's price {base} is beyond the stop {levels.stop} or the target {levels.target}"
            return passed(levels, [float(base)], sign) or told
        quote = self.floor.quote(symbol)
        return "" if quote.problem else passed(levels, quote.prices, sign)

    def _clear_the_way(self, symbol: str, cover: ProtectionStatus) -> None:
        """Cancel exits without a stop that hold the shares."""
        stopped = {order.group for order in cover.exits if order.is_stop}
        for order in cover.exits:
            if not order.is_stop and order.group not in stopped:
                self._end(order, "it holds shares that need a stop")

    def _surplus(self, cover: ProtectionStatus, excess: Decimal) -> list[VenueOrder]:
        """The fewest exits to cancel so that what stays protects the position, and no share more.

        Where no groups add up to ``excess``, shares that lose their stop by it get it back with the next step, and
        are as few as can be. A process that ends may have no next step, so then no share loses its stop.
        """
        covered = sums_of(cover.by_group)
        enough = [total for total in covered if (total <= excess if self.floor.counter.leaving else total >= excess)]
        best = min(enough, key=lambda total: (abs(total - excess), len(covered[total])))
        return [cover.groups[group] for group in covered[best]]

    def _end(self, order: VenueOrder, why: str) -> None:
        log.warning("%s: cancelling %s, %s", order.symbol, _told(order), why)
        self.floor.counter.cancel(order.id)
        self._cancelling.add(order.symbol)

    def _renew(self, cover: ProtectionStatus) -> None:
        """Exits near the end of their life are cancelled one at a time; the next step places them anew.

        In the regular session only: at other times the venue may not take them back until the next one. Not while the
        process ends, which may have no next step.
        """
        if not self.floor.in_session or self.floor.counter.leaving:
            return
        soon = self.floor.now + timedelta(days=self.floor.settings.live.protection.renew_days)
        for order in cover.exits:
            if order.ends is not None and order.ends < soon and order.raw.get("time_in_force") == "gtc":
                self._end(order, f"to be renewed, it would end on {order.ends.date()}")
                return

    def _move(self, order: VenueOrder, stop: float, why: str, time: datetime, levels: Levels) -> None:
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
            if refusal.venue is not None and "base_price" in refusal.venue.body:
                self._leave(order.symbol, f"{why}; the venue's price has passed the new stop {stop}")
            return
        log.info("%s: stop moved from %s to %s (%s); %s", order.symbol, order.stop_price, stop, moved.state, why)
        levels.stop = stop

    def _note(self, symbol: str, missing: Decimal) -> None:
        """Keep the times in which whole shares were without a stop."""
        if missing > 0 and symbol not in self._naked:
            self._naked[symbol] = (self.floor.now, f"{digits(missing)} shares without a working stop")
        elif missing <= 0 and symbol in self._naked:
            since, why = self._naked.pop(symbol)
            self.spells.append(UnprotectedInterval(symbol, since, self.floor.now, why))

    def _tell_remnant(self, symbol: str, rest: Decimal) -> None:
        """Say once of a fraction that nothing protects it: the venue takes exits that rest for whole shares only."""
        if rest >= CRUMB and rest != self._remnants.get(symbol):
            log.warning("%s: %s of a share cannot be behind a stop, orders that rest are whole", symbol, digits(rest))
        self._remnants[symbol] = rest

    def _leave_remnant(self, symbol: str, held: Decimal) -> None:
        """What is left of a share follows the whole ones where those went by stop or target."""
        entry = self.floor.own.entries[symbol].client_order_id
        gone = any(p.entry_order == entry and p.trade.exit_reason in LEVEL_EXITS for p in self.floor.own.portions)
        now = self.floor.now
        tried = self._since.get((symbol, "remnant"), now - REMNANT)
        if gone and now - tried >= REMNANT:
            self._since[symbol, "remnant"] = now
            self.leave(symbol, f"{digits(abs(held))} are left of what went by its exits")


def sums_of(quantities: Mapping[str, Decimal]) -> dict[Decimal, tuple[str, ...]]:
    """Every sum that some of the quantities add up to, with the fewest names that do; 0 with none."""
    found: dict[Decimal, tuple[str, ...]] = {Decimal(0): ()}
    for name, quantity in quantities.items():
        for total, names in list(found.items()):
            with_it = (*names, name)
            if len(with_it) < len(found.get(total + quantity, (*with_it, name))):
                found[total + quantity] = with_it
    return found


def _told(order: VenueOrder) -> str:
    price = order.stop_price if order.is_stop else order.limit_price
    return f"{order.side} {order.type} of {order.remaining} at {price or 'market'}"
