"""What the data did to a run's positions and benchmark: sessions without a bar, and jumps like those of splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from backtests.data.bar_notes import SPLIT, found_jumps, gaps_told
from backtests.reports.metrics import ALWAYS_OPEN_PER_YEAR, sessions_per_year
from brokers.record import RunRecord
from config.reading.error_messages import some
from config.values.counting import counted
from market.bar_tables import to_frame
from market.bars import BarTable
from market.calendar import sessions_among
from market.trading_day import days_of
from risk.model import Position


@dataclass(frozen=True, slots=True)
class Span:
    """A position, or a closed portion of one, until its exit or the end of the run; sold short it is below zero."""

    symbol: str
    quantity: float
    entry: datetime
    left: datetime

    def holds_through(self, day: pd.Timestamp) -> bool:
        """Whether it was held overnight into a day."""
        first, last = days_of(pd.DatetimeIndex([self.entry, self.left]))
        return bool(first < day <= last)


def spans(record: RunRecord, held: Iterable[Position], end: datetime) -> list[Span]:
    """What a run held and when, closed or not."""
    closed = [
        Span(t.symbol, -t.quantity if t.side == "sell_short" else t.quantity, t.entry_time, t.exit_time)
        for t in record.trades
    ]
    return [*closed, *(Span(p.symbol, p.quantity, p.entry_time, end) for p in held)]


def jump_warnings(table: BarTable, positions: Iterable[Span]) -> tuple[str, ...]:
    """What positions made or lost in jumps of prices that look like splits that nobody adjusted, by symbol and date."""
    positions = list(positions)
    columns = [k for k, symbol in enumerate(table.symbols) if symbol in {span.symbol for span in positions}]
    told = []
    for k in columns:
        for jump in found_jumps(to_frame(table.columns(slice(k, k + 1)))):
            through = [s for s in positions if s.symbol == jump.symbol and s.holds_through(jump.day)]
            if through:
                usd = sum(span.quantity for span in through) * (jump.open - jump.close)
                told.append(
                    f"{usd:+,.2f} USD of the result are one jump of {jump.symbol} on {jump.day:%Y-%m-%d}, from "
                    f"{jump.close:.6g} to {jump.open:.6g}, {SPLIT} {jump.ratio} split: give adjusted prices"
                )
    return tuple(told)


def gap_notes(
    table: BarTable,
    symbols: Iterable[str],
    benchmark: str,
    positions: Iterable[Span],
    start: pd.Timestamp,
    end: pd.Timestamp,
) -> tuple[str, ...]:
    """Notes about sessions without a bar, in a line each; those that a position or the benchmark is hit by come first.

    Sessions before a symbol's first bar and after its last are no gaps.

    Parameters
    ----------
    table : BarTable
    symbols : iterable of str
        What the run may trade.
    benchmark : str
    positions : iterable of Span
    start, end : Timestamp
        First and last bar that was decided on.
    """
    positions = list(positions)
    wanted = dict.fromkeys([*symbols, benchmark, *(span.symbol for span in positions)])
    missing = _missing(table, [symbol for symbol in wanted if symbol in table.symbols], start, end)
    if not missing:
        return ()
    notes = []
    held: dict[str, set[pd.Timestamp]] = {}
    for span in positions:
        days = missing.get(span.symbol, ())
        held.setdefault(span.symbol, set()).update(day for day in days if span.holds_through(day))
    if held := {symbol: days for symbol, days in held.items() if days}:
        told = some([f"{symbol} ({_days(sorted(days))})" for symbol, days in held.items()])
        notes.append(
            f"positions were held through sessions without a bar, in which no stop could act and their value stood "
            f"still: {told}"
        )
    if benchmark in missing:
        notes.append(
            f"the benchmark {benchmark} has no bar in {_days(missing[benchmark])}: its figures leave these sessions out"
        )
    notes.append(gaps_told(missing))
    return tuple(notes)


def _days(days: list[pd.Timestamp] | pd.DatetimeIndex) -> str:
    told = f"{counted(len(days), 'session')} from {days[0]:%Y-%m-%d}"
    return told if len(days) == 1 else f"{told} to {days[-1]:%Y-%m-%d}"


def _missing(
    table: BarTable, symbols: list[str], start: pd.Timestamp, end: pd.Timestamp
) -> Mapping[str, pd.DatetimeIndex]:
    """The sessions between a symbol's first and last bar, within the window, in which it has none."""
    begins = np.flatnonzero(np.diff(table.session, prepend=table.session[0] - 1))
    days = table.opens_at[begins].tz_localize(None).normalize()
    due = pd.date_range(days[0], days[-1])
    if sessions_per_year(table.opens_at) != ALWAYS_OPEN_PER_YEAR:
        due = due[sessions_among(due)]
    due = due[(due >= start.tz_localize(None).normalize()) & (due <= end.tz_localize(None).normalize())]
    has_bars = table.has_bars()
    there = np.array([has_bars[row] for row in begins])
    found = {}
    for symbol in symbols:
        own = days[there[:, table.symbols.index(symbol)]]
        if len(own):
            lacking = due[(due > own[0]) & (due < own[-1])].difference(own)
            if len(lacking):
                found[symbol] = lacking
    return found
