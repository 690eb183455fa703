"""A limit on how long a server may be silent: its driver waits for an answer without an end.

One thread stands by. When an answer is overdue it shuts the connection's socket down, and the call that waits ends as
if the server had closed the connection; so a session that hangs takes the way of one that was lost.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


class AnswerLimit:
    """Ends calls of one engine's only connection that have no answer within ``seconds``.

    Parameters
    ----------
    engine : Engine
        Of a driver whose connections have a ``fileno``.
    seconds : float
        For each statement and each commit.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        """Whether the last call was ended by this."""
        self._changed = threading.Condition()
        self._due: tuple[float, int] | None = None
        self._off = 0
        self._closed = False
        self._thread = threading.Thread(target=self._stand_by, name="journal-answers", daemon=True)
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", lambda *_: self._disarm())
        event.listen(engine, "handle_error", lambda _: self._disarm())
        dialect: Any = engine.dialect
        dialect.do_commit = self._limited(dialect.do_commit)
        dialect.do_rollback = self._limited(dialect.do_rollback)
        self._thread.start()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """No limit inside, for what takes its time, as an upgrade does."""
        self._off += 1
        try:
            yield
        finally:
            self._off -= 1

    def close(self) -> None:
        with self._changed:
            self._closed, self._due = True, None
            self._changed.notify()

    def _before(self, connection: Any, cursor: Any, *_: object) -> None:
        self._arm(cursor.connection)

    def _limited(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def limited(connection: Any) -> None:
            self._arm(connection)
            try:
                call(connection)
            finally:
                self._disarm()

        return limited

    def _arm(self, connection: Any) -> None:
        if self._off or connection.closed:
            return
        with self._changed:
            self.expired = False
            self._due = time.monotonic() + self.seconds, connection.fileno()
            self._changed.notify()

    def _disarm(self) -> None:
        with self._changed:
            self._due = None

    def _stand_by(self) -> None:
        with self._changed:
            while not self._closed:
                if self._due is None:
                    self._changed.wait()
                elif (left := self._due[0] - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    # Whoever waits for the answer cannot go on, and so not close the socket, before this lets go.
                    self._shut(self._due[1])
                    self.expired, self._due = True, None

    @staticmethod
    def _shut(fileno: int) -> None:
        with suppress(OSError):
            line = socket.socket(fileno=os.dup(fileno))
            try:
                line.shutdown(socket.SHUT_RDWR)
            finally:
                line.close()
