"""Decides again on what a live or rehearsed session recorded, and lists what comes out differently by cause."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from backtests.checks.snapshots import Damage, Snapshot, read_snapshots
from backtests.recorded_settings import recorded_settings
from brokers.live_state.values_json import encoded
from config import Settings
from config.version import version
from market.bars import DAY_MINUTES
from market.features import FeatureTable
from market.trading_day import use_day_of
from strategies.pipeline import Pipeline
from strategies.registry import build_pipeline, keep_daily_signals

CLOSE_FRAC = 1e-9
"""Numbers that differ by less, relatively, are the same."""
FIGURES = ("price", "atr", "score", "stop", "target")

Json = dict[str, Any]


class Cause(StrEnum):
    """How a decision differs."""

    FIGURES = "figures_differ"
    READING = "reading_differs"
    RULE = "rule_decides_otherwise"
    ORDER = "rules_in_another_order"
    GONE = "no_longer_proposed"
    NEW = "newly_proposed"
    ADJUSTMENT = "adjustment_differs"


class Reason(StrEnum):
    """What was changed since, by what the record says of itself."""

    SETTINGS = "settings"
    PROGRAM = "program"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision or adjustment that comes out differently."""

    time: pd.Timestamp
    symbol: str
    cause: Cause
    detail: str


@dataclass(slots=True)
class Parity:
    """What came of it; ``changed`` names settings that differ from the recorded ones, ``programs`` other versions."""

    iterations: int = 0
    same: int = 0
    decisions: int = 0
    adjustments: int = 0
    differences: list[Difference] = field(default_factory=list)
    changed: tuple[str, ...] = ()
    programs: set[str] = field(default_factory=set)
    damage: Damage = field(default_factory=Damage)

    @property
    def counts(self) -> Counter[Cause]:
        return Counter(d.cause for d in self.differences)

    @property
    def reason(self) -> Reason:
        """Why there can be differences."""
        if self.changed:
            return Reason.SETTINGS
        return Reason.PROGRAM if self.programs else Reason.UNEXPLAINED

    @property
    def unexplained(self) -> int:
        return len(self.differences) if self.reason is Reason.UNEXPLAINED else 0

    def sentence(self) -> str:
        """The verdict."""
        if not self.iterations:
            return "Nothing was recorded that could be decided again."
        told = f"{self.same:,} of {self.iterations:,} iterations decide the same"
        if not self.differences:
            return f"{told}, {self.decisions:,} decisions and {self.adjustments:,} adjustments."
        why = {
            Reason.SETTINGS: f"the settings differ from the recorded ones in {', '.join(self.changed[:3])}",
            Reason.PROGRAM: f"the record is of version {', '.join(sorted(self.programs))}, this is {version()}",
            Reason.UNEXPLAINED: "settings and program are the recorded ones, so that this is a fault",
        }[self.reason]
        first = self.differences[0]
        return f"{told}; the first difference is {first.symbol} at {first.time:%Y-%m-%d %H:%M} ({first.detail}): {why}."


def parity(
    files: Iterable[Path],
    changed: Callable[[Settings], Settings] | None = None,
    on_iteration: Callable[[int], Any] = lambda _: None,
) -> Parity:
    """Decide again on every recorded iteration.

    Parameters
    ----------
    files : iterable of Path
    changed : callable, optional
        Gives other settings for the recorded ones; by default those decide.
    on_iteration : callable
        Is told of each.

    Raises
    ------
    Refusal
        A file cannot be read, or its settings are no longer possible.
    """
    result = Parity()
    for path in files:
        for snapshot in read_snapshots(path, result.damage):
            _compare(snapshot, _decider(json.dumps(snapshot.about, sort_keys=True), changed), result)
            on_iteration(1)
    return result


@dataclass(frozen=True, slots=True)
class _Decider:
    pipeline: Pipeline
    settings: Settings
    changed: tuple[str, ...]
    program: str


@lru_cache(maxsize=4)
def _decider(about: str, changed: Callable[[Settings], Settings] | None) -> _Decider:
    header = json.loads(about)
    recorded = recorded_settings(header["settings"])
    settings = recorded if changed is None else changed(recorded)
    use_day_of(settings.pace.day)
    pipeline = build_pipeline(settings)
    if settings.pace.bars == DAY_MINUTES:
        keep_daily_signals(pipeline, settings)
    pipeline.window_minutes, pipeline.intraday = int(header["window_minutes"]), bool(header["intraday"])
    differing = tuple(_differing(recorded.as_dict(), settings.as_dict()))
    return _Decider(pipeline, settings, differing, "" if header["program"] == version() else header["program"])


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key in sorted(one.keys() | other.keys()):
        a, b, name = one.get(key), other.get(key), f"{prefix}{key}"
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differing(a, b, f"{name}.")
        elif a != b:
            yield name


def _compare(snapshot: Snapshot, decider: _Decider, result: Parity) -> None:
    pipeline, settings = decider.pipeline, decider.settings
    features = FeatureTable(snapshot.bars, pipeline.needs(), settings.universe.sectors)
    plan = encoded(pipeline.decide(features.market_at(pd.Timestamp(snapshot.seen_at)), snapshot.book))
    then = snapshot.plan
    result.iterations += 1
    result.decisions += len(then["decisions"])
    result.adjustments += len(then["adjustments"])
    result.changed = decider.changed
    if decider.program:
        result.programs.add(decider.program)
    time = pd.Timestamp(snapshot.book.time)
    found = [
        *(Difference(time, symbol, *told) for symbol, told in _of_decisions(then["decisions"], plan["decisions"])),
        *(
            Difference(time, symbol, Cause.ADJUSTMENT, told)
            for symbol, told in _of_adjustments(then["adjustments"], plan["adjustments"])
        ),
    ]
    result.same += not found
    result.differences += found


def _of_decisions(then: list[Json], now: list[Json]) -> Iterable[tuple[str, tuple[Cause, str]]]:
    ours, theirs = ({_key(d): d for d in decisions} for decisions in (then, now))
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        symbol, signal, _ = key
        if key not in theirs:
            yield symbol, (Cause.GONE, f"{signal} proposed it then")
        elif key not in ours:
            yield symbol, (Cause.NEW, f"{signal} proposes it now")
        elif (found := _of_decision(ours[key], theirs[key])) is not None:
            yield symbol, found


def _key(decision: Json) -> tuple[str, str, str]:
    proposal = decision["proposal"]
    return proposal["symbol"], proposal["signal"], proposal["side"]


def _of_decision(then: Json, now: Json) -> tuple[Cause, str] | None:
    for name in FIGURES:
        one, other = then["proposal"][name], now["proposal"][name]
        if not _same(one, other):
            return Cause.FIGURES, f"{name} {one:g} then, {other:g} now"
    for one, other in zip(then["verdicts"], now["verdicts"], strict=False):
        if one["module"] != other["module"]:
            return Cause.ORDER, f"{one['module']} then, {other['module']} now"
        differing = [
            k
            for k in one["inputs"].keys() | other["inputs"].keys()
            if not _same(one["inputs"].get(k), other["inputs"].get(k))
        ]
        if not (_same(one["before"], other["before"]) and _same(one["after"], other["after"])):
            cause = Cause.READING if differing else Cause.RULE
            seen = f" ({', '.join(sorted(differing))} differ)" if differing else ""
            return cause, f"{one['module']}: {one['code']} then, {other['code']} now{seen}"
        if differing:
            return Cause.READING, f"{one['module']} read {', '.join(sorted(differing))} differently"
    if len(then["verdicts"]) != len(now["verdicts"]):
        return Cause.ORDER, f"{len(then['verdicts'])} rules then, {len(now['verdicts'])} now"
    if not _same(then["proposed_quantity"], now["proposed_quantity"]):
        return Cause.RULE, f"sized to {then['proposed_quantity']:g} then, {now['proposed_quantity']:g} now"
    return None


def _of_adjustments(then: list[Json], now: list[Json]) -> Iterable[tuple[str, str]]:
    ours, theirs = ({(a["symbol"], a["kind"]): a for a in adjustments} for adjustments in (then, now))
    for symbol, kind in [*ours, *(key for key in theirs if key not in ours)]:
        one, other = ours.get((symbol, kind)), theirs.get((symbol, kind))
        if one is None or other is None:
            told = (one or other or {})["code"]
            yield symbol, f"{kind} {'now, not then' if one is None else 'then, not now'}: {told}"
        elif not all(_same(one[name], other[name]) for name in ("quantity", "stop", "module")):
            yield symbol, f"{kind}: {one['code']} then, {other['code']} now"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float) and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=CLOSE_FRAC, abs_tol=1e-12) or (one != one and other != other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
