"""The number that every private request carries, and that has to grow for as long as the key lives."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.errors import Refusal

MICROSECONDS = 1_000_000
LARGEST_JUMP = 366 * 24 * 3_600 * MICROSECONDS
"""A kept number farther ahead of the clock than this was not written by a working clock."""


def _now() -> int:
    return time.time_ns() // 1_000


class Nonce:
    """Counts up in microseconds, across threads, processes and restarts.

    Kraken refuses a number that is not above every earlier one of the same key, also when the clock of the machine was
    put back. So the last one is kept in a file, which is locked while one is taken. Two processes may still be heard in
    the other order, so a number that is refused is followed by another one. A key belongs to one program: what another
    one sends in between in larger numbers makes ours too small for good.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    now : callable, optional
        Present time, microseconds since 1970.

    Raises
    ------
    Refusal
        The file cannot be used, or what is in it is no such number.
    """

    def __init__(self, path: Path, now: Callable[[], int] = _now) -> None:
        self.path = path
        self._now = now
        self._mutex = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                self._read(file)
        except OSError as error:
            raise Refusal(f"{path}: cannot be used ({error.strerror}); name another folder with --state-dir") from None

    def take(self) -> int:
        """The next number."""
        with self._mutex, self._locked() as file:
            number = max(self._now(), self._read(file) + 1)
            # Written before it is used: a process that dies in between costs a number, not a refusal.
            os.pwrite(file, f"{number:020d}\n".encode(), 0)
            return number

    @contextmanager
    def _locked(self) -> Iterator[int]:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _read(self, file: int) -> int:
        text = os.pread(file, 64, 0).decode("ascii", "replace").strip()
        if not text:
            return 0
        if not text.isdecimal() or int(text) > self._now() + LARGEST_JUMP:
            raise Refusal(
                f"{self.path}: {text[:32]!r} is no nonce of this program; delete the file and use a new key of Kraken's"
            )
        return int(text)
