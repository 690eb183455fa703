"""Whole runs in memory, for the tests of checks, golden hashes and real data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from backtests.data.data_sets import DataSet, load_data, window
from backtests.execution import execute
from backtests.request import EMBEDDED_OVERLAY
from backtests.run_data import wants_intraday
from backtests.run_result import RunResult
from brokers.record import RunRecord
from config import Settings, load
from strategies.registry import build_pipeline, strategy_class


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run with what it ran on."""

    result: RunResult
    settings: Settings
    data: DataSet
    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def record(self) -> RunRecord:
        return self.result.record


def backtest(
    profile: str,
    data: str | Path = "embedded",
    start: str | None = None,
    end: str | None = None,
    sets: Mapping[str, Any] | None = None,
) -> Run:
    """What the command line runs with the same arguments, without its files."""
    overlays = [EMBEDDED_OVERLAY] if data == "embedded" else []
    settings = load(profile, overrides=sets or {}, overlays=overlays)
    symbols = list(dict.fromkeys([*build_pipeline(settings).symbols(), settings.universe.benchmark]))
    first, last = (None if day is None else date.fromisoformat(day) for day in (start, end))
    found = load_data(str(data), symbols, first, last, intraday=wants_intraday(settings), seed=0)
    begins, ends = window(found, first, last)
    return Run(execute(found, strategy_class("combined"), settings, begins, ends), settings, found, begins, ends)
