"""What a rule tells about itself beyond a verdict: how much of its limits is used, and what ends a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["USD", "positions", "trades"]
Frees = Literal["", "next_session", "next_week"]
"""When a limit is free again by time alone; empty where time alone changes nothing."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a rule and how much of it is used now.

    Parameters
    ----------
    module : str
        Whose limit it is.
    name : str
        What is limited, in words, e.g. ``losing trades in a row``.
    used, most : float
        In ``unit``; ``most`` may be 0, ``used`` is above it where something outgrew the limit.
    unit : {"USD", "positions", "trades"}
    frees : {"", "next_session", "next_week"}
    halts : bool
        Whether reaching it ends entries (a halt), rather than limiting what may be bought.
    scope : str
        What it is about, where that is not the whole account: a sector, ``one position``, ``inverse``.
    """

    module: str
    name: str
    used: float
    most: float
    unit: Unit = "USD"
    frees: Frees = ""
    halts: bool = False
    scope: str = ""

    @property
    def left(self) -> float:
        """What is left of it, never negative."""
        return max(0.0, self.most - self.used)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would have to change for a verdict to be another one, in words, and when time alone does it."""

    text: str
    frees: Frees = ""
