"""Bars as a live run sees them: complete ones only, on the grid that a backtest on a file would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from brokers.live.payloads import Json
from strategies.bars import DAY_MINUTES, FIELDS, BarTable
from strategies.calendar import NEW_YORK, nanoseconds, session_times, sessions_until
from strategies.table import to_table

MOST_MISSING = 2
"""So many bars may be outstanding before nothing is decided on the ones that are there."""
KEYS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
SESSION_MINUTES = 390


class LiveBars:
    """Collects the venue's bars and puts them together.

    Parameters
    ----------
    symbols : sequence of str
        Columns of the table.
    minutes : int
        Length of the bars that are decided on; 1440 is a day.
    sessions : bool
        Whether the exchange's hours count; else the market never closes and its day begins at midnight in New York.
    """

    def __init__(self, symbols: Sequence[str], minutes: int, sessions: bool) -> None:
        self.symbols = tuple(symbols)
        self.minutes = minutes
        self.sessions = sessions
        self.asked_minutes = minutes if minutes in (1, DAY_MINUTES) else 5
        self._frame = _empty()

    @property
    def daily(self) -> bool:
        return self.minutes == DAY_MINUTES

    @property
    def session_bars(self) -> int:
        """Bars in a session."""
        if self.daily:
            return 1
        return -(-(SESSION_MINUTES if self.sessions else DAY_MINUTES) // self.minutes)

    def clear(self) -> None:
        """Forget everything."""
        self._frame = _empty()

    def add(self, rows: Mapping[str, Sequence[Json]]) -> None:
        """Take in bars as the venue writes them; a later one of the same time replaces the earlier."""
        parts = [_frame(symbol, bars) for symbol, bars in rows.items() if bars and symbol in self.symbols]
        if parts:
            self.add_frame(pd.concat(parts, ignore_index=True))

    def add_frame(self, frame: pd.DataFrame) -> None:
        """Take in a long table: symbol, datetime (aware), open, high, low, close, volume."""
        both = pd.concat([self._frame, frame], ignore_index=True) if len(self._frame) else frame
        self._frame = both.drop_duplicates(["symbol", "datetime"], keep="last", ignore_index=True)

    def keep_from(self, start: datetime) -> None:
        """Drop what is older."""
        self._frame = self._frame[self._frame["datetime"] >= pd.Timestamp(start)].reset_index(drop=True)

    def newest(self) -> dict[str, pd.Timestamp]:
        """When the last bar of each symbol that has any begins."""
        return {str(symbol): time for symbol, time in self._frame.groupby("symbol")["datetime"].max().items()}

    def table(self, now: datetime, source: str) -> BarTable | None:
        """Every bar that is complete at ``now``, and an empty row where newer ones should be; None without any."""
        present = pd.Timestamp(now).tz_convert(NEW_YORK)
        frame = self._days(present) if self.daily else self._intraday(present)
        if frame.empty:
            return None
        expected = self.expected(present)
        newest = frame["datetime"].max()
        if (expected > newest).sum() > MOST_MISSING:
            gap = {"symbol": self.symbols[0], "datetime": expected[-1], **dict.fromkeys(FIELDS, np.nan)}
            frame = pd.concat([frame, pd.DataFrame([gap])], ignore_index=True)
        table = to_table(frame, self.symbols, source)
        # The spacing of few bars tells nothing of their length.
        return table if table.minutes == self.minutes else _of_length(table, self.minutes)

    def expected(self, present: pd.Timestamp) -> pd.DatetimeIndex:
        """When the last complete bars begin that the clock says there should be, oldest first."""
        if self.daily:
            days = sessions_until(_date(present), MOST_MISSING + 3)
            return days[np.asarray(session_times(days)[1] <= present)]
        step = pd.Timedelta(minutes=self.minutes)
        if not self.sessions:
            last = _anchor_24_7(pd.DatetimeIndex([present]))[0]
            last += (present - last) // step * step - step
            return pd.date_range(last - (MOST_MISSING + 2) * step, last, freq=step)
        opens, closes = session_times(sessions_until(_date(present), 3))
        grids = [pd.date_range(o, c, freq=step, inclusive="left") for o, c in zip(opens, closes, strict=True)]
        grid = pd.DatetimeIndex(np.concatenate([g.tz_convert("UTC").to_numpy() for g in grids]), tz="UTC")
        return grid[grid + step <= present].tz_convert(NEW_YORK)

    def _days(self, present: pd.Timestamp) -> pd.DataFrame:
        frame = self._frame
        days = pd.DatetimeIndex(frame["datetime"]).tz_convert(NEW_YORK).tz_localize(None).normalize()
        unique = days.unique().sort_values()
        over = unique[np.asarray(session_times(unique)[1] <= present)]
        return frame.assign(datetime=days)[days.isin(over)]

    def _intraday(self, present: pd.Timestamp) -> pd.DataFrame:
        times = pd.DatetimeIndex(self._frame["datetime"]).tz_convert(NEW_YORK)
        frame = self._frame.assign(datetime=times)
        anchors = _anchor_24_7(times)
        if self.sessions:
            days = times.tz_localize(None).normalize()
            unique = days.unique().sort_values()
            opens, closes = session_times(unique)
            place = unique.get_indexer(days)
            anchors = opens[place]
            inside = np.asarray((times >= anchors) & (times < closes[place]))
            inside &= np.asarray(unique.isin(sessions_until(_date(present), 2_600))[place])
            frame, anchors, times = frame[inside], anchors[inside], times[inside]
        step = pd.Timedelta(minutes=self.minutes)
        if self.minutes != self.asked_minutes and len(frame):
            begins = anchors + (times - anchors) // step * step
            in_order = frame.assign(datetime=begins).iloc[np.argsort(nanoseconds(times), kind="stable")]
            grouped = in_order.groupby(["symbol", "datetime"], sort=False)
            frame = grouped.agg(
                open=("open", "first"), high=("high", "max"), low=("low", "min"), close=("close", "last"),
                volume=("volume", "sum"),
            ).reset_index()  # fmt: skip
        return frame[np.asarray(pd.DatetimeIndex(frame["datetime"]) + step <= present)]


def _frame(symbol: str, bars: Sequence[Json]) -> pd.DataFrame:
    values = {name: [_number(bar.get(key)) for bar in bars] for name, key in KEYS.items()}
    times = pd.to_datetime([bar["t"] for bar in bars], utc=True, format="ISO8601")
    return pd.DataFrame({"symbol": symbol, "datetime": times, **values})


def _number(value: Any) -> float:
    """NaN for whatever is no number: the features say then why the symbol makes no order."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _empty() -> pd.DataFrame:
    columns: dict[str, Any] = {
        "symbol": [],
        "datetime": pd.DatetimeIndex([], tz="UTC"),
        **{name: [] for name in FIELDS},
    }
    return pd.DataFrame(columns)


def _date(present: pd.Timestamp) -> pd.Timestamp:
    return present.tz_localize(None).normalize()


def _anchor_24_7(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return times.tz_convert(NEW_YORK).normalize()


def _of_length(table: BarTable, minutes: int) -> BarTable:
    return replace(table, minutes=minutes, closes_at=table.opens_at + pd.Timedelta(minutes=minutes))
