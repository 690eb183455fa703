"""Takes what the venue shows of orders into the journal, each thing once, and finds out whose an order is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.desk.reconcile.corporate_actions import adjusted
from brokers.desk.reconcile.order_comparison import Contradiction, Misplaced, differs, is_moved, level_of, reason_of
from brokers.desk.reconcile.position_adjustments import PositionAdjustment
from brokers.desk.venue_snapshot import grouped, in_words
from brokers.journal import Cumulative, Execution, Journal, JournalConflict, JournalOrder, OrderIntent, State
from brokers.journal.fills import FillReport
from brokers.journal.order_ids import has_our_form
from brokers.journal.states import FINAL
from brokers.order_types import LEVEL_ROLES, OPENING_ROLES, OrderRole
from brokers.reporting.events import EventKind, about
from brokers.venue_values import NEVER, OrderAck, TradeUpdate, UnreadOrder, VenueOrder
from config.errors import Refusal
from config.values.counting import COINS, unit_of

log = logging.getLogger(__name__)

TAKEN_BACK = "what was concluded from a difference is taken back"
CENT = Decimal("0.01")
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Relations:
    """What tells an unknown order as ours: names that wait for an id, and an order of ours by group."""

    planned: frozenset[str]
    groups: dict[str, str]


class JournalSync:
    """Books the venue's word on our orders, their legs and replacements.

    Parameters
    ----------
    journal : Journal
    strategy : str
        Name that adopted orders go by.
    now : callable
        The present time.
    disbelieved : set of str, optional
        Is kept: the venue's ids of orders of ours that it shows as something else than what was sent.
    """

    def __init__(
        self, journal: Journal, strategy: str, now: Callable[[], datetime], disbelieved: set[str] | None = None
    ) -> None:
        self.journal = journal
        self.strategy = strategy
        self._now = now
        self._ours = journal.venue_ids()
        self._told: dict[str, tuple[object, ...]] = {}
        self.disbelieved: set[str] = set() if disbelieved is None else disbelieved
        self.alarms: list[Contradiction] = []
        """Answers to requests that told of something else than what was sent, since the last look."""
        self._manual: dict[str, datetime | None] = {}
        self._by_hand: set[str] = set()
        """The venue's ids of orders that were sent by hand and are in the journal all the same."""
        self._known = len(self._ours)
        self.contradictions: dict[str, Contradiction] = {}
        """By the venue's id of the order: what did not fit the journal when it was last seen."""
        self.refused: dict[str, str] = {}
        """Orders that the venue has not taken, by name, with the reason, which the journal could not take yet."""
        self.moved: dict[str, datetime] = {}
        """When fills of a symbol were booked last."""
        self._replaced: dict[str, str] = {}
        """By our name of an order that somebody else put in the place of one of ours: that one, of this run."""
        self._untold = "", NEVER
        """The order of ours that filled last without a trade update that told of it since, and when; older fills are of
        no interest, as an update that tells of a newer one came after them."""
        self.fills = 0
        """Counts what was newly filled, so that others notice."""

    def client_id(self, venue_id: str) -> str | None:
        """Our name of an order of the venue's; None if it is not ours."""
        return self._ours.get(venue_id)

    def sent_as(self, name: str) -> str:
        """Our name of the order in whose place somebody else has put one; its own where nobody has."""
        while (before := self._replaced.get(name)) is not None:
            name = before
        return name

    def symbol_of(self, venue_id: str, client_order_id: str) -> str:
        """The symbol that an order of ours was sent for; empty of a manual order or nobody's."""
        name = self._ours.get(venue_id)
        if name is None and client_order_id in self.journal.without_venue_id():
            name = client_order_id
        order = self.journal.order(name) if name else None
        return "" if order is None or order.role == OrderRole.MANUAL else order.symbol

    def held_back(self, unread: Iterable[UnreadOrder]) -> dict[str, str]:
        """Symbols of ours in which an order of ours, or of a group of ours, cannot be read, with the order in words."""
        found: dict[str, str] = {}
        for row in unread:
            if symbol := next(filter(None, (self.symbol_of(*names) for names in row.relatives)), ""):
                found.setdefault(symbol, in_words(row))
        return found

    @property
    def untold_fill(self) -> datetime:
        """When the newest fill of ours happened that a look or an answer showed and no trade update told of."""
        return self._untold[1]

    def learn(self, venue_id: str, client_order_id: str) -> None:
        """An order of ours got its id at the venue."""
        self._ours[venue_id] = client_order_id

    def take(self, orders: Mapping[str, VenueOrder]) -> list[VenueOrder]:
        """Book everything known or related to what is known; returns the orders that were sent by hand.

        Those too that the journal knows because a part of them has filled. Each order is booked for itself: one that
        contradicts the journal is kept in ``contradictions``, the others go on.
        """
        manual: list[VenueOrder] = []
        relations: Relations | None = None
        # A leg needs its parent in the journal first, a replacement what it replaces.
        for order in sorted(orders.values(), key=lambda o: (o.submitted or NEVER, o.id != o.group, bool(o.made_by))):
            with self._isolated(order):
                if order.id not in self._ours:
                    if self._known_manual(order):
                        manual.append(order)
                        continue
                    relations = relations or self._relations(orders)
                    if not self._recognise(order, relations):
                        manual.append(order)
                        continue
                self._book(order)
            if order.id in self._by_hand:
                manual.append(order)
        if self._known != len(self._ours):
            # What has become ours may be what an order of somebody else's belongs to, also one that came before it.
            self._known = len(self._ours)
            self._manual.clear()
            return self.take(orders) if manual else manual
        self._manual |= {order.id: order.updated for order in manual}
        return manual

    def accept(self, name: str, ack: OrderAck) -> JournalOrder:
        """Book the venue's answer to a request for the order ``name``."""
        if ack.client_order_id not in ("", name):
            # A venue that names replacements itself, or changes an order that stays: ours is booked under that name.
            if (known := self._ours.get(ack.id)) is None:
                self.journal.event(name, State.REJECTED, reason=f"the venue calls it {ack.client_order_id}")
            else:
                self.journal.amended(known, name)
            self.take(grouped(ack.orders))
            return self.journal.order(self._ours.get(ack.id, name))
        answered = next((order for order in ack.orders if order.id == ack.id), None)
        if answered is not None and (wrong := differs(self.journal.order(name), answered)):
            log.error("%s: the venue answered with %s; nothing is booked, it will be looked up", name, wrong)
            self.alarms.append(Contradiction(self.journal.order(name).symbol, f"{name} was answered as {wrong}"))
            return self.journal.unknown(name, wrong)
        # Before it is written: it is ours at the venue also where it cannot be.
        self._ours[ack.id] = name
        self.journal.sent(name, ack.id)
        self.take(grouped(ack.orders))
        return self.journal.order(name)

    def refuse(self, name: str, why: str) -> None:
        """The venue has not taken an order, for sure; where that cannot be written it is known here until it can."""
        self.refused[name] = why
        self.journal.event(name, State.REJECTED, reason=why)
        del self.refused[name]

    def take_update(self, update: TradeUpdate) -> bool:
        """Book a trade update; False if the order is not ours."""
        alone = grouped(update.orders)
        order = alone.get(update.id)
        if order is None:
            return False
        if order.id not in self._ours and not self._recognise(order, self._relations(alone)):
            return False
        reports: list[FillReport] = []
        if (fill := update.fill) is not None:
            time = fill.time or _time_of(order)
            reports.append(Execution(fill.quantity, fill.price, time, fill.id, order.filled or None))
        self._book(order, reports, told=True)
        return True

    def adopt_manual(self, order: VenueOrder) -> None:
        """Take in an order that was sent by hand, with what was filled of it.

        Only the journal says what is ours. An id in our form may be another trader's, or of a journal that was lost.
        """
        if has_our_form(order.client_order_id):
            log.warning(
                "%s: order %s has an id like ours and is not in this journal: it counts as made by hand; if the "
                "journal was restored from a copy or begun anew, live.adopt+=%s has its shares managed like our own",
                order.symbol,
                order.client_order_id,
                order.symbol,
            )
        with self._isolated(order):
            self._adopt(order, OrderRole.MANUAL, "", "found at the venue, sent by hand")
            self._book(order)

    def lose(self, client_order_id: str, why: str) -> None:
        """Count an order as over that the venue knows nothing of."""
        self.journal.event(client_order_id, State.LOST, reason=why)
        # Should it be seen again, it is news even if it looks as it did.
        self._told.pop(client_order_id, None)

    def given_up(self, name: str) -> bool:
        """Whether an order of ours, by our name or the venue's id, is over without the venue having it."""
        try:
            order = self.journal.order(self._ours.get(name, name))
        except (JournalConflict, Refusal):
            # A journal that cannot be read gives nothing up.
            return False
        return order.state in (State.LOST, State.REJECTED)

    def note_difference(self, symbol: str, quantity: Decimal, price: Decimal, now: datetime, reason: str) -> None:
        """Enter shares that came (positive) or went without any order that could be found."""
        intent = OrderIntent(
            strategy=self.strategy,
            symbol=symbol,
            side="buy" if quantity > 0 else "sell",
            quantity=abs(quantity),
            type="market",
            role=str(OrderRole.MANUAL),
            decision_time=now,
            sequence=self.journal.next_sequence(symbol, OrderRole.MANUAL, now),
            reason=reason,
        )
        name = self.journal.plan_order(intent)
        self.journal.event(name, State.FILLED, time=now, fills=[Cumulative(abs(quantity), price, now)], reason=reason)
        self.fills += 1

    def take_back(self, note: PositionAdjustment, quantity: Decimal, now: datetime) -> None:
        """Undo a difference that was entered, or a part of it; it counts as if it had never been."""
        undone = self.journal.order(note.client_order_id)
        intent = OrderIntent(
            strategy=self.strategy,
            symbol=undone.symbol,
            side="sell" if undone.side == "buy" else "buy",
            quantity=quantity,
            type="market",
            role=str(OrderRole.MANUAL),
            decision_time=now,
            sequence=self.journal.next_sequence(undone.symbol, OrderRole.MANUAL, now),
            parent_id=note.client_order_id,
            reason=TAKEN_BACK,
        )
        name = self.journal.plan_order(intent)
        price = undone.average_price
        assert price is not None
        # At the time of what it undoes, so that sums over any time agree.
        fill = Cumulative(quantity, price, note.time)
        self.journal.event(name, State.FILLED, time=now, fills=[fill], reason=TAKEN_BACK)
        self.fills += 1

    @contextmanager
    def _isolated(self, order: VenueOrder) -> Iterator[None]:
        """Keep what is wrong with one order from the others."""
        try:
            yield
        except ValueError as error:
            symbol = self.symbol_of(order.id, order.client_order_id) or getattr(error, "symbol", order.symbol)
            self.contradictions[order.id] = Contradiction(symbol, str(error))
        else:
            self.contradictions.pop(order.id, None)

    def _known_manual(self, order: VenueOrder) -> bool:
        """Whether nothing has changed since an order was found not to be ours."""
        seen = self._manual.get(order.id)
        return seen is not None and seen == order.updated and self._known == len(self._ours)

    def _relations(self, orders: Mapping[str, VenueOrder]) -> Relations:
        groups: dict[str, str] = {}
        for order in orders.values():
            if order.id in self._ours:
                groups.setdefault(order.group, self._ours[order.id])
        return Relations(self.journal.without_venue_id(), groups)

    def _recognise(self, order: VenueOrder, relations: Relations) -> bool:
        """Whether an order whose id is new is ours: by our name for it, or as leg or successor of one of ours."""
        # Planned by us, and the answer that would have told its id was lost.
        if order.client_order_id in relations.planned:
            self._ours[order.id] = order.client_order_id
            relations.groups.setdefault(order.group, order.client_order_id)
            return True
        replaced = self._ours.get(order.replaces)
        if replaced is not None:
            old = self.journal.order(replaced)
            self._check_relative(order, old, old.side)
            # A venue has the stop of a pair take its target's place as it triggers: what it is, its type tells.
            role = level_of(order) if old.role in LEVEL_ROLES else old.role
            why = reason_of(old, "took the place of an order of ours", moved=is_moved(old, order))
            self._adopt(order, role, old.parent_id, why)
            self._replaced[order.client_order_id] = replaced
            return True
        parent = relations.groups.get(order.group) or self._ours.get(order.made_by)
        if parent is None:
            return False
        top = self.journal.order(parent)
        # The exits of an entry that was sent by hand are manual like it.
        role = OrderRole.MANUAL if top.role == OrderRole.MANUAL else level_of(order)
        closes = "sell" if top.side == "buy" else "buy"
        self._check_relative(order, top, closes if top.role in OPENING_ROLES else top.side)
        why = reason_of(top, f"leg of {top.client_order_id}")
        self._adopt(order, role, top.parent_id or top.client_order_id, why)
        return True

    def _check_relative(self, order: VenueOrder, known: JournalOrder, side: str) -> None:
        """What belongs to an order of ours trades its symbol, and its side or, of an entry, the other one.

        Raises
        ------
        Misplaced
            The venue shows it otherwise: it is no order to count, and none to cancel as one that protects nothing.
        """
        if order.symbol != known.symbol or (order.side != side and known.role != OrderRole.MANUAL):
            self.disbelieved.add(order.id)
            told = f"{order.id} is shown as {order.side} {order.symbol}, it belongs to {known.client_order_id}"
            raise Misplaced(told, known.symbol)

    def _adopt(self, order: VenueOrder, role: str, parent: str, reason: str) -> None:
        intent = OrderIntent(
            strategy=self.strategy,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            type=order.type,
            role=str(role),
            decision_time=order.submitted or order.created or _time_of(order),
            limit_price=order.limit_price or None,
            stop_price=order.stop_price or None,
            parent_id=parent,
            reason=reason,
        )
        self.journal.adopt(order.client_order_id, intent, order.id)
        self._ours[order.id] = order.client_order_id

    def _book(self, order: VenueOrder, reports: Iterable[FillReport] = (), *, told: bool = False) -> None:
        """Book what is shown of an order; ``told`` says that the stream has told it."""
        name = self._ours[order.id]
        if told and self._untold[0] == name:
            self._untold = "", NEVER
        terms = order.quantity, order.symbol, order.side, order.limit_price, order.stop_price
        news = order.status, order.filled, order.average_price, order.fees, *terms
        reports = list(reports)
        if self._told.get(name) == news and not reports:
            return
        before = self.journal.order(name)
        if before.role == OrderRole.MANUAL:
            self._by_hand.add(order.id)
        if wrong := differs(before, order):
            self.disbelieved.add(order.id)
            raise ValueError(f"{name} is shown as {wrong}")
        self.disbelieved.discard(order.id)
        if order.filled > 0 and order.average_price > 0:
            reports.append(Cumulative(order.filled, order.average_price, _time_of(order), order.fees))
        if reports and (ratio := adjusted(before, order)):
            self._split(before, ratio, min(report.time for report in reports))
        state = order.state
        if state is State.FILLED and not order.filled:
            # Told of the end before the figures: booked when they come.
            state = State.WORKING
        try:
            after = self.journal.event(
                name,
                state,
                f"{order.status}:{order.filled}" + "".join(f":{r.key}" for r in reports if isinstance(r, Execution)),
                time=order.changed,
                venue_id=order.id,
                fills=reports,
                quantity=order.quantity,
            )
        except Refusal:
            # It may be written all the same, if the journal was lost in that moment: what was filled is read anew.
            self.fills += 1
            raise
        figures = [(told.filled_quantity, told.filled_notional, told.fees) for told in (before, after)]
        if figures[0] != figures[1]:
            self.fills += 1
            self.moved[after.symbol] = self._now()
            more = before.filled_quantity < after.filled_quantity
            if more and not told and after.role != OrderRole.MANUAL and order.changed is not None:
                self._untold = max(self._untold, (name, order.changed), key=lambda untold: untold[1])
            # The single executions may only put the rounding of their average right; that is no news to anybody.
            apart = abs(after.filled_notional - before.filled_notional)
            if after.filled_quantity != before.filled_quantity or apart >= CENT:
                log.info(
                    "%s %s %s %s: %s of %s at %s",
                    after.role,
                    after.side,
                    after.symbol,
                    after.state,
                    after.filled_quantity,
                    after.quantity,
                    round(float(after.average_price or 0), 6),
                    extra=about(
                        EventKind.FILL,
                        after.symbol,
                        order=name,
                        role=after.role,
                        side=after.side,
                        filled=str(after.filled_quantity),
                        price=str(after.average_price or ""),
                        fees=str(after.fees),
                    ),
                )
        if not (before.state in FINAL and after.state in FINAL):
            # What ended long ago, as the first look lists it, would become the newest level of a later position.
            self._follow_price(before, order)
        self._told[name] = news

    def _follow_price(self, known: JournalOrder, order: VenueOrder) -> None:
        """Enter the price that an order of ours rests at, where it has another than the journal knows.

        A venue may let a hand, or a request of ours whose answer was lost, move an order that stays the same one. Of
        shares only a split does.
        """
        if known.role == OrderRole.MANUAL or unit_of(known.symbol) != COINS:
            return
        before = self.journal.present_terms(known)
        if not is_moved(before, order):
            return
        now = self._now()
        change = OrderIntent(
            strategy=self.strategy,
            symbol=known.symbol,
            side=order.side,
            quantity=order.remaining or order.quantity,
            type=order.type,
            role=known.role,
            decision_time=now,
            sequence=self.journal.next_sequence(known.symbol, known.role, now),
            limit_price=order.limit_price or None,
            stop_price=order.stop_price or None,
            parent_id=known.parent_id or known.client_order_id,
            reason="moved at the venue",
        )
        self.journal.amended(known.client_order_id, change)
        was, price = (before.stop_price, order.stop_price) if order.is_stop else (before.limit_price, order.limit_price)
        log.info("%s: the %s that was at %s rests at %s at the venue", known.symbol, known.role, was, price)

    def enter_split(self, symbol: str, ratio: tuple[Decimal, Decimal]) -> None:
        """Enter a split that shows in the venue's positions, as of now."""
        self.journal.split(symbol, *ratio)
        self.fills += 1

    def _split(self, exits: JournalOrder, ratio: tuple[Decimal, Decimal], filled: datetime) -> None:
        """Enter a split that shows in an order that the venue adjusted and filled: the position may be gone by now."""
        symbol = exits.symbol
        if any(split.symbol == symbol and split.time > exits.journaled_at for split in self.journal.splits()):
            return
        (before, after), told = ratio, "%s: %s %s became %s before an exit was filled, the position follows"
        log.warning(told, symbol, before, unit_of(symbol, before), after)
        self.journal.split(symbol, *ratio, time=filled - INSTANT)


def _time_of(order: VenueOrder) -> datetime:
    if order.changed is None:
        raise ValueError("the venue's answer has no time in it")
    return order.changed
