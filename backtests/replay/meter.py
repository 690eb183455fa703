"""The progress bar of a run."""

from __future__ import annotations

from tqdm import tqdm


class BarMeter(tqdm):
    """Counts bars, without the thread that tqdm starts to look for bars that stand still.

    A process that had another thread cannot be copied for its tearsheet.
    """

    monitor_interval = 0
