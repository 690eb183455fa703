"""Keeps every share of ours behind a working stop, and no exit without its share."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from brokers.desk.execution.backoff import Waits, elapsed
from brokers.desk.execution.exit_levels import LevelKeeper, Levels
from brokers.desk.execution.exit_terms import ExitTerms
from brokers.desk.execution.last_stop import ended_stop, last_stop
from brokers.desk.execution.order_gateway import OrderGateway, OrderRefused
from brokers.desk.execution.refused_protection import Circumstances, RefusedProtections
from brokers.desk.execution.remnants import Remnants
from brokers.desk.execution.sale_check import Successors, irreplaceable
from brokers.desk.execution.stand_ins import StandIns
from brokers.desk.execution.stop_changes import StopChanges, smallest
from brokers.desk.execution.surplus import fewest
from brokers.desk.execution.unprotected_log import UnprotectedLog
from brokers.desk.reconcile.order_ownership import orphaned_manual_exits
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.reconcile.protection_status import ProtectionStatus, protection_status
from brokers.desk.reconcile.stale_listings import LISTED_WITHIN
from brokers.desk.venue_state import VenueState
from brokers.order_types import TimeInForce, VenueReason
from brokers.quantities import MATTERS_USD, NOTHING, digits, whole_lots
from brokers.venue_values import VenueOrder
from config import Settings
from config.values.counting import COINS, unit_of
from risk.model import Adjustment, Position

UNANSWERED = timedelta(seconds=2)
"""An order without an answer delays protection no longer: the venue never lets the same shares be sold twice."""
PATIENCE = timedelta(seconds=30)
"""How long a cancel or shares on their way back are waited for before things go on without them."""
ENDING = timedelta(seconds=3)
"""How long shares that filled in part wait for the end of their entry, whose exits would come on top of their own."""
RESIZE = timedelta(seconds=5)
"""How long the venue may take to resize a stop after its target has filled in part."""
FAR_FRAC = 0.1
"""A new stop of shares that were split, which lies so far beyond the market, is one of the old shares."""
NOBODY = "there is no position"

log = logging.getLogger(__name__)


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
        self._renew_days = settings.live.protection.renew_days
        self._close_at_once = leave
        self._keeper = LevelKeeper(state, positions, settings.live.protection)
        self._terms = ExitTerms(state, self._lot)
        self._refused = RefusedProtections(state)
        self._stops = StopChanges(state, positions, gateway, self._refused, self._leave)
        self._stand_ins = StandIns(
            *(state, positions, gateway, self._terms, self._keeper, self._stops),
            settings.live.close.through_frac,
            self._leave,
        )
        self._remnants = Remnants(state, positions, leave)
        self._waits = Waits(lambda: state.now)
        self._cancelling: set[str] = set()
        self._successors, self._tidier = Successors(state), Successors(state, irreplaceable)
        self.log = UnprotectedLog(lambda: state.now)

    def tend(self, symbol: str, keep: Decimal | None = None) -> None:
        """One step towards a stop for each of our whole shares; ``keep`` where fewer are to stay."""
        self._cancelling.discard(symbol)
        held, whole, can_go, protection = self.measure(symbol)
        self._remnants.see(symbol, abs(held) - whole)
        self._remnants.ask_least(symbol, Decimal(0) if whole else whole_lots(abs(held), self._lot))
        for order in orphaned_manual_exits(symbol, self._state.view, self._positions.book, self._positions.ownership):
            why = f"it is for more shares than were bought by hand, {digits(abs(held))} are ours" if held else NOBODY
            self._end(order, f"sent by hand, {why}")
        if not held:
            self._waits.forget(symbol)
            self._refused.forget(symbol)
            self._stops.forget(symbol)
            self._remnants.forget(symbol)
            for order in protection.groups.values():
                self._end(order, NOBODY)
            return
        if not whole and 0 < protection.protected <= abs(held):
            # What is left of an exit that fills goes on: the venue would not take another one of its size.
            return
        if not whole and keep is None:
            self._remnants.sell(symbol, held)
        if self._something_ends(symbol, protection):
            self._cancelling.add(symbol)
            return
        if self._just_sent(symbol):
            return
        self._keeper.see(self._positions.book.ledger.positions[symbol], protection)
        want = whole if keep is None else min(whole, whole_lots(keep, self._lot))
        missing = want - protection.protected
        if missing > 0:
            missing = max(Decimal(0), min(want, can_go) - protection.protected)
        lagging = missing < 0 and protection.lagging == -missing
        if self._waits.goes_on(symbol, "resize", lagging, RESIZE):
            return
        if missing > 0 and not self._stops.left(symbol, missing):
            self._place(symbol, held, missing, protection)
        elif missing < 0:
            for order in self._surplus(protection, -missing):
                self._end(order, f"exits for {digits(protection.protected)}, {digits(want)} of ours")
        elif (stop := self._stops.to_be_joined(protection)) is not None:
            self._end(stop, "one stop is to stand for several", replaced=True)
        else:
            self._renew(protection)

    def _there(self, symbol: str, held: Decimal) -> Decimal:
        """How many of our shares the venue has, at most.

        Coins that went without an order of ours are ours until that is certain: meanwhile those that are left wait for
        nothing, and no stop is for more than them. Shares follow their orders a moment later, and come.
        """
        view = self._state.view
        if not held or unit_of(symbol) != COINS or not view.complete:
            return abs(held)
        return max(Decimal(0), view.held(symbol) if held > 0 else -view.held(symbol))

    def measure(self, symbol: str) -> tuple[Decimal, Decimal, Decimal, ProtectionStatus]:
        """Measure what is without a stop, by the last look and by what was told since; send nothing.

        Returns our shares, how many of them a stop can be for, how many of those are there now, and what protects them.
        """
        held, protection = self._positions.book.quantity(symbol), self._positions.protection(symbol)
        whole = self._terms.can_rest(symbol, abs(held))
        there = min(abs(held), self._there(symbol, held))
        can_go = whole if there == abs(held) else self._terms.can_rest(symbol, there)
        counted = can_go or self._too_little(symbol, there)
        # What is left, as too little for a stop, counts as if it had one.
        left = self._stops.left(symbol, counted - protection.protected)
        protected = counted if left else protection.protected
        self.log.see(
            symbol,
            counted,
            protected,
            lambda: last_stop(symbol, self._positions),
            too_few=not can_go,
            doubted=symbol in self._state.view.doubted,
        )
        return held, whole, can_go, protection

    def _too_little(self, symbol: str, held: Decimal) -> Decimal:
        """Whole lots that no stop of ours may be for, as the venue's least quantity is above them, and that matter.

        What is worth less is the rest of a sale, and no position without its stop.
        """
        return whole_lots(held, self._lot) if held * self._state.view.price(symbol) >= MATTERS_USD else Decimal(0)

    def see(self, symbol: str) -> None:
        """Measure what is without a stop while the journal cannot be used, and send nothing.

        What is ours is what the venue holds beside shares by hand, so that fills that were not booked count; and a stop
        by hand counts, since nobody can replace it by one of ours.
        """
        view, book = self._state.view, self._positions.book
        there, sign = view.held(symbol), -1 if book.quantity(symbol) < 0 else 1
        held = max(Decimal(0), sign * (there - book.manual.get(symbol, Decimal(0))))
        counted = self._terms.can_rest(symbol, held)
        by_any = counted - abs(there) + protection_status(view.orders.values(), symbol, there).protected
        protected = max(self._positions.protection(symbol).protected, by_any)
        self.log.see(symbol, counted, protected, lambda: ended_stop(symbol, self._positions))

    def tighten(self, change: Adjustment, time: datetime) -> None:
        """Move the resting stops of a position, each for itself; never away from the market."""
        position = self._positions.book.ledger.positions.get(change.symbol)
        if position is None or change.stop is None:
            return
        protection = self._positions.protection(change.symbol)
        self._keeper.see(position, protection)
        sign = 1 if position.quantity > 0 else -1
        levels, quote = self.levels(position), self._state.quote(change.symbol)
        stop = self._terms.stop_on_tick(change.stop, change.symbol, sign)
        prices = [] if quote.problem else quote.prices

        def beyond(price: float) -> str:
            return self._terms.passed(change.symbol, Levels(price, sign * math.inf), prices, sign)

        if beyond(stop) and not beyond(change.stop):
            # The rounding alone would sell what nobody decided to sell: a tick farther is less.
            stop = self._terms.stop_on_tick(change.stop, change.symbol, -sign)
        if not sign * (stop - levels.stop) > 0:
            return
        if self._in_old_shares(position, stop, prices):
            # Left at market for a level of the old shares, it would be sold for a split.
            log.warning("%s: its stop stays, %s: %s is far beyond the market", change.symbol, change.code, stop)
            return
        if beyond(stop):
            self._leave(change.symbol, f"{change.code}; the market has passed the new stop {stop}")
            return
        for order in protection.stops:
            # One part's stop may lie nearer already, where it was moved by hand.
            # One that has filled in part was triggered, and is left to sell the rest.
            if not order.filled and sign * (stop - float(order.stop_price)) > 0:
                self._stops.move(order, stop, change.code, time, levels)

    def _in_old_shares(self, position: Position, stop: float, prices: Collection[float]) -> bool:
        """Whether a new stop seems to be of before a split of the position's shares."""
        symbol, sign = position.symbol, 1 if position.quantity > 0 else -1
        if not self._positions.split_since(symbol, position.entry_time):
            return False
        known = prices or [price for price in [self._positions.present_price(symbol)] if price]
        return bool(known) and all(sign * (stop - price) > FAR_FRAC * price for price in known)

    def levels(self, position: Position) -> Levels:
        """Stop and target of a position as they are now or were last."""
        return self._keeper.of(position)

    def relearn(self, symbol: str) -> None:
        """Take a symbol's levels from the journal again: those remembered are in shares from before a split."""
        self._keeper.forget(symbol)

    @property
    def cancelling(self) -> frozenset[str]:
        """Symbols in which something was cancelled, is ending or stands in, so that the next step has to look."""
        return frozenset(self._cancelling)

    @property
    def refused(self) -> bool:
        """Whether shares are without a stop whose protection was refused."""
        return bool(self._refused and self.log.present)

    def _just_sent(self, symbol: str) -> bool:
        now, unresolved = self._state.now, self._positions.unresolved(symbol)
        return any(not elapsed(now, order.journaled_at, UNANSWERED) for order in unresolved)

    def _something_ends(self, symbol: str, protection: ProtectionStatus) -> bool:
        """Whether to wait for exits that are being cancelled, or for an entry whose exits would fight new ones."""
        pending = [order for order in (*protection.exits, *protection.entries) if order.cancel_pending]
        waits = self._waits.goes_on(symbol, "cancel", bool(pending), PATIENCE)
        for order in pending if not waits else ():
            self._end(order, f"asked {PATIENCE.seconds} s ago and still there")
        # Until the venue says that an entry has ended, its rest may fill, and then its own exits protect all of it.
        part = any(entry.filled for entry in protection.entries)
        return self._waits.goes_on(symbol, "ending", part, ENDING) or (waits and protection.cancel_pending)

    def _place(self, symbol: str, held: Decimal, missing: Decimal, protection: ProtectionStatus) -> None:
        available = self._positions.free(symbol)
        if available < missing:
            self._clear_the_way(symbol, protection)
        if self._waits.goes_on(symbol, "shares", available < missing, PATIENCE):
            return
        if available < missing and not (missing := whole_lots(available, self._lot)):
            return
        self._send(symbol, held, missing, protection)

    def put_back(self, symbol: str) -> None:
        """A stop for shares whose exit has ended by a confirmed cancel, before a look has shown them free."""
        held, protection = self._positions.book.quantity(symbol), self._positions.protection(symbol)
        freed = self._state.view.known(self._state.view.freed[symbol].orders)
        cannot_rest = abs(held) - self._terms.can_rest(symbol, abs(held))
        by_group = {order.group: order.quantity - order.filled for order in freed}
        missing = min(self._positions.untaken(symbol, freed) - cannot_rest, sum(by_group.values(), Decimal(0)))
        if held and missing > 0 and not self._just_sent(symbol):
            self._send(symbol, held, missing, protection)

    def _send(self, symbol: str, held: Decimal, missing: Decimal, protection: ProtectionStatus) -> None:
        """Place what is missing: by a stop of its own, or by one that rests."""
        levels, entry = self.levels(self._positions.book.ledger.positions[symbol]), self._positions.book.entries[symbol]
        sign = 1 if held > 0 else -1
        what = self._circumstances(symbol, missing, levels, sign)
        if self._refused.pauses(symbol, what):
            return
        if (stop := self._stops.to_be_raised(symbol, missing, levels, protection)) is not None:
            if self._stops.may_be_raised(symbol):
                self._stops.raise_quantity(stop, missing, entry.decision_time, what)
            elif not protection.entries and not self._gateway.nothing_follows:
                # While the entry still fills what is missing may become enough by itself.
                why = f"{digits(missing)} more are too little for a stop of their own"
                smaller = smallest([o for o in protection.stops if not o.filled])
                self._end(smaller, why, replaced=True, more=missing)
            return
        request, role = self._terms.request(symbol, sign, missing, levels)
        try:
            self._gateway.place(request, role, entry.decision_time, parent=entry.client_order_id, reason="protection")
        except OrderRefused as refusal:
            held_by_order = refusal.venue is not None and refusal.venue.reason is VenueReason.SHARES_HELD
            if held_by_order and (doubted := self._in_doubt(symbol)) is not None:
                told = "%s: an order holds its shares: %s, whose cancel has no answer, rests still"
                log.warning(told, symbol, _terms(doubted))
                self._state.view.end_doubt(symbol)
                return
            level = logging.WARNING if self._refused.add(symbol, what, refusal) else logging.DEBUG
            told = "%s: %s %s without a stop, protection refused: %s"
            log.log(level, told, symbol, missing, unit_of(symbol, missing), refusal.code)
            if why := self._passed(symbol, levels, refusal, sign):
                self._leave(symbol, why)
            if not self._stand_ins.place(symbol, sign, missing, levels, refusal):
                return
        self._refused.forget(symbol)
        self._state.view.freed.pop(symbol, None)

    def _in_doubt(self, symbol: str) -> VenueOrder | None:
        """An exit whose cancel has no answer, and of which the venue has told no end; of several a stop."""
        view = self._state.view
        names = view.doubted[symbol].orders if symbol in view.doubted else ()
        there = (order for order in view.known(names) if order.open)
        return max(there, key=lambda order: order.is_stop, default=None)

    def back_to_levels(self, symbol: str) -> None:
        """Take a stop that stands in for the one of its position back to its level, or leave the position."""
        if self._stand_ins.standing_in(symbol):
            self._cancelling.add(symbol)
        self._stand_ins.back_to_levels(symbol, partial(self._end, replaced=True))

    def _circumstances(self, symbol: str, missing: Decimal, levels: Levels, sign: int) -> Circumstances:
        beyond = self._terms.passed(symbol, levels, [float(self._state.view.price(symbol))], sign)
        return missing, levels.stop, levels.target, self._state.in_session, bool(beyond)

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
        if (base := refusal.venue.market_price) is not None:
            beyond = f"the venue's price {base} is beyond the stop {levels.stop} or the target {levels.target}"
            return self._terms.passed(symbol, levels, [float(base)], sign) or beyond
        quote = self._state.quote(symbol)
        return "" if quote.problem else self._terms.passed(symbol, levels, quote.prices, sign)

    def _clear_the_way(self, symbol: str, protection: ProtectionStatus) -> None:
        """Cancel exits without a stop that hold the shares; just after a fill their stop may not be listed yet."""
        filled = self._positions.book.moved.get(symbol)
        if filled is not None and abs(self._state.now - filled) < LISTED_WITHIN:
            return
        if self._state.view.account.blocked:
            return
        stopped = {order.group for order in protection.exits if order.is_stop}
        for order in protection.exits:
            if order.is_stop or order.group in stopped:
                continue
            # Where no stop could follow, it is the only exit that there can be.
            if self._successors.possible(symbol, order.remaining, _terms(order)):
                self._end(order, "it holds shares that need a stop")

    def _surplus(self, protection: ProtectionStatus, excess: Decimal) -> list[VenueOrder]:
        """The fewest exits to cancel so that what stays protects the position, and no share more.

        Where no groups add up to ``excess``, shares that lose their stop by it get it back with the next step, and
        are as few as can be. Where no order could follow, no share loses its stop.
        """
        quantities, at_most = protection.by_group, self._gateway.nothing_follows
        groups = fewest(quantities, excess, at_most=at_most)
        if sum((quantities[group] for group in groups), Decimal(0)) > excess:
            first = protection.groups[groups[0]]
            if not self._successors.possible(first.symbol, first.remaining, _terms(first)):
                groups = fewest(quantities, excess, at_most=True)
        return [protection.groups[group] for group in groups]

    def _end(self, order: VenueOrder, why: str, *, replaced: bool = False, more: Decimal = NOTHING) -> None:
        """Cancel an order; one that is to be ``replaced`` stays while the other could not follow.

        It protects already, so that it waits for the venue's word that it takes orders, and for a journal that can be
        written. The other one is for so many ``more``.
        """
        if replaced and not self._tidier.possible(order.symbol, order.remaining + more, _terms(order)):
            return
        log.warning("%s: cancelling %s, %s", order.symbol, _terms(order), why)
        if replaced:
            self._gateway.make_way([order.id])
        else:
            self._gateway.cancel(order.id)
        self._cancelling.add(order.symbol)

    def _renew(self, protection: ProtectionStatus) -> None:
        """Exits near the end of their life are cancelled one at a time; the next step places them anew.

        In the regular session only: at other times the venue may not take them back until the next one. Not where no
        order could follow.
        """
        if not self._state.in_session or self._gateway.nothing_follows:
            return
        soon = self._state.now + timedelta(days=self._renew_days)
        for order in protection.exits:
            if order.expires is not None and order.expires < soon and order.time_in_force == TimeInForce.GTC:
                self._end(order, f"to be renewed, it would end on {order.expires.date()}", replaced=True)
                return


def _terms(order: VenueOrder) -> str:
    price = order.stop_price if order.is_stop else order.limit_price
    return f"{order.side} {order.type} of {order.remaining} at {price or 'market'}"
