"""Reading a file that a user named: whole, at once, and never waiting for somebody to write it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024
"""Of a file of settings, keys or symbols."""


def read_ordinary(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of an ordinary file.

    Raises
    ------
    OSError
        It cannot be opened, or is a folder, a pipe or a device (``is no ordinary file``), or is too large.
    """
    # Without this flag a pipe would be waited for until somebody writes into it.
    if "\0" in str(path):
        # No file is called so, and the system's functions refuse it as a programmer's error.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is no ordinary file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, "is too large", str(path))
    return content
