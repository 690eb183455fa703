"""What is searched: a grid of values, or ranges and choices read from a file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from config.errors import Refusal
from config.reading import strict_yaml

Distribution = optuna.distributions.BaseDistribution
JOINED = "+"
"""Between keys that take the same value, e.g. the stops of all signals."""


@dataclass(frozen=True, slots=True)
class Space:
    """Dotted keys and what each may be; ``grid`` holds the values where every combination is tried.

    ``untold`` are keys whose range has whole bounds and no step, so that the setting's type says what is drawn.
    """

    distributions: Mapping[str, Distribution]
    grid: Mapping[str, tuple[Any, ...]] | None = None
    untold: frozenset[str] = frozenset()

    @property
    def size(self) -> int | None:
        """Number of combinations of a grid."""
        return None if self.grid is None else math.prod(len(values) for values in self.grid.values())

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Every combination of a grid, the last key changing fastest."""
        grid = self.grid or {}
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """What a drawn configuration sets: 2.65 on a range with steps, where their sum is 2.6500000000000004."""
        stepped = {k for k, d in self.distributions.items() if getattr(d, "step", None) is not None}
        return {
            key: float(f"{value:.12g}") if key in stepped and isinstance(value, float) else value
            for key, value in drawn.items()
        }

    def typed(self, settings: Mapping[str, Any]) -> Space:
        """The space for these settings: it draws fractions where a setting is one, though its bounds are whole."""
        drawn = dict(self.distributions)
        for key in self.untold:
            if all(isinstance(_value_at(settings, one), float) for one in key.split(JOINED)):
                whole: Any = drawn[key]
                drawn[key] = optuna.distributions.FloatDistribution(float(whole.low), float(whole.high), log=whole.log)
        return replace(self, distributions=drawn, untold=frozenset())

    def document(self) -> dict[str, str]:
        """The space in words that tell one from another."""
        return {key: str(distribution) for key, distribution in self.distributions.items()}


def grid_space(options: Sequence[str]) -> Space:
    """A grid from ``KEY=v1,v2`` options; keys joined by ``+`` take the same value.

    Raises
    ------
    Refusal
        If an option is not written so, or names a key twice.
    """
    grid: dict[str, tuple[Any, ...]] = {}
    named: set[str] = set()
    for option in options:
        key, _, text = option.partition("=")
        key = key.strip()
        values = [part.strip() for part in text.split(",")]
        if not key or not text or "" in values:
            raise Refusal(f"--grid {option}: write KEY=v1,v2, e.g. sizing.risk_frac=0.01,0.02")
        if twice := named & set(key.split(JOINED)):
            raise Refusal(f"--grid {min(twice)}: is given twice; write all its values into one")
        named |= set(key.split(JOINED))
        read = [strict_yaml.parse(value, f"--grid {key}") for value in values]
        # 1 and true are equal in Python and not in a setting.
        grid[key] = tuple({(type(value), value): value for value in read}.values())
    return Space({key: _choice(values) for key, values in grid.items()}, grid)


def file_space(path: Path) -> Space:
    """A space from a YAML file: keys with a list of choices, or with ``low``, ``high``, and ``step`` or ``log``.

    Raises
    ------
    Refusal
        If the file can't be read or an entry is no range.
    """
    try:
        content = strict_yaml.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"--search {path}: can't be read ({error}); give a YAML file of ranges") from None
    if not isinstance(content, dict) or not content:
        raise Refusal(f"--search {path}: holds no ranges; write e.g. sizing.risk_frac: {{low: 0.005, high: 0.02}}")
    drawn = {str(key): _range(entry, f"{path}: {key}") for key, entry in content.items()}
    whole = {key for key, d in drawn.items() if isinstance(d, optuna.distributions.IntDistribution)}
    stepped = {str(key) for key, entry in content.items() if isinstance(entry, dict) and entry.get("step") is not None}
    return Space(drawn, untold=frozenset(whole - stepped))


def _value_at(settings: Mapping[str, Any], key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = value[part]
    return value


def _range(entry: Any, place: str) -> Distribution:
    if isinstance(entry, list) and entry:
        return _choice(tuple(entry))
    if not isinstance(entry, dict) or not {"low", "high"} <= set(entry) <= {"low", "high", "step", "log"}:
        raise Refusal(f"{place}: is no range; write a list of values, or low, high and, if wanted, step or log")
    low, high, step, log = entry["low"], entry["high"], entry.get("step"), bool(entry.get("log", False))
    numbers = [value for value in (low, high, step) if value is not None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers):
        raise Refusal(f"{place}: low, high and step must be numbers")
    if not low < high or (step is not None and not step > 0) or (log and (low <= 0 or step is not None)):
        raise Refusal(f"{place}: low must be below high, step above 0, and log needs low above 0 and no step")
    if all(isinstance(value, int) for value in numbers):
        return optuna.distributions.IntDistribution(low, high, log=log, step=1 if step is None else step)
    return optuna.distributions.FloatDistribution(float(low), float(high), log=log, step=step)


def _choice(values: tuple[Any, ...]) -> Distribution:
    plain = [value if isinstance(value, str | int | float | bool) or value is None else str(value) for value in values]
    if plain != list(values):
        raise Refusal(f"{values}: a choice must be a number, a word, true, false or null; lists can't be searched")
    return optuna.distributions.CategoricalDistribution(plain)
