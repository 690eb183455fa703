"""A PostgreSQL server whose sessions hang, end, turn read-only or find its disk full."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

from sqlalchemy import text

from brokers.journal import Journal
from tests.brokers.journal.databases import end_sessions, execute
from tests.brokers.journal.postgres_server import PostgresServer

FULL = """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"""
EACH_TABLE = """DO $$ DECLARE name text; BEGIN
FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
EXECUTE {statement}; END LOOP; END $$"""
FILL = EACH_TABLE.format(
    statement="format('CREATE TRIGGER disk BEFORE INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION full_disk()', "
    "name)"
)
EMPTY = EACH_TABLE.format(statement="format('DROP TRIGGER IF EXISTS disk ON %I', name)")


@contextmanager
def quick_to_give_up() -> Iterator[None]:
    """A journal that asks a lost server again at once, since the local clock does not follow the scripted day's."""
    with (
        patch("brokers.journal.database.store.REOPEN_PAUSE_S", 0.0),
        patch("brokers.journal.database.server._LOCK_WITHIN_S", 0.3),
    ):
        yield


class TroubledServer:
    """One database at a time, with one trouble at a time until it is healed."""

    TROUBLES = ("hangs", "ends", "turns read-only", "fills up")

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._url = self._name = self.troubled = ""
        self._hanging = 0

    def fresh(self) -> str:
        self._url = self._server.fresh()
        self._name = self._url.partition("@/")[2].partition("?")[0]
        return self._url

    def trouble(self, chance: Random, journal: Journal) -> str:
        """Begin one of the troubles; its name."""
        self.heal()
        what = chance.choice(self.TROUBLES)
        if what == "hangs":
            with journal._store.transaction() as connection:
                self._hanging = int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
            os.kill(self._hanging, signal.SIGSTOP)
        elif what == "ends":
            end_sessions(self._url)
        elif what == "turns read-only":
            execute(self._url, f"ALTER DATABASE {self._name} SET default_transaction_read_only = on")
            end_sessions(self._url)
        else:
            execute(self._url, FULL)
            execute(self._url, FILL)
        self.troubled = what
        return f"the database {what}"

    def heal(self) -> None:
        """End the trouble."""
        what, self.troubled = self.troubled, ""
        if what == "hangs":
            os.kill(self._hanging, signal.SIGCONT)
        elif what == "turns read-only":
            url = f"{self._url}&options=-c%20default_transaction_read_only%3Doff"
            execute(url, f"ALTER DATABASE {self._name} RESET default_transaction_read_only")
            end_sessions(self._url)
        elif what == "fills up":
            execute(self._url, EMPTY)
            execute(self._url, "DROP FUNCTION full_disk()")
