"""Room on the disk that a journal keeps for the day when the disk is full: stops and exits must still be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from config.process.private_files import OWNER_ONLY

BYTES = 4 * 2**20
"""What several hundred orders take with their states and fills."""
FULL_BELOW = 256 * 1024
"""A transaction with its pages in the write-ahead log takes less."""


class DiskReserve:
    """A file of ``BYTES`` beside a journal, given up where a write finds the disk full.

    Another program may take the room first: this makes a write possible more often, it promises none.
    """

    def __init__(self, journal: Path) -> None:
        real = journal.resolve()
        self._path = real.with_name(f"{real.name}-reserve")
        self.held = False

    def hold(self) -> bool:
        """Have the file, made anew only where the journal keeps as much room beside it; whether it is there."""
        if not self.held:
            try:
                self.held = self._made()
            except OSError:
                self.release()
        return self.held

    def release_if_full(self) -> None:
        """Give the room up where the disk has none; SQLite has several words for that."""
        try:
            full = shutil.disk_usage(self._path.parent).free < FULL_BELOW
        except OSError:
            return
        if full:
            self.release()

    def release(self) -> None:
        """Give the room up, also that of a process that was killed."""
        self.held = False
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            # Where even that fails, the journal says what is wrong with its folder.
            return

    def _made(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._path, flags, OWNER_ONLY)
        try:
            there = os.fstat(handle)
            # A sparse file of that size holds no room.
            if there.st_size < BYTES or there.st_blocks * 512 < BYTES:
                if shutil.disk_usage(self._path.parent).free < 2 * BYTES:
                    raise OSError("too little room")
                os.posix_fallocate(handle, 0, BYTES)
        finally:
            os.close(handle)
        return True
