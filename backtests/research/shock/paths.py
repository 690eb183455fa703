"""Falls of the past as paths of the market, session by session, and named moves of one session."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from config.errors import Refusal
from monitoring.whatif import Shock, named_shocks

BPS = 1e4
PATHS: dict[str, str] = {
    "pandemic_2020": "2020-02-20 to 2020-03-23, the S&P 500 fell by a third in 23 sessions",
    "inflation_2022": "2022-01-04 to 2022-10-12, the S&P 500 fell by a quarter in 195 sessions",
}
"""Name of each path that comes with the program, and what it was. Moves are the index's, without dividends."""


@dataclass(frozen=True, slots=True)
class MarketDay:
    """One session of the market: prices as fractions above or below the close before it."""

    label: str
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class ShockPath:
    """The market over some sessions; ``sectors`` move as written in its first session, whatever their beta."""

    name: str
    told: str
    days: tuple[MarketDay, ...]
    sectors: Mapping[str, float] = field(default_factory=dict)

    @property
    def market(self) -> float:
        """The market's whole move, a fraction."""
        value = 1.0
        for day in self.days:
            value *= 1 + day.close
        return value - 1


def at_once(shock: Shock) -> ShockPath:
    """A move of one session that the market opens with, so that stops fill beyond their levels."""
    move = shock.market
    return ShockPath(shock.name, shock.told, (_opening_with(move, "session 1"),), shock.sectors)


def _opening_with(move: float, label: str) -> MarketDay:
    """A session of which only the close is known: it opens with its whole move, so that no stop fills too well."""
    return MarketDay(label, move, move, move, move)


def shock_path(name: str) -> ShockPath:
    """A path or a named move.

    Raises
    ------
    Refusal
        If neither has that name.
    """
    if name in PATHS:
        text = (files("backtests.research.shock") / f"{name}.csv").read_text(encoding="utf-8")
        moves = [(row["date"], float(row["close"]) / BPS) for row in csv.DictReader(text.splitlines())]
        return ShockPath(name, PATHS[name], tuple(_opening_with(move, label) for label, move in moves))
    named = named_shocks()
    if name not in named:
        raise Refusal(f"--path {name}: is not known; there are {', '.join(all_names())}")
    return at_once(named[name])


def all_names() -> list[str]:
    """Paths that come with the program, then named moves of one session; a name that both have is the path."""
    return list(dict.fromkeys([*PATHS, *named_shocks()]))
