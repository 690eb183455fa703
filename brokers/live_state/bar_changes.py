"""A table of bars that grows with every look, as what has changed since the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from config.values.markets import NEW_YORK
from market.bars import FIELDS, BarTable

Record = dict[str, Any]
BLOCK_ROWS, BLOCK_VALUES = 64, 50_000
"""So many bars are compared, and prices and volumes text, at a time: of all of them it would take much memory."""


def changes(table: BarTable, before: BarTable | None) -> Iterator[str]:
    """What makes ``table`` of ``before``, as JSON in pieces: where it begins, its sessions, bars new or corrected.

    Parameters
    ----------
    table : BarTable
    before : BarTable, optional
        What a reader has already; None is nothing.
    """
    opens = _seconds(table.opens_at)
    fresh = np.full(len(table), table is not before)
    whole = before is None or before.symbols != table.symbols or before.minutes != table.minutes
    if before is not None and not whole and table is not before:
        known = {stamp: row for row, stamp in enumerate(_seconds(before.opens_at).tolist())}
        rows = np.array([known.get(stamp, -1) for stamp in opens.tolist()])
        there = np.flatnonzero(rows >= 0)
        # Of what the reader has, nothing but the oldest may be gone.
        whole = not len(opens) or len(there) != sum(stamp >= opens[0] for stamp in known)
        if not whole:
            fresh[there] = ~_same(table, there, before, rows[there])
    about: Record = {
        "begins": int(opens[0]) if len(opens) else None,
        "rows": len(table),
        "sessions": np.unique(table.session, return_counts=True)[1].tolist(),
    }
    yield f'{json_text(about)[:-1]},"bars":['
    rows = np.arange(len(table)) if whole else np.flatnonzero(fresh)
    step = max(1, BLOCK_VALUES // (len(FIELDS) * max(1, len(table.symbols))))
    for first in range(0, len(rows), step):
        yield ("," if first else "") + json_text(_bars(table, rows[first : first + step]))[1:-1]
    named: Record = {"symbols": list(table.symbols), "minutes": table.minutes, "source": table.source}
    yield f"],{json_text(named)[1:]}" if whole else "]}"


def json_text(value: Any) -> str:
    """A value as JSON, without spaces."""
    return json.dumps(value, separators=(",", ":"))


def _same(one: BarTable, rows: np.ndarray, other: BarTable, its: np.ndarray) -> np.ndarray:
    equal = np.asarray(_seconds(one.closes_at)[rows] == _seconds(other.closes_at)[its])
    for first in range(0, len(rows), BLOCK_ROWS):
        block = slice(first, first + BLOCK_ROWS)
        for name in FIELDS:
            a, b = getattr(one, name)[rows[block]], getattr(other, name)[its[block]]
            equal[block] &= ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return equal


def _bars(table: BarTable, rows: np.ndarray) -> list[Any]:
    opens, closes = _seconds(table.opens_at)[rows].tolist(), _seconds(table.closes_at)[rows].tolist()
    values = [getattr(table, name)[rows].tolist() for name in FIELDS]
    return [[*times, *prices] for *times, prices in zip(opens, closes, zip(*values, strict=True), strict=True)]


def _seconds(times: pd.DatetimeIndex) -> np.ndarray:
    seconds: np.ndarray = times.as_unit("s").astype("int64").to_numpy()
    return seconds


class GrowingTable:
    """Builds the tables again from their changes, in order."""

    def __init__(self) -> None:
        self._bars: dict[int, list[Any]] = {}
        self._about: tuple[tuple[str, ...], int, str] = ((), 0, "")

    def apply(self, record: Record) -> BarTable:
        """The table after a record.

        Raises
        ------
        ValueError
            A record before it is missing.
        """
        if "symbols" in record:
            self._bars = {}
            self._about = (tuple(record["symbols"]), int(record["minutes"]), str(record["source"]))
        for opened, *rest in record["bars"]:
            self._bars[opened] = rest
        begins = record["begins"]
        self._bars = {
            stamp: self._bars[stamp] for stamp in sorted(self._bars) if begins is not None and stamp >= begins
        }
        if len(self._bars) != record["rows"]:
            raise ValueError(f"{record['rows']} bars were seen, {len(self._bars)} are recorded")
        symbols, minutes, source = self._about
        open_, high, low, close, volume = (
            np.array([rest[k + 1] for rest in self._bars.values()], dtype=float).reshape(-1, len(symbols))
            for k in range(len(FIELDS))
        )
        session = np.repeat(np.arange(len(record["sessions"])), record["sessions"])
        opens, closes = list(self._bars), [rest[0] for rest in self._bars.values()]
        return BarTable(
            symbols, _times(opens), _times(closes), session, minutes, open_, high, low, close, volume, source
        )


def _times(stamps: list[int]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(stamps, unit="s", utc=True)).tz_convert(NEW_YORK)
