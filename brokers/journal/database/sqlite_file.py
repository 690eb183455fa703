"""A journal in one SQLite file: how it comes into being, how it is opened, and what is not one."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from brokers.durable import put_in_place
from config.errors import Refusal

_BUSY_TIMEOUT_S = 5.0


def sqlite_connection(path: Path, writer: bool) -> sqlite3.Connection:
    """An open connection to an existing file; a writer's commit is on the disk when it returns."""
    mode = "rw" if writer else "ro"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if writer:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def require_whole(path: Path) -> None:
    """Refuse an empty file, and a write-ahead log whose journal is gone.

    Raises
    ------
    Refusal
        A fresh journal in its place would forget orders that may be at the venue.
    """
    if path.is_dir():
        raise Refusal(f"{path}: is a folder; name a file for the journal, no orders until then")
    if path.exists():
        if path.stat().st_size == 0:
            raise Refusal(f"{path}: is damaged, it is empty; restore it from a copy, no orders until then")
        return
    left = path.with_name(f"{path.name}-wal")
    if left.exists():
        raise Refusal(f"{path}: is gone but {left.name} is there; put the journal back, no orders until then")


def create(path: Path, lay_out: Callable[[Connection], None]) -> None:
    """Make a new journal beside its place, then move it there whole; the caller holds the lock."""
    fresh = path.with_name(f".{path.name}.new")
    for left in (fresh, fresh.with_name(f"{fresh.name}-journal")):
        left.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    engine = create_engine("sqlite://", creator=lambda: _plain_connection(fresh), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            lay_out(connection)
        engine.dispose()
        put_in_place(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _plain_connection(path: Path) -> sqlite3.Connection:
    """Without a write-ahead log, so that one file is all there is to move."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def tables_digest(connection: Connection) -> str:
    """What tells the tables and indices of a file from any others, in hexadecimal digits."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    rows = [list(row) for row in connection.exec_driver_sql(query)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
