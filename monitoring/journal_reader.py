"""Reads a journal beside its writer, in SQLite or PostgreSQL: short read-only connections, statements and rows alone.

Written for a page that answers in milliseconds from a small process, so without the library that writes the journal.
A file is never created, changed or locked.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config.errors import Refusal

READABLE = ("1", "2", "3", "4")
BUSY_S, SERVER_S = 2.0, 5
_NAMED = re.compile(r"(?<!:):([a-z_]+)")


class Statements:
    """One read-only connection: runs statements with ``:name`` parameters and reads values of either database.

    ``version`` is that of the tables.
    """

    def __init__(self, raw: Any, server: bool, version: int = 4) -> None:
        self._raw, self.server, self.version = raw, server, version

    def rows(self, sql: str, /, **values: Any) -> list[Mapping[str, Any]]:
        """The rows of a statement, by column."""
        if self.server:
            cursor = self._raw.cursor()
            cursor.execute(_NAMED.sub(r"%(\1)s", sql), values)
        else:
            cursor = self._raw.execute(sql, {k: _text(v) for k, v in values.items()})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def scalar(self, sql: str, /, **values: Any) -> Any:
        """The first column of the first row; None without one."""
        return next((next(iter(row.values())) for row in self.rows(sql, **values)), None)


class JournalReader:
    """A journal that another process may be writing.

    Parameters
    ----------
    address : str or Path
        A SQLite file or ``postgresql://…``; the address is in no message.
    """

    def __init__(self, address: str | Path) -> None:
        text = str(address)
        self._url = _libpq(text) if text.startswith("postgres") else None
        self._path = None if self._url else Path(text.removeprefix("sqlite:///"))

    @property
    def name(self) -> str:
        """What messages may say."""
        return "the journal's database" if self._path is None else str(self._path)

    @contextmanager
    def open(self) -> Iterator[Statements]:
        """A connection for one answer.

        Raises
        ------
        Refusal
            There is no journal, it cannot be read, or it is of another version.
        """
        raw = self._server() if self._path is None else self._file(self._path)
        try:
            statements = Statements(raw, self._path is None)
            version = statements.scalar("SELECT value FROM meta WHERE key = 'schema_version'")
            if version not in READABLE:
                raise Refusal(f"{self.name}: schema_version is {version}, readable here are {', '.join(READABLE)}")
            statements.version = int(version)
            yield statements
        except sqlite3.Error as error:
            raise Refusal(f"{self.name}: cannot be read ({error})") from None
        except Refusal:
            raise
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg2":
                raise
            # What the driver says may hold the address.
            raise Refusal(f"{self.name}: does not answer ({type(error).__name__}); check DATABASE_URL") from None
        finally:
            with suppress(Exception):
                raw.close()

    def mark(self) -> str:
        """A word that changes with whatever is written."""
        with self.open() as db:
            if head := db.scalar("SELECT value FROM meta WHERE key = 'chain'"):
                return str(head)
            return str(db.rows("SELECT (SELECT max(id) FROM decisions) a, (SELECT max(id) FROM order_events) b"))

    def _file(self, path: Path) -> sqlite3.Connection:
        if not path.is_file():
            raise Refusal(
                f"{path}: there is no journal; start the trader, name its folder with --state-dir, or set DATABASE_URL "
                "where a database has the journal"
            )
        log = path.with_name(f"{path.name}-wal")
        # Without a write-ahead log nobody writes, and a plain reader would leave files of its own beside the journal.
        written = log.is_file() and log.stat().st_size > 0
        mode = "mode=ro" if written else "mode=ro&immutable=1"
        try:
            return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as error:
            raise Refusal(f"{path}: cannot be read ({error}); make it readable") from None

    def _server(self) -> Any:
        import psycopg2

        options = f"-c default_transaction_read_only=on -c statement_timeout={SERVER_S * 1000}"
        try:
            return psycopg2.connect(self._url, connect_timeout=SERVER_S, options=options)
        except psycopg2.Error as error:
            raise Refusal(f"{self.name}: does not answer ({type(error).__name__}); check DATABASE_URL") from None


def number(value: Any) -> float | None:
    """A number as either database has it; None for none."""
    return None if value is None else float(value)


def moment(value: Any) -> datetime:
    """A time as either database has it, in UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    assert isinstance(found, datetime)
    return found.astimezone(UTC)


def document(value: Any) -> Any:
    """A JSON column as either database has it."""
    return json.loads(value) if isinstance(value, str) else value


def numbered(values: Sequence[Any], prefix: str = "v") -> tuple[str, dict[str, Any]]:
    """Parameters for ``IN (…)``: their names in brackets, and their values."""
    names = {f"{prefix}_{_letters(i)}": value for i, value in enumerate(values)}
    return "(" + ", ".join(f":{name}" for name in names) + ")", names


def _letters(i: int) -> str:
    return chr(97 + i % 26) + ("" if i < 26 else _letters(i // 26 - 1))


def _libpq(text: str) -> str:
    scheme, _, rest = text.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def _text(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
