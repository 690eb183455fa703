"""The live feed: the venue's bars first, Yahoo's where it has none, and never one that is still forming."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from queue import Empty, Queue
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from brokers.desk.data.bar_collector import SETTLED_AFTER, BarCollector
from brokers.desk.data.overdue_bars import OverdueBars
from brokers.desk.data.present_shares import LEAST, PresentShares
from brokers.desk.data.recent_features import RecentFeatures
from brokers.network.time_budget import time_budget, time_left, uncounted
from brokers.ports import Clock, Venue
from brokers.venue_errors import VenueError
from brokers.venue_values import NEVER
from config.values.markets import NEW_YORK
from market.bars import BarTable
from market.calendar import sessions_until
from market.features import FeatureTable, bars_to_settle
from market.market import Market

ZONE = ZoneInfo(NEW_YORK)
BEHIND_BARS = 3
RETRY = timedelta(minutes=15)
SPARE_SESSIONS = 2
YAHOO_S = 4.0
ATTEMPTS, PAUSE_S = 5, 1.0
MOMENT_S = 10.0
"""Longest time that an iteration waits for a bar that has just ended: the next may be an hour later."""
RESERVED_S, LEAST_S = 6.0, 1.0
"""So much of an iteration's time for requests is left to quotes and orders; less than the other is not worth asking."""
SPARE_S = 0.1
"""Local seconds after the moment from which an answer settles a bar."""
LATE = timedelta(minutes=1)
"""Bars that are missing are asked for at each iteration so long after they ended, then once in it."""
REREAD, REREAD_DAYS = timedelta(hours=1), timedelta(days=5)
YAHOO, NONE = "yahoo", "none"
HISTORY_SYMBOLS, HISTORY_BARS = 100, 150_000
"""The past is read for so many symbols at a time, and about so many bars: until they are numbers in an array, they take
ten times the memory."""
DAY_HOURS_MINUTES = 16 * 60
"""Minutes of a day in which a stock venue has bars, extended hours included."""

log = logging.getLogger(__name__)


class Fallback(Protocol):
    def bars(self, symbol: str, minutes: int, start: datetime) -> pd.DataFrame: ...


@dataclass(slots=True)
class _Reading:
    """The history, while it is read in parts."""

    until: datetime
    bars: BarCollector
    done: int = 0
    """Symbols that have been asked for."""
    found: set[str] = field(default_factory=set)


class LiveFeed:
    """Causal features of the universe, now.

    Parameters
    ----------
    venue : Venue
    symbols, needs : sequence of str
        Columns and features.
    sectors : mapping of str to str
    bar_minutes : int
        Bars that are decided on; 1440 is a day.
    sessions : bool
        Whether the exchange's hours count.
    fallback : Fallback, optional
    present : PresentShares, optional
        Knows the splits of what is held; None where nothing was ever held.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        needs: Sequence[str],
        sectors: Mapping[str, str],
        *,
        bar_minutes: int,
        sessions: bool,
        fallback: Fallback | None = None,
        present: PresentShares | None = None,
    ) -> None:
        self.venue = venue
        self.clock: Clock = venue.clock
        self.source = venue.name.lower()
        self.symbols = tuple(symbols)
        self.needs = tuple(needs)
        self.sectors = sectors
        self.fallback = fallback
        self.collected = BarCollector(symbols, bar_minutes, sessions)
        self.sources: dict[str, str] = {}
        self._present = present
        self.bars: BarTable | None = None
        self.features: FeatureTable | None = None
        self.market: Market | None = None
        self._loaded: date | None = None
        self._read_until: datetime | None = None
        self._reading: _Reading | None = None
        self._asked_yahoo: dict[str, datetime] = {}
        self._yahoo_down_until = NEVER
        self._answered: datetime | None = None
        session_bars = self.collected.times.session_bars
        self._settled = bars_to_settle(needs, session_bars)
        self._history_sessions = -(-self._settled // session_bars) + SPARE_SESSIONS
        self._told_short = False
        self._overdue = OverdueBars(self.symbols)

    def snapshot(self) -> Market:
        """What is known of the universe now, up to the last complete bar.

        Raises
        ------
        VenueError
            There are no bars at all.
        """
        now, why = self._filled()
        self._fall_back(now, why)
        before, found = self.bars, self.collected.table(now, self.source)
        if found is None:
            raise VenueError(f"no bars of {', '.join(self.symbols[:3])} and others; {why or 'the venue has none'}")
        self.bars = self._in_present_shares(found)
        self._tell_short(len(self.bars))
        self._overdue.see(now, self.collected)
        if self.features is None or self.bars is not before:
            self.features = RecentFeatures(self.bars, self.needs, self.sectors)
        self.market = self.features.market_at(pd.Timestamp(now).tz_convert(NEW_YORK))
        return self.market

    def known_bars(self) -> BarTable | None:
        """The bars of the last snapshot, in the shares of now: a split may have come since; None before the first."""
        return None if self.bars is None else self._in_present_shares(self.bars)

    def prepared_closes(self) -> dict[str, float]:
        """What each symbol closed at last in the bars that are there, also before the first snapshot."""
        found = self.collected.table(self.clock.now(), self.source)
        if found is None:
            return {}
        bars = self._in_present_shares(found)
        columns = zip(bars.symbols, bars.close.T, strict=True)
        known = ((symbol, column[np.isfinite(column)]) for symbol, column in columns)
        return {symbol: float(closes[-1]) for symbol, closes in known if len(closes)}

    def why_unusable(self, symbol: str) -> str:
        """Why a symbol makes no order now, in words; empty if it may."""
        if self.features is None or self.bars is None:
            return "no bars yet"
        return self.features.why_unusable(len(self.bars) - 1, symbol)

    def prepare(self) -> None:
        """Read the history ahead of the first decision, page by page, also past pages that are not answered."""
        for _ in range(ATTEMPTS):
            if not (why := self._fill(self.clock.now())):
                return
            log.info("the history of bars is not complete yet: %s", why)
            time.sleep(PAUSE_S)

    def _filled(self) -> tuple[datetime, str]:
        """Ask for what is new, and again for a moment while a bar that has just ended is not there.

        After a failed request too: the next iteration may be an hour later. Returns when that was, and why the venue
        could not be asked.
        """
        now, began = self.clock.now(), time.monotonic()
        why, took = self._fill(now), time.monotonic() - began
        until = time.monotonic() + MOMENT_S
        while self.collected.awaits(now, LATE if why else SETTLED_AFTER):
            left = time_left() - RESERVED_S
            if time.monotonic() >= until or left < LEAST_S:
                break
            pause = PAUSE_S
            if not why and left < 2 * took + LEAST_S:
                # There is time for one more answer: it has to be one that settles the bar.
                settles_in = self.collected.settles_in(self.clock.now())
                pause = max(PAUSE_S, self.clock.local(settles_in + SPARE_S))
            # Nothing is asked meanwhile, and the lock is free.
            with uncounted():
                time.sleep(pause)
            if (later := self.clock.now()) <= now:
                break
            began = time.monotonic()
            with time_budget(left):
                now, why = later, self._fill(later)
            took = max(took, time.monotonic() - began)
        return now, why

    def _fill(self, now: datetime) -> str:
        """Ask the venue for what is new, everything at the beginning of a session; returns why it could not.

        Everything also where shares were split since all was read: the venue adjusts its bars from then on.
        """
        if self._answered is not None and now < self._answered:
            self._begin_anew()
        try:
            if self._split_since(self._read_until):
                self._loaded = None
            if self._loaded != now.astimezone(ZONE).date():
                self._load(now)
            if self._is_due(now):
                # From where the venue spoke last, so that an outage leaves no hole; it may correct its newest bars.
                reread = REREAD_DAYS if self.collected.times.daily else REREAD
                since = (now if self._answered is None else self._answered) - reread
                if newest := self.collected.newest().values():
                    # One bar is there already: asked for again, it tells whether the venue has adjusted the past.
                    since = min(since, max(newest).to_pydatetime())
                start = max(self._history_start(now), since)
                found = self._ask(self.symbols, start)
                if self._adjusted(found, now):
                    self._load(now)
                    return ""
                self._add(found, start, now)
                self._take({str(symbol) for symbol in found["symbol"].unique()} - self.collected.stood_in, now)
        except VenueError as error:
            return f"the venue's bars cannot be read: {error}"
        self.collected.keep_from(self._history_start(now))
        return ""

    def _add(self, found: pd.DataFrame, start: datetime, now: datetime) -> None:
        """Take in an answer about all symbols from ``start`` on.

        Where Yahoo has stood in since an earlier time, what the venue has from then on is read first.
        """
        anew = self.collected.unread(found, start)
        others = [symbol for symbol in self.symbols if symbol not in anew]
        self.collected.add(found[~found["symbol"].isin(anew)], now, others)
        if anew:
            since = max(self._history_start(now), min(anew.values()).to_pydatetime())
            self.collected.add(self._ask(list(anew), since, now), now, list(anew))

    def _begin_anew(self) -> None:
        """The venue's clock was far ahead and is back: what was known of a later time holds nothing up."""
        self._answered = self._loaded = self._reading = self._read_until = None
        self._asked_yahoo.clear()
        self._yahoo_down_until = NEVER

    def _is_due(self, now: datetime) -> bool:
        """Whether the venue can have bars that it had not when it spoke last: one may have ended, or some are late."""
        if self._answered is None or self.collected.times.step_of(now) > self.collected.times.step_of(self._answered):
            return True
        waited = now - self._answered
        late = now - self.collected.times.step_of(now).to_pydatetime() < LATE
        return waited > timedelta(0) and (late or waited >= LATE) and not self.collected.complete(now)

    def _load(self, now: datetime) -> None:
        """Read all that the features need, up to the moment at which that was begun: splits and dividends change it.

        Many pages may take longer than an iteration has; what has come is kept, and the next goes on from there. The
        bars of the day before stay until all have come.
        """
        today = now.astimezone(ZONE).date()
        reading = self._reading
        if reading is None or reading.until.astimezone(ZONE).date() != today or self._split_since(reading.until):
            bars = BarCollector(self.symbols, self.collected.times.minutes, self.collected.times.sessions)
            reading = self._reading = _Reading(now, bars)
        start, step = self._history_start(reading.until), self._symbols_at_once()
        while reading.done < len(self.symbols):
            asked = self.symbols[reading.done : reading.done + step]
            found = self._ask(asked, start, reading.until)
            reading.bars.add(found, reading.until, asked)
            reading.found |= {str(symbol) for symbol in found["symbol"].unique()}
            reading.done += step
        self._reading = None
        if reading.found:
            self.collected, self._loaded, self._read_until = reading.bars, today, reading.until
        self._take(reading.found, reading.until)

    def _split_since(self, read: datetime | None) -> bool:
        """Whether shares were split since bars were read."""
        if self._present is None or read is None:
            return False
        newest = self._present.newest(self.symbols)
        return newest is not None and newest > read

    def _adjusted(self, found: pd.DataFrame, now: datetime) -> bool:
        """Whether bars of an earlier day are in other shares than they were: whether or not they are held, all are."""
        today = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        symbols = self.collected.moved(found, today, LEAST)
        if not symbols:
            return False
        log.info("bars of %s are in other shares now, as after a split; all are read anew", ", ".join(symbols))
        self._loaded = None
        return True

    def _in_present_shares(self, bars: BarTable) -> BarTable:
        return bars if self._present is None else self._present.of(bars)

    def _symbols_at_once(self) -> int:
        """For how many symbols the history is read at a time."""
        bars = self._history_sessions * max(1, DAY_HOURS_MINUTES // self.collected.times.asked_minutes)
        return max(1, min(HISTORY_SYMBOLS, HISTORY_BARS // bars))

    def _ask(self, symbols: Sequence[str], start: datetime, end: datetime | None = None) -> pd.DataFrame:
        return self.venue.bars(symbols, self.collected.times.asked_minutes, start, end)

    def _take(self, symbols: Iterable[str], read_at: datetime) -> None:
        """The venue has answered, with bars of these symbols."""
        self._answered = read_at
        self._tell(dict.fromkeys(symbols, self.source))

    def _history_start(self, now: datetime) -> datetime:
        first = sessions_until(pd.Timestamp(now.astimezone(ZONE).date()), self._history_sessions)[0]
        start: datetime = first.tz_localize(NEW_YORK).to_pydatetime()
        return start

    def _fall_back(self, now: datetime, why: str) -> None:
        """Ask Yahoo for the tickers that the venue left out or behind."""
        newest = self.collected.newest()
        wanted: dict[str, str] = {}
        for symbol in self.symbols:
            mine = newest.get(symbol)
            if mine is None:
                reason = why or "the venue has no bars of it"
            elif self.collected.bars_after(mine) > BEHIND_BARS:
                reason = f"the venue's newest is of {mine.isoformat()}"
            elif why:
                reason = why
            else:
                continue
            wanted[symbol] = reason
        self._tell({s: NONE for s in self.symbols if s not in newest and s not in self.sources})
        deadline = time.monotonic() + YAHOO_S
        for symbol, reason in wanted.items():
            if self.fallback is None or now - self._asked_yahoo.get(symbol, now - RETRY) < RETRY:
                continue
            if time.monotonic() > deadline or now < self._yahoo_down_until:
                return
            self._asked_yahoo[symbol] = now
            self._from_yahoo(self.fallback, symbol, now, reason)

    def _from_yahoo(self, fallback: Fallback, symbol: str, now: datetime, reason: str) -> None:
        log.warning("%s: bars from Yahoo, %s", symbol, reason)
        start = self._history_start(now)
        answer: Queue[pd.DataFrame | Exception] = Queue()

        def ask() -> None:
            # yfinance raises what it likes and takes the time it likes.
            try:
                answer.put(fallback.bars(symbol, self.collected.times.asked_minutes, start))
            except Exception as error:
                answer.put(error)

        threading.Thread(target=ask, name="yahoo", daemon=True).start()
        try:
            # It is no request to the venue: quotes and orders keep the time that they have.
            with uncounted():
                found = answer.get(timeout=YAHOO_S)
        except Empty:
            found = TimeoutError()
        if isinstance(found, Exception):
            # The next ticker would fare the same.
            log.warning("%s: Yahoo cannot be asked (%s), next try in 15 minutes", symbol, type(found).__name__)
            self._yahoo_down_until = now + RETRY
            return
        if len(found):
            self.collected.stand_in(symbol, found, now)
            self._tell({symbol: YAHOO})
        else:
            log.warning("%s: Yahoo has none either", symbol)

    def _tell_short(self, there: int) -> None:
        """Say once that the history is shorter than the features need, as where a venue gives its newest alone."""
        if self._told_short or self._loaded is None or there >= self._settled:
            return
        self._told_short = True
        log.warning(
            "%d bars of %d minutes are all that there are, the features need %d to be independent of where they begin; "
            "until then averages differ from those of a longer history",
            there,
            self.collected.times.minutes,
            self._settled,
        )

    def _tell(self, sources: Mapping[str, str]) -> None:
        """Say which source serves each ticker, when that changes."""
        changed = {symbol: source for symbol, source in sources.items() if self.sources.get(symbol) != source}
        self.sources.update(changed)
        for source in sorted(set(changed.values())):
            names = ", ".join(sorted(s for s, of in changed.items() if of == source))
            log.info("bars of %s: %s", names, f"from {source}" if source != NONE else "from nobody")
