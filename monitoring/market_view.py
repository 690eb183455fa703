"""What the trader saw: its own bars and its readings of every symbol, in a small file that only screens read.

The trader writes it after each iteration, on a thread of its own; it may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from monitoring.rows import ReadingRow

VIEW_FILE = "market_view.sqlite3"
BUSY_S = 2.0
Bar = tuple[int, float, float, float, float, float]
"""Opening in seconds since 1970, open, high, low, close, volume."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS bars (symbol TEXT, opens INTEGER, open REAL, high REAL, low REAL, close REAL, volume "
    "REAL, PRIMARY KEY (symbol, opens)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS readings (symbol TEXT, time INTEGER, close REAL, atr REAL, status TEXT, text TEXT, "
    "allowed REAL, bound_by TEXT, code TEXT, PRIMARY KEY (symbol, time)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS readings_time ON readings (time)",
)


class MarketViewWriter:
    """Writes the file; every method raises ``sqlite3.Error`` or ``OSError`` where it cannot be written.

    Parameters
    ----------
    path : Path
    keep_days : int
        Days of the venue for which readings are kept.
    keep_bars : int
        Bars of a symbol that are kept.
    """

    def __init__(self, path: Path, keep_days: int, keep_bars: int) -> None:
        self._keep, self._bars = timedelta(days=keep_days), keep_bars
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        for sql in _TABLES:
            self._db.execute(sql)

    def write(
        self,
        time: datetime,
        bar_minutes: int,
        bars: Iterable[tuple[str, Bar]],
        readings: Iterable[ReadingRow],
        anew: Iterable[str] = (),
    ) -> None:
        """Add what one iteration saw; what is older than it is kept goes, and all earlier bars of symbols ``anew``."""
        stamp = int(time.timestamp())
        rows = [(r.symbol, stamp, r.close, r.atr, r.status, r.text, r.allowed, r.bound_by, r.code) for r in readings]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("DELETE FROM bars WHERE symbol = ?", [(symbol,) for symbol in anew])
            self._db.executemany(
                "INSERT OR REPLACE INTO bars VALUES (?, ?, ?, ?, ?, ?, ?)", ((s, *bar) for s, bar in bars)
            )
            self._db.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('bar_minutes', ?)", (str(bar_minutes),))
            self._db.execute("DELETE FROM readings WHERE time < ?", (stamp - int(self._keep.total_seconds()),))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def newest_close(self, symbol: str) -> tuple[int, float] | None:
        """When the newest bar of a symbol opens, and its close; None without any."""
        sql = "SELECT opens, close FROM bars WHERE symbol = ? ORDER BY opens DESC LIMIT 1"
        found: tuple[int, float] | None = self._db.execute(sql, (symbol,)).fetchone()
        return found

    def prune_bars(self, symbols: Iterable[str]) -> None:
        """Drop bars beyond those that are kept, by symbol."""
        for symbol in symbols:
            self._db.execute(
                "DELETE FROM bars WHERE symbol = ? AND opens < (SELECT min(opens) FROM (SELECT opens FROM bars WHERE "
                "symbol = ? ORDER BY opens DESC LIMIT ?))",
                (symbol, symbol, self._bars),
            )

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.close()


class MarketView:
    """Reads the file; a file that is not there, or cannot be read, is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def bars(self, symbol: str, most: int = 600) -> list[Bar]:
        """The newest bars of a symbol, oldest first."""
        sql = "SELECT opens, open, high, low, close, volume FROM bars WHERE symbol = ? ORDER BY opens DESC LIMIT ?"
        with self._open() as db:
            return [] if db is None else db.execute(sql, (symbol, most)).fetchall()[::-1]

    def bar_minutes(self) -> int:
        """Length of the bars; 1440 is a day, 0 unknown."""
        with self._open() as db:
            row = None if db is None else db.execute("SELECT value FROM about WHERE key = 'bar_minutes'").fetchone()
        return int(row[0]) if row else 0

    def symbols(self) -> list[str]:
        """Every symbol with readings."""
        with self._open() as db:
            return [] if db is None else [r[0] for r in db.execute("SELECT DISTINCT symbol FROM readings ORDER BY 1")]

    def reading(self, symbol: str, at: datetime | None = None) -> ReadingRow | None:
        """The last reading of a symbol at or before a moment, by default the newest."""
        sql = "SELECT * FROM readings WHERE symbol = ? AND time <= ? ORDER BY time DESC LIMIT 1"
        with self._open() as db:
            row = None if db is None else db.execute(sql, (symbol, _stamp(at))).fetchone()
        return None if row is None else _reading(row)

    def readings(self, at: datetime | None = None) -> list[ReadingRow]:
        """Every reading of the last iteration at or before a moment, by symbol."""
        sql = "SELECT * FROM readings WHERE time = (SELECT max(time) FROM readings WHERE time <= ?) ORDER BY symbol"
        with self._open() as db:
            return [] if db is None else [_reading(row) for row in db.execute(sql, (_stamp(at),))]

    def closes(self, symbols: Iterable[str], most: int) -> dict[str, dict[int, float]]:
        """Closes of the newest bars by symbol and opening."""
        return {symbol: {bar[0]: bar[4] for bar in self.bars(symbol, most)} for symbol in symbols}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        log = self._path.with_name(f"{self._path.name}-wal")
        written = log.is_file() and log.stat().st_size > 0
        address = f"file:{quote(str(self._path))}?mode=ro{'' if written else '&immutable=1'}"
        try:
            db = sqlite3.connect(address, uri=True, timeout=BUSY_S)
            db.execute("SELECT 1 FROM about LIMIT 1").fetchone()
        except sqlite3.Error:
            yield None
            return
        with closing(db):
            yield db


def _stamp(at: datetime | None) -> int:
    return 2**53 if at is None else int(at.timestamp())


def _reading(row: tuple[Any, ...]) -> ReadingRow:
    symbol, time, *rest = row
    return ReadingRow(datetime.fromtimestamp(time, UTC), symbol, *rest)
