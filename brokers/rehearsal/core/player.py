"""Lets the market of a file happen to the exchange, each price at its time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Generic, TypeVar

from brokers.rehearsal.core.bar_playback import BarPlayback, from_ns
from brokers.rehearsal.core.hours import Session, TradingHours
from brokers.rehearsal.core.venue import TICK, Venue
from config.errors import Refusal

V = TypeVar("V", bound=Venue, covariant=True)
LEAD = timedelta(minutes=5)
"""How long before an open the clock starts, and wakes after a night it has skipped."""


@dataclass(slots=True)
class Listeners:
    """Who is told what the market does; all called between two requests."""

    trades: list[Callable[[datetime, Mapping[str, Decimal]], None]] = field(default_factory=list)
    time: list[Callable[[datetime], None]] = field(default_factory=list)
    close: list[Callable[[datetime], None]] = field(default_factory=list)


class Player(Generic[V]):
    """The exchange and the part of the playback that it goes through.

    Parameters
    ----------
    playback : BarPlayback
        The market; what lies before the first day played is history.
    start : date or datetime, optional
        First day, or the moment (naive: the venue's zone) at which the clock starts; a date starts it five minutes
        before the open. By default the playback's last sessions are played.
    sessions : int, optional
        How many days with bars are played; by default all that follow, or the last one without ``start``.
    build : callable
        Makes the exchange of the playback's symbols and the moment at which its clock starts.

    Raises
    ------
    Refusal
        The playback has no bars from ``start`` on.
    """

    def __init__(
        self,
        playback: BarPlayback,
        start: date | None,
        sessions: int | None,
        build: Callable[[list[str], datetime], V],
    ) -> None:
        self.playback, self.listeners = playback, Listeners()
        opens, first = _choose(playback, start, sessions)
        self._opens = iter(opens)
        self.last_bar = from_ns(opens[-1])
        quotes = {symbol: playback.last(symbol, first - TICK) for symbol in playback.symbols}
        known = {symbol: found for symbol, found in quotes.items() if found is not None}
        begins = max((from_ns(found[0]) for found in known.values()), default=first - TICK)
        self.exchange = build(playback.symbols, begins)
        # Trades of the day before: known prices, yet none that anybody could still trade on.
        self.exchange.on_quote(begins, {symbol: Decimal(str(found[1])) for symbol, found in known.items()})
        self._order = count()
        self._due: list[tuple[datetime, int, int, Callable[[], None]]] = []
        self._boundaries = _boundaries(begins, playback.hours)
        self._running = 0
        self.next_bar: datetime | None = None
        self._queue_bar()
        self._queue_boundary()
        morning = max(playback.hours.session_ahead(first).open - LEAD, begins)
        self.play(_aware(start, playback.hours) if isinstance(start, datetime) else morning)

    @property
    def quiet(self) -> bool:
        """Whether no bar is under way."""
        return self._running == 0

    @property
    def finished(self) -> bool:
        """Whether all that was to be played has been."""
        return self.next_bar is None and self.quiet

    def play(self, now: datetime) -> None:
        """Let everything happen that is due by ``now``, then bring the exchange there."""
        while self._due[0][0] <= now:
            heapq.heappop(self._due)[3]()
        self.exchange.advance(now)
        for listener in self.listeners.time:
            listener(now)

    def schedule(self, at: datetime, action: Callable[[], None]) -> None:
        """Have something done at a moment to come, after what the market does then."""
        self._push(max(at, self.exchange.now), 3, partial(self._act, at, action))

    def _act(self, at: datetime, action: Callable[[], None]) -> None:
        self.exchange.advance(max(at, self.exchange.now))
        action()

    def _push(self, at: datetime, rank: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, rank, next(self._order), action))

    def _queue_bar(self) -> None:
        stamp = next(self._opens, None)
        self.next_bar = None if stamp is None else from_ns(stamp)
        if stamp is not None:
            self._push(from_ns(stamp), 2, lambda: self._open(stamp))

    def _open(self, stamp: int) -> None:
        at = from_ns(stamp)
        bars, length = self.playback.bars_at(stamp)
        steps = self.exchange.open_bar(at, bars, length)
        self.playback.settle(stamp, steps)
        self._tell(at, {symbol: bar.open for symbol, bar in bars.items()})
        self._running += len(steps)
        for when, prices in steps:
            self._push(when, 0, partial(self._walk, when, prices))
        self._queue_bar()

    def _walk(self, at: datetime, prices: Mapping[str, Decimal]) -> None:
        self._running -= 1
        self.exchange.walk(at, prices)
        self._tell(at, prices)

    def _tell(self, at: datetime, prices: Mapping[str, Decimal]) -> None:
        for listener in self.listeners.trades:
            listener(at, prices)

    def _queue_boundary(self) -> None:
        at, closes = next(self._boundaries)
        self._push(at, 1, lambda: self._cross(at, closes))

    def _cross(self, at: datetime, closes: bool) -> None:
        self.exchange.advance(at)
        if closes:
            for listener in self.listeners.close:
                listener(at)
        self._queue_boundary()


def _boundaries(after: datetime, hours: TradingHours) -> Iterator[tuple[datetime, bool]]:
    """Where phases of trading days begin and end, and whether it is a close."""
    session: Session = hours.session_ahead(after, extended=True)
    while True:
        for at in sorted({session.pre_open, session.open, session.close, session.post_close}):
            if at > after:
                yield at, at == session.close
        session = hours.session_ahead(session.post_close, extended=True)


def _aware(moment: datetime, hours: TradingHours) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=hours.zone)


def _choose(playback: BarPlayback, start: date | None, sessions: int | None) -> tuple[list[int], datetime]:
    """The bar times to play, and the first of them."""
    opens = playback.opens().tolist()
    days = [playback.hours.day_of(from_ns(stamp)) for stamp in opens]
    different = sorted(set(days))
    if start is None:
        wanted = different[-(sessions or 1) :]
    else:
        day = playback.hours.day_of(_aware(start, playback.hours)) if isinstance(start, datetime) else start
        wanted = [d for d in different if d >= day][:sessions]
        if not wanted:
            raise Refusal(f"no bars on or after {day}: the data end on {different[-1]}; choose an earlier --start")
    chosen = [stamp for stamp, day in zip(opens, days, strict=True) if wanted[0] <= day <= wanted[-1]]
    return chosen, from_ns(chosen[0])
