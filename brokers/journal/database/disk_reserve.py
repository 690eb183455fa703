"""Room on the disk that a journal keeps for the day when the disk is full: stops and exits must still be written."""

from __future__ import annotations

import errno
import logging
import math
import os
import shutil
from pathlib import Path

from config.process.private_files import OWNER_ONLY

BYTES = 4 * 2**20
"""What several hundred orders take with their states and fills."""
FULL_BELOW = 256 * 1024
"""A transaction with its pages in the write-ahead log takes less."""

log = logging.getLogger(__name__)


class DiskReserve:
    """A file of ``BYTES`` beside a journal, given up where a write finds the disk full.

    Another program may take the room first: this makes a write possible more often, it promises none.
    """

    def __init__(self, journal: Path) -> None:
        real = journal.resolve()
        self._path = real.with_name(f"{real.name}-reserve")
        self.held = self._told = False

    def hold(self) -> bool:
        """Have the file, made anew only where the journal keeps as much room beside it; False where the disk is full.

        Where something else keeps it from being made, a warning says so once, and nothing stops for want of a reserve.
        """
        if self.held:
            return True
        try:
            self.held = self._made()
        except OSError as error:
            self.release()
            if self._free() < 2 * BYTES:
                return False
            if not self._told:
                self._told = True
                log.warning(
                    "%s: no room can be kept for the day when the disk is full (%s)", self._path, error.strerror
                )
        return True

    def release_if_full(self) -> None:
        """Give the room up where the disk has none; SQLite has several words for that."""
        if self._free() < FULL_BELOW:
            self.release()

    def release(self) -> None:
        """Give the room up, also that of a process that was killed."""
        self.held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            # Where even that fails, the journal says what is wrong with its folder.
            return

    def _free(self) -> float:
        """Bytes that the disk has left; endless where it does not say."""
        try:
            return shutil.disk_usage(self._path.parent).free
        except OSError:
            return math.inf

    def _made(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._path, flags, OWNER_ONLY)
        try:
            there = os.fstat(handle)
            # A sparse file of that size holds no room.
            if there.st_size < BYTES or there.st_blocks * 512 < BYTES:
                if self._free() < 2 * BYTES:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.posix_fallocate(handle, 0, BYTES)
        finally:
            os.close(handle)
        return True
