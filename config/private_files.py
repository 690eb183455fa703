"""Files and folders that are for their owner alone: journals, logs and runs tell what somebody owns."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY, FOLDER_OWNER_ONLY = 0o600, 0o700
_OTHERS = 0o077


@contextmanager
def private_files() -> Iterator[None]:
    """While this lasts, whatever this process or its children create is readable by its owner alone."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it, for the owner alone; one that is there stays as it is.

    Raises
    ------
    OSError
        It cannot be made.
    """
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_OWNER_ONLY, exist_ok=True)
    folder.mkdir(exist_ok=True)


def open_to_others(path: Path) -> bool:
    """Whether others than its owner can read, write or enter what is there."""
    return bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)
