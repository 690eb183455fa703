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

from brokers.kraken.connection.rates import ITERATION, LOOK, Counter

LONGEST = 96
"""Bytes of the file."""
TRADER_S = 660.0
"""So long after a trader's last request there may still be one: it looks at least once in ten minutes."""


@dataclass(slots=True)
class SharedCounter(Counter):
    """A counter that is kept in a file of the state folder, which is locked while it is read and counted up.

    What cannot be read or written there is counted in this process alone, as without the file: Kraken's own refusal is
    the worst that comes of it. When a trader has counted last is in the file too, so that a command beside it takes
    what the trader's next look and iteration leave over.

    Parameters
    ----------
    path : Path, optional
        None counts here alone.
    wall : callable, optional
        Seconds since 1970, which the processes of a machine have in common.
    trades : bool, optional
        Whether this process sends orders.
    """

    path: Path | None = None
    wall: Callable[[], float] = time.time
    trades: bool = True
    _trader_at: float = 0.0

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

    def left_to_trader(self) -> float:
        beside = not self.trades and self.wall() - self._trader_at < TRADER_S
        return ITERATION + LOOK if beside else 0.0

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
            level, at, *traders = map(float, json.loads(os.pread(file, LONGEST, 0)))
        except (OSError, ValueError, TypeError):
            return
        self._trader_at = next(filter(math.isfinite, traders), 0.0)
        if math.isfinite(level) and math.isfinite(at):
            # A clock that was put back lets nothing be forgotten, and no file says more than the limit.
            since = max(0.0, self.wall() - at)
            self.now(time_s)
            self.level = min(self.most, max(0.0, level - since * self.decay))

    def _write(self, file: int) -> None:
        # Also where nothing was counted: a time that lies ahead, as before a clock was put back, must not stay.
        now = self.wall()
        text = json.dumps([self.level, now, now if self.trades else self._trader_at])
        try:
            os.pwrite(file, text.ljust(LONGEST).encode(), 0)
        except OSError:
            return
