"""The journal's database: opened by one writer at a time, checked before it is believed.

A new SQLite journal is made complete under another name and then renamed, so that an empty or half-made file
is always damage and never taken for a beginning. PostgreSQL makes the tables in one transaction; a session that is
lost there is got back, unless another process has taken the journal in the meantime.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, inspect, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, NoSuchTableError
from sqlalchemy.pool import NullPool

from brokers.journal.database import chain, migrations, schema
from brokers.journal.database.address import Address, parse_address
from brokers.journal.database.disk_reserve import DiskReserve
from brokers.journal.database.file_lock import FileLock
from brokers.journal.database.integrity import require_sound
from brokers.journal.database.server import NO_ORDERS, JournalTaken, Server, away
from brokers.journal.database.sqlite_file import create, require_whole, sqlite_connection, tables_digest
from config.errors import NoAnswer, Refusal

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 5.0
"""How long a server may be silent, where no setting says it."""
REOPEN_PAUSE_S = 2.0
"""Between two tries to get a lost session back, so that nobody who needs the journal is kept by them for long."""


class NoJournalYet(Refusal):
    """An empty database: the first start of a trader makes the journal."""


class Store:
    """One connection, one transaction at a time, from any thread of this process.

    Parameters
    ----------
    address : str or Path
        A file, ``sqlite:///path`` or ``postgresql://…``.
    account_id : str or None
        The venue's name of the account; None reads any account's journal.
    writer : bool
        False opens what is there for reading, beside a writer.
    answer_within_s : float
        How long a server may be silent before its session counts as lost.

    Raises
    ------
    Refusal
        It is damaged, of another version or account, in use, or cannot be reached or written. It is left as
        it is.
    """

    def __init__(
        self,
        address: str | Path,
        account_id: str | None,
        writer: bool = True,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        if writer and not account_id:
            raise ValueError("a writer needs the account's id")
        self._mutex = threading.RLock()
        self._address: Address = parse_address(address)
        self._lock: FileLock | None = None
        self._reserve: DiskReserve | None = None
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._within: Connection | None = None
        """The connection, while a transaction is open."""
        self._inode: tuple[int, int] | None = None
        self._writes = writer
        self._server: Server | None = None
        self._answer_within_s = answer_within_s
        self._reopened = 0.0
        self._taken = ""
        self._writings = 0
        self.version = schema.VERSION
        """Of the tables as they are; an earlier one where they are only read."""
        try:
            with self._explained():
                if self._address.path is not None:
                    self._open_file(self._address.path, account_id, writer)
                elif self._address.url is not None:
                    self._open_server(self._address.url, account_id, writer)
                self._check(account_id)
                if writer:
                    self._sign()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The file, or the database's address without user and password."""
        return self._address.name

    @contextmanager
    def transaction(self, outdates: bool = True) -> Iterator[Connection]:
        """All or nothing; when this ends without an error, it is on the disk.

        Without ``outdates`` it writes nothing that anybody asks ``read_since`` about.

        Raises
        ------
        Refusal
            It could not be written or read, and nothing may be sent on it. Nothing of it is in the journal, unless a
            server was lost while it committed and could not be asked afterwards: what is read later tells.
        JournalTaken
            The same for good: another process writes the journal now.
        """
        with self._mutex:
            self._writings += outdates
            with self.reading() as connection:
                yield connection

    def read_since(self) -> tuple[int, int] | None:
        """What stays the same as long as nothing was written, by whomever; None where that cannot be known.

        The lock of a file keeps others out; where it was removed by hand, SQLite tells of their writings. A server's
        session may be lost without a word.

        Raises
        ------
        Refusal
            The file is no longer where it was.
        """
        if self._lock is None:
            return None
        with self._mutex, self._explained():
            connection = self._present()
            self._require_in_place()
            raw: Any = connection.connection.driver_connection
            try:
                (theirs,) = raw.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                # Asked past SQLAlchemy, which would have told it so.
                raise DBAPIError("PRAGMA data_version", None, error) from error
            return self._writings, theirs

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, so that answers read earlier stay valid; within another it is a part of it."""
        with self._mutex, self._explained():
            if self._within is not None:
                # The mutex lets only the thread that began it come here.
                yield self._within
                return
            connection = self._present()
            self._require_in_place()
            number: int | None = None
            try:
                with connection.begin():
                    self._within = connection
                    try:
                        yield connection
                    finally:
                        self._within = None
                    chain.keep_head(connection)
                    if self._server is not None:
                        number = self._server.transaction_id(connection)
            except BaseException as error:
                chain.forget_head(connection)
                # With a number it was the commit that had no answer.
                unanswered = isinstance(error, DBAPIError) and number is not None and connection.invalidated
                if not unanswered or not self._was_committed(number or 0):
                    raise

    def keeps_room(self) -> bool:
        """Whether the disk has room for what a full one would keep from being written; a server's is its own affair.

        Room that was given up is taken again as soon as the disk has enough.
        """
        return self._reserve is None or self._reserve.hold()

    def close(self) -> None:
        """Let go of the connection and the lock; closing twice is fine."""
        with self._mutex:
            if self._connection is not None:
                with suppress(DBAPIError):
                    self._connection.close()
            if self._engine is not None:
                self._engine.dispose()
            if self._server is not None:
                self._server.close()
            if self._reserve is not None:
                self._reserve.release()
            if self._lock is not None:
                self._lock.release()
            self._connection = self._engine = self._server = self._lock = self._reserve = None

    def _present(self) -> Connection:
        """The connection; a server's is got back after it was lost."""
        connection = self._connection
        if connection is not None and not (connection.closed or connection.invalidated):
            return connection
        if self._server is None:
            # A file is lost with its connection only where this has been closed.
            raise Refusal(f"{self.name}: the journal's connection is lost; start again, {NO_ORDERS}")
        if self._taken:
            raise JournalTaken(self._taken)
        if time.monotonic() - self._reopened < REOPEN_PAUSE_S:
            raise Refusal(f"{self.name}: the journal's connection is lost; it is being tried again, {NO_ORDERS}")
        return self._reopen(self._server)

    def _reopen(self, server: Server) -> Connection:
        self._reopened = time.monotonic()
        if self._connection is not None:
            with suppress(DBAPIError):
                self._connection.close()
        try:
            self._connection = server.connect_again()
        except JournalTaken as taken:
            self._taken = str(taken)
            raise
        finally:
            # A try may take its time; the pause comes after it.
            self._reopened = time.monotonic()
        log.warning("%s: the connection was lost and is back", self.name)
        return self._connection

    def _was_committed(self, transaction: int) -> bool:
        """Whether a transaction is on the disk whose commit had no answer; asked of the server at once."""
        assert self._server is not None
        return self._server.committed(self._reopen(self._server), transaction)

    def _open_file(self, path: Path, account_id: str | None, writer: bool) -> None:
        if writer:
            self._lock = FileLock(path)
            self._reserve = DiskReserve(path)
            self._reserve.hold()
            # What a killed process left on a disk that is full is what this one begins with.
            self._reserve.release_if_full()
            require_whole(path)
            if not path.exists():
                create(path, lambda connection: _lay_out(connection, account_id))
        elif not path.is_file():
            raise Refusal(f"{path}: there is no journal; name an existing one")
        else:
            require_whole(path)
        self._engine = create_engine("sqlite://", creator=lambda: sqlite_connection(path, writer), poolclass=NullPool)
        # The driver begins late and not for every statement; a transaction here is a transaction.
        begin = "BEGIN IMMEDIATE" if writer else "BEGIN"
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        self._connection = self._engine.connect()
        stat = path.stat()
        self._inode = (stat.st_dev, stat.st_ino)
        with self._connection.begin():
            damage = self._connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if damage != "ok":
            raise Refusal(f"{path}: is damaged; restore it from a copy, {NO_ORDERS}")

    def _open_server(self, url: URL, account_id: str | None, writer: bool) -> None:
        self._server = Server(url, self.name, writer, self._answer_within_s)
        self._connection = connection = self._server.connect()
        if writer:
            with connection.begin():
                if not inspect(connection).get_table_names():
                    _lay_out(connection, account_id)

    def _check(self, account_id: str | None) -> None:
        assert self._connection is not None
        with self._connection.begin():
            there = set(inspect(self._connection).get_table_names())
            if not there:
                raise NoJournalYet(
                    f"{self.name}: is empty, no trader has begun a journal in it; start one, {NO_ORDERS}"
                )
            if schema.meta.name not in there:
                raise Refusal(f"{self.name}: holds no journal; give the journal a place of its own, {NO_ORDERS}")
            query = select(schema.meta.c.key, schema.meta.c.value)
            found = {row.key: row.value for row in self._connection.execute(query)}
        if account_id is not None and found.get("account_id") != account_id:
            raise Refusal(
                f"{self.name}: account_id is {found.get('account_id')!r}, this is {account_id!r}; give each account a "
                f"journal of its own, {NO_ORDERS}"
            )
        version = str(found.get("schema_version"))
        if version not in schema.READABLE:
            raise Refusal(
                f"{self.name}: schema_version is {version}, known here is {schema.VERSION}; use the program that wrote "
                f"it, or move it away once the account is flat, {NO_ORDERS}"
            )
        self.version = int(version)
        late = {name for name, table in schema.metadata.tables.items() if schema.came_with(table) > self.version}
        if missing := sorted(schema.metadata.tables.keys() - there - late):
            raise Refusal(f"{self.name}: is damaged, table {missing[0]} is gone; restore it from a copy, {NO_ORDERS}")
        patience = self._server.limit.patient() if self._server is not None else nullcontext()
        with patience, self._connection.begin():
            require_sound(self._connection, self.name, self.version)
        if self._writes and self.version < schema.VERSION:
            self._upgrade(self._connection, self.version, str(account_id))
            self.version = schema.VERSION

    def _upgrade(self, connection: Connection, version: int, account_id: str) -> None:
        """Bring a journal to the present version, whole or not at all."""
        copy = ""
        if self._address.path is not None:
            copy = f", as it was it is kept as {migrations.keep_copy(connection, self._address.path, version)}"
        patience = self._server.limit.patient() if self._server is not None else nullcontext()
        try:
            with patience, connection.begin():
                migrations.upgrade(connection, version, account_id)
                _sign_tables(connection)
        finally:
            chain.forget_head(connection)
        log.warning("%s: brought from schema version %s to %s%s", self.name, version, schema.VERSION, copy)

    def _sign(self) -> None:
        """Leave a writer's mark at a server, now that the journal is known to be the right one."""
        if self._server is not None and self._connection is not None:
            with self._connection.begin():
                self._server.leave_mark(self._connection)

    def _require_in_place(self) -> None:
        """What is written into a file that was moved or deleted is not found after a restart."""
        path = self._address.path
        if path is None:
            return
        try:
            stat = path.stat()
        except OSError:
            stat = None
        if stat is None or (stat.st_dev, stat.st_ino) != self._inode:
            raise Refusal(f"{path}: was moved or replaced while in use; put it back and start again, {NO_ORDERS}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if self._reserve is not None:
                # What failed is tried again by whoever needs it, as stops and exits are at the next look.
                self._reserve.release_if_full()
            # Whoever only reads has an exit status 1 of its own meaning.
            later = self._writes and self._server is not None and (self._server.limit.expired or away(error))
            raise (NoAnswer if later else Refusal)(f"{self.name}: {self._told(error)}") from error
        except OSError as error:
            raise Refusal(f"{self.name}: {error.strerror}; make its folder writable, {NO_ORDERS}") from error
        except (UnicodeError, OverflowError, NoSuchTableError) as error:
            # Raised by the driver before it knows what it reads.
            raise Refusal(
                f"{self.name}: is damaged ({type(error).__name__}); restore it from a copy, {NO_ORDERS}"
            ) from error

    def _told(self, error: DBAPIError) -> str:
        """The driver's first line and the way out, without statement, values and password."""
        said = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
        url = self._address.url
        if url is not None:
            if self._server is not None and self._server.limit.expired:
                said = f"no answer within {self._answer_within_s:g} s"
            if url.password:
                said = said.replace(str(url.password), "********")
            return f"the database refused ({said}); check DATABASE_URL and the server, {NO_ORDERS}"
        ways = {
            "malformed": "is damaged; restore it from a copy",
            "not a database": "is damaged; restore it from a copy",
            "full": "the disk is full; make room",
            "readonly": "cannot be written; make it and its folder writable",
            "locked": "another program holds it; close that",
        }
        for word, way in ways.items():
            if word in said:
                return f"{way}, {NO_ORDERS}"
        return f"cannot be used ({said}); make it and its folder readable and writable, {NO_ORDERS}"


def _lay_out(connection: Connection, account_id: Any) -> None:
    schema.metadata.create_all(connection)
    rows = {"schema_version": str(schema.VERSION), "account_id": account_id}
    connection.execute(schema.meta.insert(), [{"key": key, "value": value} for key, value in rows.items()])
    chain.begin(connection, str(account_id))
    _sign_tables(connection)


def _sign_tables(connection: Connection) -> None:
    """Keep what the tables of a file are, so that damage to their definition shows."""
    if connection.dialect.name == "sqlite":
        connection.execute(schema.meta.delete().where(schema.meta.c.key == "tables"))
        connection.execute(schema.meta.insert().values(key="tables", value=tables_digest(connection)))
