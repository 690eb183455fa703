"""Putting a finished file in its place so that a power cut leaves the old one or the new one, whole."""

import os
from pathlib import Path


def put_in_place(fresh: Path, path: Path) -> None:
    """Move ``fresh``, already written and synced, over ``path`` and sync the folder that names them.

    Raises
    ------
    OSError
        Before the move nothing has changed; after it, the move may not survive a power cut.
    """
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
