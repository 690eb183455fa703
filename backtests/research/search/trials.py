"""One trial: a configuration on a data set, run by the replay engine, and what is kept of it."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pydantic import ValidationError

from backtests.apart import apart
from backtests.replay.engine import replay
from backtests.reports.metrics import curve_metrics, excess_returns, session_closes
from backtests.research.search.space import JOINED
from backtests.research.search.windows import Window
from backtests.research.statistics import moves
from config import Settings
from config.errors import Refusal
from config.reading.error_messages import closest, sentence
from config.values.provenance import Provenance
from market.bars import BarTable
from market.trading_day import days_of
from strategies.idle_settings import refuse_idle
from strategies.registry import RISK_MODULES, SIGNALS, load_own_code, with_own_defaults

A = TypeVar("A")
R = TypeVar("R")
Parameters = Mapping[str, Any]
MOST_EXACT = 2**53
"""Whole numbers below it are floats without loss."""
FIXED_SECTIONS = ("account", "broker", "evidence", "fills", "gate", "live", "pace", "strategy", "universe")
"""What a trial can't change: the account and what trading costs, the data, and what a backtest doesn't read."""


@dataclass(slots=True)
class TrialContext:
    """What all trials of a study share: settings, bars and window; travels to the workers once.

    ``columns`` holds features computed by earlier trials of the same process. ``start`` and ``end`` are the first and
    last bar that is decided on; ``key`` tells one context from another.
    """

    key: str
    settings: dict[str, Any]
    table: BarTable
    start: pd.Timestamp
    end: pd.Timestamp
    sessions_per_year: int
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def cash_rate(self) -> float:
        """What idle cash earns in a year."""
        return float(self.settings["fills"]["cash_interest_frac"])

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.key, self.settings, self.table, self.start, self.end, self.sessions_per_year)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.key, self.settings, self.table, self.start, self.end, self.sessions_per_year = state
        self.columns = {}


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial left.

    ``returns`` are those of its sessions, fractions of 1, shape ``(sessions,)``; ``sharpe`` is a year's. ``refused``
    says why the configuration can't be run; such a trial has seen no data and is not counted. ``sharpe_known`` is False
    where the window is too short for a ratio, or nothing moved: ``sharpe`` is 0 then, so that trials can be compared.
    """

    parameters: dict[str, Any]
    config_hash: str
    returns: np.ndarray
    sharpe: float
    total_return: float
    max_drawdown: float
    trades: int
    seconds: float
    refused: str = ""
    sharpe_known: bool = True

    @property
    def told_sharpe(self) -> float | None:
        """The Sharpe ratio as a report tells it; None where there is none."""
        return self.sharpe if self.sharpe_known else None

    @property
    def too_short(self) -> bool:
        """Whether it has no Sharpe ratio for want of days: its returns moved."""
        return not self.sharpe_known and moves(self.returns)

    def objective(self, name: str) -> float:
        """The figure that is maximised: ``sharpe``, ``total_return`` or ``calmar`` (return over drawdown)."""
        if name == "calmar":
            return self.total_return / self.max_drawdown if self.max_drawdown > 0 else self.total_return
        return float(getattr(self, name))


def all_settings(base: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting that a trial may change, those too whose defaults a signal or rule of another package brings."""
    return with_own_defaults(settings_with(base, {}))


def require_keys(base: Mapping[str, Any], keys: list[str], source: str) -> None:
    """Refuse keys that no setting has, that a trial can't change, or that no trial reads; ``base`` holds all."""
    for key in (key for joined in keys for key in joined.split(JOINED)):
        section: Any = base
        for part in key.split("."):
            if not isinstance(section, Mapping) or part not in section:
                known = list(section) if isinstance(section, Mapping) else []
                if off := _does_not_run(key, part):
                    raise Refusal(f"{source} {key}: changes nothing, as {off}")
                raise Refusal(f"{source} {key}: there is no setting {part}; {closest(part, known)}")
            section = section[part]
        if key.split(".")[0] in FIXED_SECTIONS:
            raise Refusal(f"{source} {key}: is the same for all trials; set it with --set and vary another")
    refuse_idle(settings_with(base, {}), keys, JOINED, source)


def _does_not_run(key: str, name: str) -> str:
    """Why nothing reads a key of an installed signal or rule that is off; empty for any other key."""
    for section, registry, way_in in (
        ("risk.modules", RISK_MODULES, "risk.chain+={0} runs it"),
        ("signals.modules", SIGNALS, "signals.enabled+={0} switches it on"),
    ):
        if key.startswith(f"{section}.{name}.") and name in registry.places():
            return f"{name} does not run; {way_in.format(name)}"
    return ""


def settings_with(base: Mapping[str, Any], parameters: Parameters) -> Settings:
    """The settings ``base`` with some values changed.

    Raises
    ------
    Refusal
        If the values are wrong or contradict each other.
    """
    try:
        return Settings.model_validate_json(json.dumps(_merged(base, parameters)))
    except ValidationError as error:
        raise Refusal(sentence(error, Settings, Provenance())) from None


def configuration(base: Mapping[str, Any], parameters: Parameters) -> str:
    """A hash that tells one configuration from another, whichever study tries it; unlike settings it refuses none."""
    text = json.dumps(_merged(base, parameters), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _merged(base: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
    merged: dict[str, Any] = json.loads(json.dumps(base))
    for joined, value in parameters.items():
        for key in joined.split(JOINED):
            *path, last = key.split(".")
            section = merged
            for part in path:
                # A signal or rule of another package may have no section yet.
                section = section.setdefault(part, {})
            # A whole number for a fraction is the same setting: 2 is 2.0.
            fraction = type(section.get(last)) is float and type(value) is int and abs(value) < MOST_EXACT
            section[last] = float(value) if fraction else value
    return merged


def from_one_state(function: Callable[[TrialContext, A], R], context: TrialContext, settings: Settings, asked: A) -> R:
    """What the function makes of the context, untouched by what own code keeps of earlier trials.

    Signals and rules of other packages may keep values in a module or a class, so that a trial with some is made in a
    process of its own; this package's keep nothing.
    """
    if not load_own_code(settings):
        return function(context, asked)
    found, columns = apart(_with_new_columns, function, context, asked)
    context.columns.update(columns)
    return found


def _with_new_columns(
    function: Callable[[TrialContext, A], R], context: TrialContext, asked: A
) -> tuple[R, dict[str, np.ndarray]]:
    """The function's result, and the features it had to compute."""
    known = set(context.columns)
    found = function(context, asked)
    return found, {name: column for name, column in context.columns.items() if name not in known}


def run_trial(context: TrialContext, parameters: Parameters) -> Trial:
    """Run one configuration; a refused one comes back with its reason."""
    try:
        settings = settings_with(context.settings, parameters)
        return from_one_state(_tried, context, settings, parameters)
    except Refusal as refusal:
        return Trial(dict(parameters), "", np.empty(0), math.nan, math.nan, math.nan, 0, 0.0, str(refusal))


def _tried(context: TrialContext, parameters: Parameters) -> Trial:
    begun = time.perf_counter()
    settings = settings_with(context.settings, parameters)
    result = replay(settings, context.table, context.start, context.end, columns=context.columns, brief=True)
    closes = session_closes(result.record)
    figures = curve_metrics(closes, context.sessions_per_year, context.cash_rate)

    def number(name: str) -> float:
        value = figures[name]
        return 0.0 if value is None else float(value)

    return Trial(
        parameters=dict(parameters),
        config_hash=settings.config_hash,
        returns=excess_returns(closes, context.cash_rate),
        sharpe=number("sharpe"),
        total_return=number("total_return"),
        max_drawdown=number("max_drawdown"),
        trades=len(result.record.trades),
        seconds=time.perf_counter() - begun,
        sharpe_known=figures["sharpe"] is not None,
    )


def session_labels(context: TrialContext) -> list[str]:
    """The dates of the sessions that trials have returns of."""
    opens, closes = context.table.opens_at, context.table.closes_at
    inside = (opens >= context.start) & (opens <= context.end)
    days = days_of(closes[inside] - pd.Timedelta(microseconds=1)).date
    return [str(day) for day in dict.fromkeys(days)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a window's search chose, and how many trials it made."""

    window: Window
    number: int
    trial: Trial
    trials: int
