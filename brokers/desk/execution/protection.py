"""Keeps every share of ours behind a working stop, and no exit without its share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from brokers.desk.execution.backoff import Backoff, elapsed
from brokers.desk.execution.exit_levels import LevelKeeper, Levels, passed
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.order_requests import exits, stop_on_tick, stop_only
from brokers.desk.execution.unprotected_log import UnprotectedLog
from brokers.desk.reconcile.order_ownership import orphaned_manual_exits
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.protection_status import ProtectionStatus
from brokers.desk.venue_state import VenueState
from brokers.journal import JournalOrder, OrderIntent
from brokers.order_types import LEVEL_ROLES, OrderRole, OrderType, Resting, Side, TimeInForce, VenueReason
from brokers.quantities import digits, exact, nearest, whole_lots
from brokers.venue_requests import OrderChange, OrderRequest
from brokers.venue_values import VenueOrder
from config import Settings
from risk.model import Adjustment, Position

FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_UNPROTECTED_PAUSE_S = 2.0, 60.0, 8.0
"""Between two attempts to place protection that is refused; the last in the session, in which stops are triggered."""
UNANSWERED = timedelta(seconds=2)
"""An order without an answer delays protection no longer: the venue never lets the same shares be sold twice."""
PATIENCE = timedelta(seconds=30)
"""How long a cancel or shares on their way back are waited for before things go on without them."""
ENDING = timedelta(seconds=3)
"""How long shares that filled in part wait for the end of their entry, whose exits would come on top of their own."""
RESIZE = timedelta(seconds=5)
"""How long the venue may take to resize a stop after its target has filled in part."""
JOIN_AFTER = timedelta(seconds=15)
"""How old stops have to be before several become one: a cancel of a younger one counts more at a venue."""
REMNANT = timedelta(minutes=10)
"""Between two attempts to sell what is left of a share."""
NOBODY = "there is no position"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefusedProtection:
    """Protection that was refused, and what tells it from any other."""

    circumstances: tuple[object, ...]
    backoff: Backoff


class Protector:
    """Places what is missing, cancels what is too much, renews what would end.

    It needs no quote to place exits: the venue knows its own price, and refuses what the market has passed. Stops are
    triggered in the regular session only, so outside it no price is a reason to leave a position.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    gateway : OrderGateway
    settings : Settings
    leave : callable
        Closes a position whose stop or target the market has passed: symbol and reason.

    Attributes
    ----------
    log : UnprotectedLog
    """

    def __init__(
        self,
        state: VenueState,
        positions: OwnPositions,
        gateway: OrderGateway,
        settings: Settings,
        leave: Callable[[str, str], None],
    ) -> None:
        self._state = state
        self._positions = positions
        self._gateway = gateway
        self._lot = settings.sizing.lot
        self._through = settings.live.close.through_frac
        self._renew_days = settings.live.protection.renew_days
        self._close_at_once = leave
        self._keeper = LevelKeeper(state, positions, settings.live.protection)
        self._waits_since: dict[tuple[str, str], datetime] = {}
        self._remnants: dict[str, Decimal] = {}
        self._refused: dict[str, RefusedProtection] = {}
        self._cancelling: set[str] = set()
        self._never_raised: set[str] = set()
        """Symbols in whose position the venue has refused to raise a stop."""
        self.log = UnprotectedLog(lambda: state.now)

    def tend(self, symbol: str, keep: Decimal | None = None) -> None:
        """One step towards a stop for each of our whole shares; ``keep`` where fewer are to stay."""
        self._cancelling.discard(symbol)
        held, protection = self._positions.book.quantity(symbol), self._positions.protection(symbol)
        whole = self._can_rest(symbol, abs(held))
        self.log.see(symbol, whole - protection.protected, lambda: self._last_stop(symbol))
        self._log_remnant(symbol, abs(held) - whole)
        for order in orphaned_manual_exits(symbol, self._state.view, self._positions.book, self._positions.ownership):
            why = f"it is for more shares than were bought by hand, {digits(abs(held))} are ours" if held else NOBODY
            self._end(order, f"sent by hand, {why}")
        if not held:
            self._waits_since = {key: since for key, since in self._waits_since.items() if key[0] != symbol}
            self._refused.pop(symbol, None)
            self._never_raised.discard(symbol)
            for order in protection.groups.values():
                self._end(order, NOBODY)
            return
        if not whole and keep is None:
            if 0 < protection.protected <= abs(held):
                # What is left of an exit that fills goes on: the venue would not take another one of its size.
                return
            self._leave_remnant(symbol, held)
        if self._something_ends(symbol, protection):
            self._cancelling.add(symbol)
            return
        if self._just_sent(symbol):
            return
        self._keeper.see(self._positions.book.ledger.positions[symbol], protection)
        want = whole if keep is None else min(whole, whole_lots(keep, self._lot))
        missing = want - protection.protected
        lagging = missing < 0 and protection.lagging == -missing
        if self._waits(symbol, "resize", lagging, RESIZE):
            return
        if missing > 0:
            self._place(symbol, held, missing, protection)
        elif missing < 0:
            for order in self._surplus(protection, -missing):
                self._end(order, f"exits for {digits(protection.protected)}, {digits(want)} held")
        elif not self._join(protection):
            self._renew(protection)

    def tighten(self, change: Adjustment, time: datetime) -> None:
        """Move the resting stops of a position, each for itself; never away from the market."""
        position = self._positions.book.ledger.positions.get(change.symbol)
        if position is None or change.stop is None:
            return
        protection = self._positions.protection(change.symbol)
        self._keeper.see(position, protection)
        sign = 1 if position.quantity > 0 else -1
        levels, quote = self.levels(position), self._state.quote(change.symbol)
        stop = self._stop_on_tick(change.stop, change.symbol, sign)
        prices = [] if quote.problem else quote.prices
        gap, away = self._gap_of(change.symbol), sign * math.inf
        if passed(Levels(stop, away), prices, sign, gap) and not passed(Levels(change.stop, away), prices, sign, gap):
            # The rounding alone would sell what nobody decided to sell: a tick farther is less.
            stop = self._stop_on_tick(change.stop, change.symbol, -sign)
        if not sign * (stop - levels.stop) > 0:
            return
        if passed(Levels(stop, away), prices, sign, gap):
            self._leave(change.symbol, f"{change.code}; the market has passed the new stop {stop}")
            return
        for order in protection.stops:
            # One part's stop may lie nearer already, where it was moved by hand.
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

    def _just_sent(self, symbol: str) -> bool:
        now, unresolved = self._state.now, self._positions.unresolved(symbol)
        return any(not elapsed(now, order.journaled_at, UNANSWERED) for order in unresolved)

    def _something_ends(self, symbol: str, protection: ProtectionStatus) -> bool:
        """Whether to wait for exits that are being cancelled, or for an entry whose exits would fight new ones."""
        pending = [order for order in (*protection.exits, *protection.entries) if order.cancel_pending]
        waits = self._waits(symbol, "cancel", bool(pending), PATIENCE)
        for order in pending if not waits else ():
            self._end(order, f"asked {PATIENCE.seconds} s ago and still there")
        # Until the venue says that an entry has ended, its rest may fill, and then its own exits protect all of it.
        part = any(entry.filled for entry in protection.entries)
        return self._waits(symbol, "ending", part, ENDING) or (waits and protection.cancel_pending)

    def _waits(self, symbol: str, what: str, there: bool, most: timedelta) -> bool:
        """Whether to wait for something: while it is there, but no longer than ``most`` at a time."""
        if not there:
            self._waits_since.pop((symbol, what), None)
            return False
        now = self._state.now
        if not elapsed(now, self._waits_since.setdefault((symbol, what), now), most):
            return True
        self._waits_since[symbol, what] = now
        return False

    def _place(self, symbol: str, held: Decimal, missing: Decimal, protection: ProtectionStatus) -> None:
        available = self._state.view.available(symbol)
        if available < missing:
            self._clear_the_way(symbol, protection)
        if self._waits(symbol, "shares", available < missing, PATIENCE):
            return
        if available < missing and not (missing := whole_lots(available, self._lot)):
            return
        levels, entry = self.levels(self._positions.book.ledger.positions[symbol]), self._positions.book.entries[symbol]
        sign = 1 if held > 0 else -1
        what = self._circumstances(symbol, missing, levels, sign)
        if self._pauses(symbol, what):
            return
        if (stop := self._to_be_raised(symbol, missing, levels, protection)) is not None:
            if symbol not in self._never_raised:
                self._raise(stop, missing, entry.decision_time, what)
            elif not protection.entries and not self._gateway.shutting_down:
                # While the entry still fills what is missing may become enough by itself.
                smallest = min(protection.stops, key=lambda order: (order.remaining, order.id))
                self._end(smallest, f"{digits(missing)} more are too little for a stop of their own", replaced=True)
            return
        request, role = self._exits(symbol, "sell" if held > 0 else "buy", missing, levels)
        try:
            self._gateway.place(request, role, entry.decision_time, parent=entry.client_order_id, reason="protection")
        except OrderRefused as refusal:
            log.warning("%s: %s shares without a stop, protection refused: %s", symbol, missing, refusal.code)
            self._pause(symbol, what)
            if why := self._passed(symbol, levels, refusal, sign):
                self._leave(symbol, why)
                self._place_nearest(symbol, held, missing, levels, refusal)
        else:
            self._refused.pop(symbol, None)

    def _place_nearest(
        self, symbol: str, held: Decimal, missing: Decimal, levels: Levels, refusal: OrderRefused
    ) -> None:
        """What the market has passed, and what cannot be sold now, goes behind the nearest stop that it leaves.

        At shutdown nothing is sold any more; and a sale without an outcome keeps the next one waiting for a minute.
        """
        price = refusal.venue.market_price if refusal.venue is not None else None
        waits = self._gateway.shutting_down or self._positions.unresolved(symbol)
        if not waits or price is None:
            return
        sign = 1 if held > 0 else -1
        away = self._through
        stop = self._stop_on_tick(float(price) * (1 - sign * away), symbol, sign)
        target = levels.target if sign * (levels.target - float(price)) > 0 else float(price) * (1 + sign * away)
        nearest_levels = Levels(stop, self._on_tick(target, symbol))
        request, role = self._exits(symbol, "sell" if held > 0 else "buy", missing, nearest_levels)
        entry = self._positions.book.entries[symbol]
        try:
            self._gateway.place(request, role, entry.decision_time, parent=entry.client_order_id, reason="nearest stop")
        except OrderRefused as again:
            log.warning("%s: the nearest stop %s was refused too: %s", symbol, stop, again.code)
        else:
            self._refused.pop(symbol, None)

    def _exits(self, symbol: str, side: Side, quantity: Decimal, levels: Levels) -> tuple[OrderRequest, OrderRole]:
        """The protection that this venue lets rest: a pair where it has such, else the stop by itself."""
        if Resting.OCO in self._state.rules.resting:
            return exits(symbol, side, quantity, levels.stop, levels.target), OrderRole.TARGET
        return stop_only(symbol, side, quantity, levels.stop), OrderRole.STOP

    def _can_rest(self, symbol: str, held: Decimal) -> Decimal:
        """What of a position an order that rests may be for: whole lots, as far as they are not below the minimum."""
        whole = whole_lots(held, self._lot)
        return whole if whole >= self._state.rules.least(symbol, self._state.view.price(symbol)) else Decimal(0)

    def _on_tick(self, price: float, symbol: str) -> float:
        return nearest(price, self._state.rules.tick(price, symbol))

    def _stop_on_tick(self, price: float, symbol: str, sign: int) -> float:
        """A stop on the grid, towards the market for a position of that sign."""
        side: Side = "sell" if sign > 0 else "buy"
        return float(stop_on_tick(price, side, partial(self._state.rules.tick, symbol=symbol)))

    def _gap_of(self, symbol: str) -> Callable[[float], float]:
        """How far from the market the venue wants an exit at a price to lie."""
        return partial(self._state.rules.gap, symbol=symbol)

    def _circumstances(self, symbol: str, missing: Decimal, levels: Levels, sign: int) -> tuple[object, ...]:
        """What a refusal may hang on: with any of it changed, the next attempt is a new one, and waits for nothing."""
        price, gap = float(self._state.view.price(symbol)), self._gap_of(symbol)
        return missing, levels.stop, levels.target, self._state.in_session, bool(passed(levels, [price], sign, gap))

    def _pauses(self, symbol: str, what: tuple[object, ...]) -> bool:
        """Whether the same protection was refused just now; the pause doubles from one refusal to the next."""
        refused = self._refused.get(symbol)
        longest = LONGEST_UNPROTECTED_PAUSE_S if self._state.in_session else None
        return (
            refused is not None and refused.circumstances == what and refused.backoff.pauses(self._state.now, longest)
        )

    def _pause(self, symbol: str, what: tuple[object, ...]) -> None:
        before = self._refused.get(symbol)
        if before is None or before.circumstances != what:
            before = RefusedProtection(what, Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S))
        before.backoff.failed(self._state.now)
        self._refused[symbol] = before

    def _leave(self, symbol: str, why: str) -> None:
        """Close a position whose level was passed; what a price outside the session passed, the next open decides."""
        if self._state.in_session:
            self._close_at_once(symbol, why)
        else:
            log.warning("%s: not left outside the regular session, %s", symbol, why)

    def _passed(self, symbol: str, levels: Levels, refusal: OrderRefused, sign: int) -> str:
        """Why exits were refused, if the market is beyond them; by the venue's word, or by both sides of a quote.

        One side alone is no witness: the bid of a thin quote lies wherever somebody left it.
        """
        if refusal.venue is None or not self._state.in_session:
            return ""
        gap = self._gap_of(symbol)
        if (base := refusal.venue.market_price) is not None:
            beyond = f"the venue's price {base} is beyond the stop {levels.stop} or the target {levels.target}"
            return passed(levels, [float(base)], sign, gap) or beyond
        quote = self._state.quote(symbol)
        return "" if quote.problem else passed(levels, quote.prices, sign, gap)

    def _clear_the_way(self, symbol: str, protection: ProtectionStatus) -> None:
        """Cancel exits without a stop that hold the shares."""
        stopped = {order.group for order in protection.exits if order.is_stop}
        for order in protection.exits:
            if not order.is_stop and order.group not in stopped:
                self._end(order, "it holds shares that need a stop")

    def _surplus(self, protection: ProtectionStatus, excess: Decimal) -> list[VenueOrder]:
        """The fewest exits to cancel so that what stays protects the position, and no share more.

        Where no groups add up to ``excess``, shares that lose their stop by it get it back with the next step, and
        are as few as can be. A process that ends may have no next step, so then no share loses its stop.
        """
        sums, ending = sums_of(protection.by_group), self._gateway.shutting_down
        enough = [total for total in sums if (total <= excess if ending else total >= excess)]
        best = min(enough, key=lambda total: (abs(total - excess), len(sums[total])))
        return [protection.groups[group] for group in sums[best]]

    def _end(self, order: VenueOrder, why: str, *, replaced: bool = False) -> None:
        """Cancel an order; one that is to be ``replaced`` stays while the journal could not take the other."""
        log.warning("%s: cancelling %s, %s", order.symbol, _terms(order), why)
        if replaced:
            self._gateway.make_way([order.id])
        else:
            self._gateway.cancel(order.id)
        self._cancelling.add(order.symbol)

    def _to_be_raised(
        self, symbol: str, missing: Decimal, levels: Levels, protection: ProtectionStatus
    ) -> VenueOrder | None:
        """The stop whose quantity is raised by what is missing; None where another one is placed beside those there.

        What is too little for a stop of its own goes behind one that rests. Where every fill makes a stop, what lost
        its own goes behind one at the same price.
        """
        resting = sorted((order for order in protection.stops if not order.filled), key=lambda o: (o.remaining, o.id))
        if missing < self._state.rules.least(symbol, self._state.view.price(symbol)):
            return resting[-1] if resting else None
        if Resting.ENTRY_STOP not in self._state.rules.resting or symbol in self._never_raised:
            return None
        near = self._state.rules.tick(levels.stop, symbol) / 2
        return next((o for o in reversed(resting) if abs(float(o.stop_price) - levels.stop) < near), None)

    def _raise(self, stop: VenueOrder, missing: Decimal, time: datetime, what: tuple[object, ...]) -> None:
        """Put what is missing behind a stop that rests; what it holds already stays behind it all the while."""
        symbol, total = stop.symbol, stop.quantity + missing
        why = f"{digits(missing)} more behind the stop that rests"
        intent = self._changed(stop, stop.remaining + missing, stop.stop_price, why, time)
        try:
            raised = self._gateway.replace(stop.id, intent, OrderChange(quantity=total))
        except OrderRefused as refusal:
            log.warning("%s: the stop stays for %s: %s", symbol, digits(stop.quantity), refusal.code)
            self._pause(symbol, what)
            if refusal.venue is not None:
                self._never_raised.add(symbol)
        else:
            log.info(
                "%s: stop raised from %s to %s; %s; %s", symbol, digits(stop.quantity), digits(total), raised.state, why
            )

    def _join(self, protection: ProtectionStatus) -> bool:
        """Cancel the smaller of two stops at one price: the next step raises the other; False where there are none.

        A venue that makes a stop for every fill of an entry leaves as many as there were fills. Only the shares of
        the smaller are without a stop meanwhile, as what a stop holds cannot be behind another.
        """
        if Resting.ENTRY_STOP not in self._state.rules.resting or self._gateway.shutting_down or protection.entries:
            return False
        at_price: dict[Decimal, list[VenueOrder]] = {}
        for order in protection.stops:
            young = order.created is not None and self._state.now - order.created < JOIN_AFTER
            if not (order.filled or young or order.symbol in self._never_raised):
                at_price.setdefault(order.stop_price, []).append(order)
        several = [orders for orders in at_price.values() if len(orders) > 1]
        # A raise without an answer may still come, and would lower a stop that was raised further meanwhile.
        if not several or self._positions.unresolved(several[0][0].symbol):
            return False
        smallest = min(several[0], key=lambda o: (o.remaining, o.id))
        self._end(smallest, "one stop is to stand for several", replaced=True)
        return True

    def _renew(self, protection: ProtectionStatus) -> None:
        """Exits near the end of their life are cancelled one at a time; the next step places them anew.

        In the regular session only: at other times the venue may not take them back until the next one. Not at
        shutdown, after which there may be no next step.
        """
        if not self._state.in_session or self._gateway.shutting_down:
            return
        soon = self._state.now + timedelta(days=self._renew_days)
        for order in protection.exits:
            if order.expires is not None and order.expires < soon and order.time_in_force == TimeInForce.GTC:
                self._end(order, f"to be renewed, it would end on {order.expires.date()}", replaced=True)
                return

    def _move(self, order: VenueOrder, stop: float, why: str, time: datetime, levels: Levels) -> None:
        intent = self._changed(order, order.remaining, exact(stop), why, time)
        try:
            moved: JournalOrder = self._gateway.replace(order.id, intent, OrderChange(stop_price=exact(stop)))
        except OrderRefused as refusal:
            log.warning("%s: the stop stays at %s: %s", order.symbol, order.stop_price, refusal.code)
            if refusal.venue is not None and refusal.venue.reason is VenueReason.PRICE_PASSED:
                self._leave(order.symbol, f"{why}; the venue's price has passed the new stop {stop}")
            return
        log.info("%s: stop moved from %s to %s (%s); %s", order.symbol, order.stop_price, stop, moved.state, why)
        levels.stop = stop

    def _changed(self, order: VenueOrder, remaining: Decimal, stop: Decimal, why: str, time: datetime) -> OrderIntent:
        """What the journal is to know of a stop that gets other terms."""
        name = self._positions.sync.client_id(order.id)
        return self._gateway.intent(
            order.symbol,
            order.side,
            remaining,
            OrderType.STOP,
            OrderRole.STOP,
            time,
            stop=stop,
            parent=self._positions.journal.order(name).parent_id if name else "",
            reason=why,
        )

    def _last_stop(self, symbol: str) -> str:
        """What became of the stop that was there last, in words."""
        ended = [o for o in self._state.view.orders.values() if o.symbol == symbol and o.is_stop and not o.open]
        if not ended:
            return "none has been seen yet"
        last = max(ended, key=lambda order: (order.changed is not None, order.changed))
        return f"the last one, at {digits(last.stop_price)}, is {last.status}"

    def _log_remnant(self, symbol: str, rest: Decimal) -> None:
        """Say once of a fraction that nothing protects it: the venue takes exits that rest for whole shares only."""
        if rest >= self._state.rules.fraction and rest != self._remnants.get(symbol):
            log.warning("%s: %s of a share cannot be behind a stop, orders that rest are whole", symbol, digits(rest))
        self._remnants[symbol] = rest

    def _leave_remnant(self, symbol: str, held: Decimal) -> None:
        """What is left of a share follows the whole ones where those went by stop or target."""
        entry = self._positions.book.entries[symbol].client_order_id
        gone = any(p.entry_order == entry and p.trade.exit_reason in LEVEL_ROLES for p in self._positions.book.portions)
        now = self._state.now
        tried = self._waits_since.get((symbol, "remnant"), now - REMNANT)
        if gone and now - tried >= REMNANT:
            self._waits_since[symbol, "remnant"] = now
            self._close_at_once(symbol, f"{digits(abs(held))} are left of what went by its exits")


def sums_of(quantities: Mapping[str, Decimal]) -> dict[Decimal, tuple[str, ...]]:
    """Every sum that some of the quantities add up to, with the fewest names that do; 0 with none."""
    found: dict[Decimal, tuple[str, ...]] = {Decimal(0): ()}
    for name, quantity in quantities.items():
        for total, names in list(found.items()):
            with_it = (*names, name)
            if len(with_it) < len(found.get(total + quantity, (*with_it, name))):
                found[total + quantity] = with_it
    return found


def _terms(order: VenueOrder) -> str:
    price = order.stop_price if order.is_stop else order.limit_price
    return f"{order.side} {order.type} of {order.remaining} at {price or 'market'}"
