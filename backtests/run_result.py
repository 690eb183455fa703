"""What a backtest leaves in memory, whichever engine ran it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brokers.record import RunRecord
from market.bars import BarTable


@dataclass(frozen=True, slots=True)
class RunResult:
    """``strategy`` has ``pipeline``, ``feed``, ``broker``, ``book``, ``plan`` and ``notes`` of the finished run.

    ``seconds`` is what the engine's loop took, features included, files and reports not. ``interrupted`` names the
    signal that ended the run before its window did; empty for a complete one.
    """

    record: RunRecord
    table: BarTable
    strategy: Any
    seconds: float
    interrupted: str = ""
