"""A journal in a PostgreSQL database: one session that writes, and what becomes of it when it is lost.

A writer holds an advisory lock of the server's, which ends with its session, and leaves a mark of its own. With
the lock free and the mark still there nobody wrote in between, and all that this process knows of the journal holds.
"""

from __future__ import annotations

import os
import re
import socket
import time
import uuid

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from brokers.journal.database.answer_limit import AnswerLimit
from brokers.journal.database.schema import meta
from config.errors import Refusal

_ADVISORY_LOCK = 0x6A6F75726E616C  # "journal", of this database only.
_STATEMENT_TIMEOUT = "30s"
_CONNECTION = {
    "connect_timeout": 5,
    # Without these a server whose machine is gone would be waited for by the hour.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_LOCK_WITHIN_S, _POLL_S = 2.0, 0.1
"""How long a lost session may take to end, ours or that of a killed process, and how often the lock is tried."""
_MARK = "writer"
_LONGEST_NAME = 63
NO_ORDERS = "no orders until then"
_AWAY = re.compile(
    r"connection refused|could not translate host name|no route to host|network is unreachable|timeout expired|"
    r"timed out|connection reset|server closed the connection|is the server running|starting up|shutting down|"
    r"recovery mode|too many (clients|connections)|connection slots",
    re.IGNORECASE,
)
"""What libpq and the server say where the same address and password may work later."""


class JournalTaken(Refusal):
    """Another process writes the journal, or has done so since this one lost it: this one has to end."""


def away(error: DBAPIError) -> bool:
    """Whether the server cannot be reached or takes nobody now; a wrong password or database is another matter."""
    return _AWAY.search(str(error.orig)) is not None


class Server:
    """Sessions of one database, one after the other.

    Parameters
    ----------
    url : URL
    name : str
        What messages may say.
    writer : bool
    answer_within_s : float
        A statement or commit without an answer for so long ends its session.
    """

    def __init__(self, url: URL, name: str, writer: bool, answer_within_s: float) -> None:
        self.name = name
        self.writer = writer
        try:
            # The server shows it to whoever asks who has the lock.
            program = f"process {os.getpid()} on {socket.gethostname()}"[:_LONGEST_NAME]
            options = {**_CONNECTION, "application_name": program}
            self._engine: Engine = create_engine(url, poolclass=NullPool, connect_args=options)
        except ModuleNotFoundError as error:
            raise Refusal(f"{name}: the driver is missing; pip install psycopg2-binary") from error
        self.limit = AnswerLimit(self._engine, answer_within_s)
        self._mark = uuid.uuid4().hex
        self._session: dict[str, object] = {}

    def connect(self) -> Connection:
        """A session, the only one that writes; Refusal if another process has that."""
        connection = self._begin_session()
        ends = time.monotonic() + _LOCK_WITHIN_S
        # A process that has just ended has its lock until the server notices.
        while self.writer and not self._lock(connection):
            if time.monotonic() < ends:
                time.sleep(_POLL_S)
                continue
            who = self._holder(connection)
            connection.close()
            raise Refusal(f"{self.name}: {who} writes this journal; stop it first, {NO_ORDERS}")
        self._session = self._identity(connection)
        return connection

    def leave_mark(self, connection: Connection) -> None:
        """Say who writes from here on; runs inside a transaction of the caller."""
        connection.execute(meta.delete().where(meta.c.key == _MARK))
        connection.execute(meta.insert().values(key=_MARK, value=self._mark))

    def connect_again(self) -> Connection:
        """A session in the place of one that was lost.

        Raises
        ------
        JournalTaken
            Another process has taken the journal.
        Refusal
            The lost session has not ended yet; try again.
        """
        connection = self._begin_session()
        try:
            if self.writer:
                self._take_back(connection)
            self._session = self._identity(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def transaction_id(connection: Connection) -> int | None:
        """What the server calls the present transaction; None while it has written nothing."""
        found: int | None = connection.scalar(text("SELECT txid_current_if_assigned()"))
        return found

    @staticmethod
    def committed(connection: Connection, transaction: int) -> bool:
        """Whether a transaction of a session that has ended is on the disk."""
        with connection.begin():
            status = connection.scalar(text("SELECT txid_status(:transaction)"), {"transaction": transaction})
        return bool(status == "committed")

    def close(self) -> None:
        self.limit.close()
        self._engine.dispose()

    def _begin_session(self) -> Connection:
        connection = self._engine.connect()
        with connection.begin():
            connection.execute(text("SET synchronous_commit = on"))
            connection.execute(text(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'"))
            if not self.writer:
                connection.execute(text("SET default_transaction_read_only = on"))
                # What is read in one transaction is of one moment, beside a writer too.
                connection.execute(text("SET default_transaction_isolation = 'repeatable read'"))
        return connection

    def _take_back(self, connection: Connection) -> None:
        ends = time.monotonic() + _LOCK_WITHIN_S
        # The server may not have noticed yet that the session is lost.
        alive = self._end_lost_session(connection)
        while not self._lock(connection):
            if time.monotonic() > ends:
                if alive and self._end_lost_session(connection):
                    raise Refusal(f"{self.name}: the session that was lost holds the journal still, {NO_ORDERS}")
                raise JournalTaken(f"{self.name}: another process has taken the journal; this one ends, start one only")
            time.sleep(_POLL_S)
        with connection.begin():
            mark = connection.scalar(meta.select().with_only_columns(meta.c.value).where(meta.c.key == _MARK))
        if mark != self._mark:
            raise JournalTaken(f"{self.name}: another process has written the journal; this one ends, start it again")

    def _end_lost_session(self, connection: Connection) -> bool:
        """End our own last session; False if there is none."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :start"
        with connection.begin():
            return bool(connection.execute(text(query), self._session).all())

    @staticmethod
    def _lock(connection: Connection) -> bool:
        with connection.begin():
            return bool(connection.scalar(text(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})")))

    @staticmethod
    def _holder(connection: Connection) -> str:
        """Who has the lock, as far as the server tells: its program's name holds the process number there."""
        query = """
            SELECT a.application_name AS program, a.client_addr AS address, a.backend_start AS start, a.pid AS backend
            FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'advisory' AND l.granted
              AND ((l.classid::bigint << 32) | l.objid::bigint) = :lock AND l.pid <> pg_backend_pid()
        """
        with connection.begin():
            found = connection.execute(text(query), {"lock": _ADVISORY_LOCK}).mappings().first()
        if found is None:
            return "another process"
        where = found["program"] or f"from {found['address'] or 'this machine'}"
        return f"another process ({where}, session {found['backend']} since {found['start']:%Y-%m-%d %H:%M:%S %Z})"

    @staticmethod
    def _identity(connection: Connection) -> dict[str, object]:
        query = "SELECT pid, backend_start AS start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        with connection.begin():
            return dict(connection.execute(text(query)).mappings().one())
