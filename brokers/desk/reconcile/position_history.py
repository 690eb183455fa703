"""Keeps the position book in step with the journal: new fills are added, and history is replayed where it changed.

An order is booked whole at the place of its first fill, so a fill of an order that was booked already changes the
past. The book goes back to the last of a few checkpoints before that place and on from there; what lies before the
oldest checkpoint, a fill that was missed for long, is replayed from the journal. Either way the book is the one that
a replay of everything gives.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from brokers.desk.reconcile.position_adjustments import settled, undone
from brokers.desk.reconcile.position_book import Event, PositionBook, begin, book_event, in_order, order_of
from brokers.journal import Figures, FilledOrder, Journal, JournalOrder, Split

STEP, KEPT = 8, 32
"""Events from one checkpoint to the next, and how many checkpoints are kept."""


@dataclass(slots=True)
class PositionHistory:
    """The position book of one journal.

    Parameters
    ----------
    journal : Journal
    adopted : collection of str
        Symbols whose manual positions are managed like our own.
    parked : collection of str
        Funds that count as cash.
    """

    journal: Journal
    adopted: Collection[str] = ()
    parked: Collection[str] = ()
    book: PositionBook = field(default_factory=lambda: begin((), None))
    replays: int = 0
    """How often all of history was replayed."""
    booked: int = 0
    """Events that were booked, those of replays included."""
    splits: frozenset[Split] = frozenset()
    """Those that are in the book."""
    _mark: int | None = None
    _events: list[Event] = field(default_factory=list)
    _checkpoints: list[tuple[int, PositionBook]] = field(default_factory=list)
    """Each with the number of ``_events`` that are in it."""
    _figures: dict[str, Figures | None] = field(default_factory=dict)

    def update(self, today: date) -> PositionBook:
        """The book with everything that the journal holds; another object where something has changed.

        ``today`` is where the exposure budget begins when there are no fills.
        """
        if self._mark is None:
            return self._replay(today)
        mark, changed = self.journal.filled_since(self._mark)
        if mark == self._mark:
            return self.book
        splits = self.journal.splits()
        news: list[Event] = [*changed, *(split for split in splits if split not in self.splits)]
        if not news:
            self._mark = mark
            return self.book
        if not self._take_in(news):
            return self._replay(today)
        self._mark, self.splits = mark, frozenset(splits)
        return self.book

    def forget(self) -> None:
        """Replay everything at the next time: what was booked last may not be in the journal."""
        self._mark = None

    def _replay(self, today: date) -> PositionBook:
        """Book all of history anew."""
        mark, _ = self.journal.filled_since(None)
        filled, splits = self.journal.filled_orders(), self.journal.splits()
        entered = self.journal.all_figures()
        self._figures = {f.order.client_order_id: entered.get((f.order.symbol, f.order.decision_time)) for f in filled}
        self._events = in_order([*filled, *splits])
        self._checkpoints = [(0, begin((f.first_fill for f in filled), today, self.parked))]
        self._go_on()
        self._mark, self.splits = mark, frozenset(splits)
        self.replays += 1
        return self.book

    def _take_in(self, news: list[Event]) -> bool:
        """Book news from the first place that they change on; False where that lies before what is kept."""
        if not self._events:
            return False
        oldest = order_of(self._events[0])
        places = {e.order.client_order_id: order_of(e) for e in self._events if isinstance(e, FilledOrder)}
        changes = []
        for event in news:
            changes.append(order_of(event))
            if isinstance(event, FilledOrder):
                # An order that was told of late may move, and what is taken back changes what had been entered.
                named = [event.order.client_order_id] if event.order.client_order_id in places else []
                if undone(event.order):
                    named.append(event.order.parent_id)
                if any(name not in places for name in named):
                    return False
                changes += [places[name] for name in named]
        first = min(changes)
        if first < oldest:
            return False
        fresh = {event.order.client_order_id for event in news if isinstance(event, FilledOrder)}
        kept = [e for e in self._events if not (isinstance(e, FilledOrder) and e.order.client_order_id in fresh)]
        # Nothing before ``first`` has changed, so what is booked up to there is still booked in this order.
        before = bisect_left(self._events, first, key=order_of)
        self._checkpoints = [point for point in self._checkpoints if point[0] <= before]
        self._events = in_order([*kept, *news])
        self._go_on()
        return True

    def _go_on(self) -> None:
        """Book the events after the last checkpoint, and keep checkpoints near the end."""
        done, book = self._checkpoints[-1]
        book = book.copy()
        left = {e.order.client_order_id: e for e in settled(e for e in self._events if isinstance(e, FilledOrder))}
        for place in range(done, len(self._events)):
            event = self._events[place]
            counts = left.get(event.order.client_order_id) if isinstance(event, FilledOrder) else event
            if counts is not None:
                book_event(book, counts, self._known_figures, self.adopted)
                self.booked += 1
            if place + 1 - self._checkpoints[-1][0] >= STEP and len(self._events) - place <= STEP * KEPT:
                self._checkpoints.append((place + 1, book.copy()))
        self.book = book
        self._forget()

    def _forget(self) -> None:
        """Let go of events before the oldest checkpoint that is kept."""
        self._checkpoints = self._checkpoints[-KEPT:]
        gone = self._checkpoints[0][0]
        self._events = self._events[gone:]
        self._checkpoints = [(done - gone, book) for done, book in self._checkpoints]

    def filled_after(self, moment: datetime) -> list[FilledOrder]:
        """Orders with a fill after ``moment``, among the newest few hundred: enough for the last seconds."""
        return [item for item in self._events if isinstance(item, FilledOrder) and item.last_fill > moment]

    def last_fill(self, client_order_id: str) -> datetime | None:
        """When an order filled last, among the newest few hundred; None where it is none of them."""
        filled = self._filled(client_order_id)
        return None if filled is None else filled.last_fill

    def first_fill(self, client_order_id: str) -> datetime | None:
        """When an order filled first, among the newest few hundred; None where it is none of them."""
        filled = self._filled(client_order_id)
        return None if filled is None else filled.first_fill

    def _filled(self, client_order_id: str) -> FilledOrder | None:
        orders = (item for item in reversed(self._events) if isinstance(item, FilledOrder))
        return next((item for item in orders if item.order.client_order_id == client_order_id), None)

    def _known_figures(self, order: JournalOrder) -> Figures | None:
        name = order.client_order_id
        if name not in self._figures:
            self._figures[name] = self.journal.figures(order.symbol, order.decision_time)
        return self._figures[name]
