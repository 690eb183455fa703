"""The counter of a key's requests, shared by every process that uses the key: commands count beside a trader."""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from brokers.kraken.connection.rates import Counter

LONGEST = 64
"""Bytes of the file."""


@dataclass(slots=True)
class SharedCounter(Counter):
    """A counter that is kept in a file of the state folder, which is locked while it is read and counted up.

    What cannot be read or written there is counted in this process alone, as without the file: Kraken's own refusal is
    the worst that comes of it.

    Parameters
    ----------
    path : Path, optional
        None counts here alone.
    wall : callable, optional
        Seconds since 1970, which the processes of a machine have in common.
    """

    path: Path | None = None
    wall: Callable[[], float] = time.time

    @contextmanager
    def held(self, time_s: float) -> Iterator[None]:
        """Keep other processes from counting meanwhile; what they counted before is in the level."""
        file = self._locked()
        if file is None:
            yield
            return
        try:
            self._read(file, time_s)
            yield
            self._write(file)
        finally:
            os.close(file)

    def _locked(self) -> int | None:
        """The open file, locked until it is closed; None where it cannot be opened or locked.

        Some network file systems open a file and have no locks.
        """
        if self.path is None:
            return None
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            os.close(file)
            return None
        return file

    def _read(self, file: int, time_s: float) -> None:
        try:
            level, at = map(float, json.loads(os.pread(file, LONGEST, 0)))
        except (OSError, ValueError, TypeError):
            return
        if math.isfinite(level) and math.isfinite(at):
            # A clock that was put back lets nothing be forgotten, and no file says more than the limit.
            since = max(0.0, self.wall() - at)
            self.now(time_s)
            self.level = min(self.most, max(0.0, level - since * self.decay))

    def _write(self, file: int) -> None:
        # Also where nothing was counted: a time that lies ahead, as before a clock was put back, must not stay.
        text = json.dumps([self.level, self.wall()])
        try:
            os.pwrite(file, text.ljust(LONGEST).encode(), 0)
        except OSError:
            return
