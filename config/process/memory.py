"""What a process no longer needs of its memory goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

LARGE_BYTES = 2 << 20
SPARE_BYTES = 8 << 20
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The numbers of the settings in ``malloc.h``."""


def give_back_large_blocks() -> None:
    """Give blocks of two megabytes and more back as soon as they are freed; nothing where the library is not glibc.

    By itself glibc raises that size with each large block that is freed, up to 32 MB: arrays of a table then lie
    between small values that stay, and of a trader of many symbols a fifth is room that nobody uses.
    """
    if sys.platform != "linux":
        return
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(_MMAP_THRESHOLD, LARGE_BYTES)
        change(_TRIM_THRESHOLD, SPARE_BYTES)


def give_back_free_memory() -> None:
    """Give back what is free now, as after a large file was read: hundreds of MB.

    Frames refer to themselves in circles, and pyarrow has a pool of its own for each thread that read.
    """
    gc.collect()
    if pyarrow := sys.modules.get("pyarrow"):
        pyarrow.default_memory_pool().release_unused()
    # Where the library is not glibc there is nothing to call.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
