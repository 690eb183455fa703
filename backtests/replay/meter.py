"""The progress bar of a run."""

from __future__ import annotations

import threading

from tqdm import tqdm


class BarMeter(tqdm):
    """Counts bars, without the thread that tqdm starts to look for bars that stand still.

    A process that had another thread cannot be copied for its tearsheet.
    """

    monitor_interval = 0
    # tqdm's own is shared by processes: one that is ended with its trial would leave it behind.
    _lock = threading.RLock()
