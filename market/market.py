"""What is known of the whole universe at one moment, and nothing later."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache

import numpy as np

from config.values.markets import NEW_YORK_ZONE
from market.sectors import UNCLASSIFIED
from market.trading_day import date_in

HOUR_S = 3600


@lru_cache(maxsize=256)
def _new_york_date(hour: float) -> date:
    """New York's date in an hour since 1970 (UTC): its midnights are at whole hours, and many bars share one."""
    return datetime.fromtimestamp(hour * HOUR_S, NEW_YORK_ZONE).date()


class Market:
    """Causal view of the whole universe at one moment: the last closed bar and everything before it.

    Parameters
    ----------
    time : datetime
        The decision time (timezone-aware); every visible bar closed at or before it.
    row : int
        Index of the last closed bar in the columns; later rows are never handed out.
    symbols : sequence of str
        Column order of every array.
    index : mapping of str to int
        Symbol to column.
    columns : mapping of str to ndarray
        ``(bars, symbols)`` arrays: ``open high low close volume``, ``mark`` (last known close),
        ``usable`` (bool: the bar is there, sane and warm) and the features, e.g. ``rsi_14``.
    sectors : mapping of str to str
        Symbol to sector label.
    times : ndarray of float, shape (2, bars), optional
        When each bar opens and when it closes, in seconds since 1970 (UTC), ascending.
    """

    __slots__ = ("_columns", "_own_session", "_row", "_times", "index", "sectors", "symbols", "time")

    def __init__(
        self,
        *,
        time: datetime,
        row: int,
        symbols: Sequence[str],
        index: Mapping[str, int],
        columns: Mapping[str, np.ndarray],
        sectors: Mapping[str, str],
        times: np.ndarray | None = None,
    ) -> None:
        self.time = time
        self.symbols = symbols
        self.index = index
        self.sectors = sectors
        self._row = row
        self._columns = columns
        self._times = times
        self._own_session: bool | None = None

    @property
    def empty(self) -> bool:
        """True while no bar has closed yet."""
        return self._row < 0

    @property
    def row(self) -> int:
        """Index of the last closed bar in the columns, -1 while none has closed."""
        return self._row

    def values(self, name: str) -> np.ndarray:
        """The column ``name`` at the last closed bar, shape ``(symbols,)``; NaN while no bar has closed."""
        column = self._columns[name]
        if self._row < 0:
            # Row -1 would be the newest of all, a bar of the future.
            return np.full(len(self.symbols), False if column.dtype == bool else np.nan)
        values: np.ndarray = column[self._row]
        return values

    def value(self, name: str, symbol: str) -> float:
        """One value at the last closed bar; NaN for a symbol or column this market doesn't have."""
        if self._row < 0:
            return math.nan
        try:
            return float(self._columns[name].item(self._row, self.index[symbol]))
        except KeyError:
            return math.nan

    def window(self, name: str, bars: int) -> np.ndarray:
        """The last ``bars`` closed rows of a column (fewer at the start), shape ``(<=bars, symbols)``."""
        rows: np.ndarray = self._columns[name][max(0, self._row + 1 - bars) : self._row + 1]
        return rows

    def row_before(self, time: datetime) -> int:
        """Row of the last visible bar that had closed at ``time``; -1 where none is, or times are unknown."""
        if self._times is None or self._row < 0:
            return -1
        return min(self._row, int(self._times[1].searchsorted(time.timestamp(), side="right")) - 1)

    def value_at(self, row: int, name: str, symbol: str) -> float:
        """One value at an earlier row; NaN for a row that is not visible."""
        column, k = self._columns.get(name), self.index.get(symbol)
        if column is None or k is None or not 0 <= row <= self._row:
            return math.nan
        return float(column[row, k])

    def minutes_since(self, time: datetime) -> float:
        """Trading time from ``time`` to the close of the last closed bar: bars count, nights between them don't.

        NaN in a market without times, or while no bar has closed.
        """
        if self._times is None or self._row < 0:
            return math.nan
        since = time.timestamp()
        opens, closes = self._times[:, : self._row + 1]
        first = int(closes.searchsorted(since, side="right"))
        return float((closes[first:] - np.maximum(opens[first:], since)).sum()) / 60

    def closed_since(self, time: datetime) -> bool:
        """Whether the last closed bar closed after ``time``; True in a market without times."""
        if self._times is None:
            return True
        return self._row >= 0 and float(self._times[1, self._row]) > time.timestamp()

    @property
    def in_its_session(self) -> bool:
        """Whether the last closed bar belongs to the session of ``time``, by New York's date; True without times."""
        if self._own_session is None:
            self._own_session = self._is_in_its_session()
        return self._own_session

    def _is_in_its_session(self) -> bool:
        if self._times is None:
            return True
        if self._row < 0:
            return False
        return _new_york_date(self._times.item(0, self._row) // HOUR_S) == date_in(NEW_YORK_ZONE, self.time)

    def mark(self, symbol: str) -> float:
        """Last known close of a symbol, also when its newest bar is missing; NaN if there never was one."""
        return self.value("mark", symbol)

    def usable(self, symbol: str) -> bool:
        """Whether the symbol has a sane, complete newest bar and warm features."""
        return self._row >= 0 and symbol in self.index and bool(self._columns["usable"][self._row, self.index[symbol]])

    def sector(self, symbol: str) -> str:
        return self.sectors.get(symbol, UNCLASSIFIED)
