"""What a run was asked to do, and with what: the head of its reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd

from backtests.reports.breakdowns import OpenPosition
from backtests.reports.metrics import Figure, curve_metrics
from market.trading_day import day_of

SHORTEST_YEAR = 350
"""Days of the shortest window whose growth is shown per year."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run was asked to do and with what; the record says what came of it.

    Parameters
    ----------
    mode, strategy, profile : str
        ``backtest`` or another mode, the strategy's name, the profile's name.
    evidence : str
        What is known of the profile on bars that it was not chosen on, see ``Settings.told_evidence``.
    data_source, data_hash, config_hash : str
        Where the bars came from and what identifies them and the merged settings.
    start, end : datetime or date
        The window that was run.
    symbols, missing_symbols : sequence of str
        What was traded, and what was asked for but unknown to the source.
    fill_assumptions : mapping
        Slippage, fees and the rules for ambiguous bars, as applied.
    benchmark : str
        Symbol of the benchmark, empty if there is none.
    benchmark_closes : Series of float or None
        Its session closes over the window, indexed by time.
    benchmark_drawdown : float or None
        The benchmark's maximum drawdown at every bar's close, as the run's is measured; None where only session closes
        are known.
    sessions_per_year : int
        Annualises Sharpe and Sortino, the tearsheet's rows of them too; 365 for a market that never closes.
    seconds : mapping of str to float
        Time spent on ``data`` and ``engine``; the report measures itself.
    versions : mapping of str to str
        Of this package, Lumibot and Python.
    notes : sequence of str
        What a reader must know before believing the figures, e.g. that the data is synthetic.
    bare_s : float
        Longest time, seconds, that shares of a live run were known to be without a working stop.
    warnings : sequence of str
        Notes about what the result is made of that is no result, e.g. the jump of a split; told above the figures.
    seed : int or None
    open_positions : sequence of OpenPosition
        What was still held at the end: equity counts it, no trade does.
    interrupted : str
        The signal that ended the run before its window did; empty for a complete run.
    """

    mode: str
    strategy: str
    profile: str
    evidence: str
    data_source: str
    data_hash: str
    config_hash: str
    start: date
    end: date
    symbols: Sequence[str]
    missing_symbols: Sequence[str] = ()
    fill_assumptions: Mapping[str, Any] = field(default_factory=dict)
    benchmark: str = ""
    benchmark_closes: pd.Series | None = None
    benchmark_drawdown: float | None = None
    sessions_per_year: int = 252
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    seed: int | None = None
    open_positions: Sequence[OpenPosition] = ()
    interrupted: str = ""
    bare_s: float = 0.0
    warnings: Sequence[str] = ()

    @property
    def days(self) -> str:
        """First and last day, by the midnight that ends a day of this run's market."""
        first, last = (day_of(at) if isinstance(at, datetime) else at for at in (self.start, self.end))
        return f"{first} to {last}"

    @property
    def cash_rate(self) -> float:
        """What idle cash earned in a year."""
        return float(self.fill_assumptions.get("cash_interest_frac", 0.0))

    @property
    def benchmark_figures(self) -> dict[str, Figure]:
        """The benchmark's own figures over the window; empty without a benchmark."""
        if self.benchmark_closes is None:
            return {}
        found = curve_metrics(self.benchmark_closes, self.sessions_per_year, self.cash_rate)
        return found if self.benchmark_drawdown is None else {**found, "max_drawdown": self.benchmark_drawdown}

    @property
    def shows_growth_per_year(self) -> bool:
        """Whether the window is long enough for a yearly rate to say anything: a good week would read as a fortune.

        A calendar year from its first session to its last is a little less than 365 days.
        """
        return (self.end - self.start).days >= SHORTEST_YEAR
