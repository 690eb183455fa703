"""Why a message was not delivered, in a few words of our own: what a service's plugin says may hold the address."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

LOGGER = "apprise"
_STATUS = re.compile(r"\b(?:error|status|code)\W{0,3}(?P<status>[1-5]\d\d)\b", re.IGNORECASE)
_WORDS = (
    ("the certificate is not accepted", re.compile(r"certificate", re.IGNORECASE)),
    ("no TLS connection", re.compile(r"\bssl\b|\btls\b|sslerror|wrong version number", re.IGNORECASE)),
    ("no answer in time", re.compile(r"timed out|timeout", re.IGNORECASE)),
    ("its host is not known", re.compile(r"resolve|name or service|getaddrinfo|nodename", re.IGNORECASE)),
    ("the connection was refused", re.compile(r"connection refused", re.IGNORECASE)),
    ("the sign-in was refused", re.compile(r"authenticat", re.IGNORECASE)),
    ("the connection broke", re.compile(r"connection|socket", re.IGNORECASE)),
)
UNKNOWN = "its service does not say why"


class Failures(logging.Handler):
    """Listens to apprise's own log, which is written nowhere, and keeps what it says of errors during an attempt.

    It sends from threads of its own, so that two attempts at once would hear each other; the notifier has one.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._open: list[list[str]] = []

    @contextmanager
    def attempt(self) -> Iterator[list[str]]:
        """What apprise says until the end of it."""
        said: list[str] = []
        self._open.append(said)
        try:
            yield said
        finally:
            # By identity: two that have heard nothing are equal.
            self._open = [other for other in self._open if other is not said]

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # The message itself is among what is said for debugging.
        if record.levelno >= logging.WARNING or "exception: " in text.lower().partition("payload")[0]:
            for said in tuple(self._open):
                said.append(text)


def why(said: list[str]) -> str:
    """The reason, in words that hold no part of an address."""
    text = "\n".join(said)
    if found := _STATUS.search(text):
        status = found["status"]
        return f"status {status}, a redirect, which is not followed" if status.startswith("3") else f"status {status}"
    return next((words for words, pattern in _WORDS if pattern.search(text)), UNKNOWN)
