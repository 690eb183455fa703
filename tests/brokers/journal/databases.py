"""Statements on a journal's database, around the journal."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path


def execute(address: str, statement: str) -> None:
    """Change a journal behind its back."""
    if address.startswith("postgresql"):
        import psycopg2

        connection = psycopg2.connect(address)
        connection.autocommit = True
        connection.cursor().execute(statement)
    else:
        connection = sqlite3.connect(address, isolation_level=None)
        connection.execute(statement)
    connection.close()


def end_sessions(url: str) -> None:
    """Whoever uses the database loses the connection."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    execute(url, others + "current_database()")


KEPT = Path(__file__).parent / "kept"


def put(path: Path, version: int = 1) -> Path:
    """Put a file of an earlier version in a place."""
    path.parent.mkdir(exist_ok=True)
    return Path(shutil.copyfile(KEPT / f"version_{version}.sqlite", path))
