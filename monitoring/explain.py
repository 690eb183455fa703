"""Why something was entered, resized, refused or not even proposed, and what would have to change.

The same answer for a trader's journal and the folder of a backtest, for the command, the page and other programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Protocol

from config.errors import Refusal
from config.values.counting import plain_digits
from config.values.markets import NEW_YORK_ZONE
from monitoring import journal_queries
from monitoring.journal_reader import JournalReader
from monitoring.market_view import MarketView
from monitoring.rows import DecisionRow, OrderRow, ReadingRow
from monitoring.run_files import RunFiles
from monitoring.signs import Sign, concerning
from monitoring.state import STATE_FILE, read_state
from monitoring.status import status
from risk.limit_usage import Frees, Remedy
from risk.model import ABOVE_DECIDED_FRAC, Verdict
from strategies.remedies import remedy_for

LATEST = 20
"""Decisions and orders of a symbol that are told unless more are asked for."""
COIN = "/"
"""In the name of a pair of coins, whose days and weeks turn at midnight UTC."""
_CUT = re.compile(r"\S+ became \S+ at the quote [\d.]+\d")
"""In the reason of an order that was cut at the quote; written by ``brokers.desk_rules``."""
NextSession = Callable[[datetime, bool], datetime]


class Source(Protocol):
    """Where the answers come from."""

    def decisions(self, symbol: str, at: datetime | None, limit: int) -> list[DecisionRow]: ...
    def decisions_at(self, time: datetime) -> list[DecisionRow]: ...
    def orders(self, symbol: str, at: datetime | None, limit: int) -> list[OrderRow]: ...
    def entries_of(self, decision: DecisionRow) -> list[OrderRow]: ...
    def family(self, wanted: str) -> list[OrderRow]: ...
    def count(self, symbol: str, at: datetime | None) -> tuple[int, int]: ...
    def reading(self, symbol: str, at: datetime | None) -> ReadingRow | None: ...
    def readings(self, at: datetime) -> list[ReadingRow]: ...
    def signs(self, symbol: str) -> tuple[Sign, ...]: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One verdict of a chain; ``binding`` decided the quantity, ``remedy`` is what would change it."""

    verdict: Verdict
    binding: bool = False
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """One decision: its chain, the rule that decided, what would have to change, and when it is free again by time.

    ``cut`` says how its order became smaller at the quote, after all rules; empty where it did not.
    """

    decision: DecisionRow
    steps: tuple[Step, ...]
    bound_by: str = ""
    change: str = ""
    unlocks: datetime | None = None
    cut: str = ""
    cut_change: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer, the latest first. ``now`` is the last reading of the symbol, with the largest size allowed.

    ``silent`` are readings of symbols about which nothing was decided; ``counts`` how many decisions and orders of the
    symbol there are up to the moment asked for, ``signs`` what is wrong or stops entries now, where the trader runs and
    now is meant.
    """

    wanted: str
    kind: str
    stories: tuple[Story, ...]
    orders: tuple[OrderRow, ...]
    now: ReadingRow | None = None
    silent: tuple[ReadingRow, ...] = ()
    counts: tuple[int, int] = (0, 0)
    signs: tuple[Sign, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.stories or self.orders or self.now or self.silent)


class JournalSource:
    """A trader's journal, what it saw of the market, and what it says of itself (``state``, its file)."""

    def __init__(self, journal: JournalReader, view: MarketView, state: Path | None = None) -> None:
        self._journal, self._view, self._state = journal, view, state

    def decisions(self, symbol: str, at: datetime | None, limit: int) -> list[DecisionRow]:
        with self._journal.open() as db:
            until = None if at is None else at + timedelta(microseconds=1)
            return journal_queries.decisions(db, symbol=symbol, until=until, limit=limit)

    def decisions_at(self, time: datetime) -> list[DecisionRow]:
        with self._journal.open() as db:
            return journal_queries.decisions_at(db, time)

    def orders(self, symbol: str, at: datetime | None, limit: int) -> list[OrderRow]:
        before = None if at is None else (at + timedelta(microseconds=1), "")
        with self._journal.open() as db:
            found = journal_queries.orders(db, symbol=symbol, before=before, limit=limit)
            return journal_queries.with_life(db, found)

    def entries_of(self, decision: DecisionRow) -> list[OrderRow]:
        with self._journal.open() as db:
            return journal_queries.entries_of(db, decision)

    def family(self, wanted: str) -> list[OrderRow]:
        with self._journal.open() as db:
            return journal_queries.family(db, wanted)

    def count(self, symbol: str, at: datetime | None) -> tuple[int, int]:
        with self._journal.open() as db:
            return journal_queries.count(db, symbol, at)

    def reading(self, symbol: str, at: datetime | None) -> ReadingRow | None:
        return self._view.reading(symbol, at)

    def readings(self, at: datetime) -> list[ReadingRow]:
        return self._view.readings(at)

    def signs(self, symbol: str) -> tuple[Sign, ...]:
        state = None if self._state is None else read_state(self._state)
        return () if state is None or state.ended else concerning(status(state), symbol)


class RunSource:
    """The folder of a backtest; ``read`` works out the readings of a bar from the run's own data.

    Parameters
    ----------
    folder : Path
    read : callable, optional
        Readings of all symbols at the last bar that was closed at a moment (None: at the end of the run), with the
        time of that close.
    """

    def __init__(self, folder: Path, read: Callable[[datetime | None], list[ReadingRow]] | None = None) -> None:
        self._files, self._read = RunFiles(folder), read

    def decisions(self, symbol: str, at: datetime | None, limit: int) -> list[DecisionRow]:
        return self._files.decisions(symbol, at, limit)

    def decisions_at(self, time: datetime) -> list[DecisionRow]:
        return self._files.decisions_at(time)

    def orders(self, symbol: str, at: datetime | None, limit: int) -> list[OrderRow]:
        return self._files.orders(symbol, at, limit)

    def entries_of(self, decision: DecisionRow) -> list[OrderRow]:
        return self._files.entries_of(decision)

    def family(self, wanted: str) -> list[OrderRow]:
        return self._files.family(wanted)

    def count(self, symbol: str, at: datetime | None) -> tuple[int, int]:
        return self._files.count(symbol, at)

    def reading(self, symbol: str, at: datetime | None) -> ReadingRow | None:
        found = self._read(at) if self._read is not None else []
        return next((self._as_decided(reading) for reading in found if reading.symbol == symbol), None)

    def readings(self, at: datetime) -> list[ReadingRow]:
        return [self._as_decided(reading) for reading in self._read(at)] if self._read is not None else []

    def _as_decided(self, reading: ReadingRow) -> ReadingRow:
        """The reading with what was decided with its bar: an order comes at the opening of a later one."""
        made = self._files.next_decision(reading.symbol, reading.time)
        if made is None or self._read is None or all(r.time != reading.time for r in self._read(made)):
            return reading
        when = made.astimezone(NEW_YORK_ZONE)
        return replace(reading, status="decided", text=f"at {when:%Y-%m-%d %H:%M:%S} with this bar")

    def signs(self, symbol: str) -> tuple[Sign, ...]:
        return ()


def explain(source: Source, wanted: str, at: datetime | None = None, latest: int = LATEST) -> Explanation:
    """Explain a symbol, an order or, with ``wanted`` empty, everything that was decided at a time.

    Parameters
    ----------
    source : Source
    wanted : str
        A symbol, or an order's id: the client's or the venue's.
    at : datetime, optional
        The moment that is meant, by default the latest.
    latest : int, default=20
        How many decisions and orders of a symbol.
    """
    if not wanted:
        if at is None:
            raise Refusal("nothing was asked for; give a ticker, an order's id, or a time such as 2024-03-04T10:30")
        stories = tuple(_told(source, decision) for decision in source.decisions_at(at))
        read = source.readings(at)
        when = max((s.decision.time for s in stories), default=None)
        if read and when is not None and read[0].time > when:
            # The iteration that is meant decided nothing; an older one is no answer.
            stories = ()
        told = {s.decision.symbol for s in stories}
        return Explanation(at.isoformat(), "time", stories, (), None, tuple(r for r in read if r.symbol not in told))
    if family := source.family(wanted):
        first = next((o for o in family if not o.parent), family[0])
        made = [d for d in source.decisions(first.symbol, first.decided, 1) if d.time == first.decided]
        now = source.signs(first.symbol)
        return Explanation(wanted, "order", tuple(_told(source, d) for d in made), tuple(family), signs=now)
    found = source.decisions(wanted, at, latest)
    reading = source.reading(wanted, at)
    if reading is not None and found and reading.time < found[0].time.replace(microsecond=0):
        # Read before what was decided last: the trader ended in between. Readings are kept by whole seconds.
        reading = None
    return Explanation(
        wanted,
        "symbol",
        tuple(_told(source, decision) for decision in found),
        tuple(source.orders(wanted, at, latest)),
        reading,
        counts=source.count(wanted, at),
        signs=source.signs(wanted) if at is None else (),
    )


def _told(source: Source, decision: DecisionRow) -> Story:
    return story(decision, source.entries_of(decision) if decision.final > 0 else ())


def story(decision: DecisionRow, entries: Sequence[OrderRow] = ()) -> Story:
    """A decision with what decided, what would have to change and when it is free again by time alone.

    ``entries`` are its orders, the first one first: the quote at which they were sent may have cut the size further.
    """
    cut = next(filter(None, (_CUT.search(order.reason) for order in entries)), None)
    binding = decision.binding
    steps: list[Step] = []
    change, unlocks = "", None
    for verdict in decision.verdicts:
        remedy = _remedy(verdict, decision)
        steps.append(Step(verdict, verdict is binding, remedy))
        if verdict is binding and remedy is not None:
            change = remedy.text
            after = day_after if COIN in decision.symbol else session_after
            unlocks = unlocked(remedy.frees, decision.time, after)
            if verdict.until is not None:
                unlocks = opening(verdict.until, after)
    at_quote = ("", "") if cut is None else (cut[0], _at_the_quote(decision))
    return Story(decision, tuple(steps), decision.bound_by, change, unlocks, *at_quote)


def _remedy(verdict: Verdict, decision: DecisionRow) -> Remedy | None:
    """What would change a verdict; None for one that took nothing off."""
    acted = verdict.code != "OK" and (verdict.after <= 0 or verdict.after < verdict.before)
    return remedy_for(verdict, decision.price or 0.0) if acted else None


def _at_the_quote(decision: DecisionRow) -> str:
    """What would have kept the size that the rules had approved."""
    most = f"{ABOVE_DECIDED_FRAC:.0%} more than when it was decided, and no more than each cap allows"
    if decision.price is None:
        return f"a lower quote: an order costs at most {most}"
    decided = f"{decision.final * decision.price:,.2f} USD"
    return (
        f"a lower quote: {plain_digits(decision.final)} cost {decided} at {decision.price:,.2f}, and an order costs at "
        f"most {most}; limit, slippage and fees included"
    )


def unlocked(frees: Frees, since: datetime, after: NextSession) -> datetime | None:
    """The moment at which time alone frees a limit that was reached at ``since``."""
    return after(since, frees == "next_week") if frees else None


def opening(until: datetime, after: NextSession) -> datetime:
    """When entries go on after a refusal that ends at a moment: a day's beginning means its session's opening."""
    # Imported here: it brings pandas, and most answers need none.
    from market.trading_day import begin_of, day_of

    return after(until - timedelta(microseconds=1), False) if begin_of(day_of(until)) == until else until


def day_after(moment: datetime, next_week: bool) -> datetime:
    """The first midnight UTC after a moment, or the first one of a later ISO week."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=7 - day.weekday() if next_week else 1)


def session_after(moment: datetime, next_week: bool) -> datetime:
    """Opening of the first New York session after the day of a moment, or of the first in a later ISO week."""
    # Imported here: the calendar takes half a second to load, and most answers need none.
    import pandas as pd

    from market.calendar import session_times, sessions_after

    day = moment.astimezone(NEW_YORK_ZONE).date()
    if next_week:
        day += timedelta(days=6 - day.weekday())
    opens, _ = session_times(pd.DatetimeIndex(sessions_after(day, 1)))
    found: datetime = opens[0].to_pydatetime()
    return found


def moment_of(text: str) -> datetime | None:
    """A moment as people write it (``2024-03-04 10:30``, New York time unless it has a zone); None if it is none.

    A day alone means its end.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if len(text.strip()) == len("2024-03-04"):
        found = datetime.combine(found.date(), time.max)
    return found if found.tzinfo else found.replace(tzinfo=NEW_YORK_ZONE)


def source_of(state_dir: Path, journal: str | Path) -> JournalSource:
    """The source of a trader: its journal, and what its state folder holds beside it."""
    from monitoring.market_view import VIEW_FILE

    return JournalSource(JournalReader(journal), MarketView(state_dir / VIEW_FILE), state_dir / STATE_FILE)
