"""What the built-in signals share: a score that rises linearly, and distances in ATR."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from market.market import Market
from strategies.signals.base import Score, SignalConfig

Bars = Annotated[int, Field(ge=1, description="bars")]
Atr = Annotated[float, Field(ge=0, description="distance in ATR")]


class ScoredConfig(SignalConfig):
    """Settings of a signal whose score is ``floor_score`` where its condition is just met and rises to 100.

    Parameters
    ----------
    floor_score : float
        Score where the condition is just met, 0 to 100.
    """

    floor_score: Score = 50.0

    def scored(self, reading: np.ndarray, begins: float, full: float) -> np.ndarray:
        """Score of readings between ``begins`` (floor) and ``full`` (100, at either side), clipped beyond."""
        strength = np.clip((reading - begins) / (full - begins), 0.0, 1.0)
        return self.floor_score + (100.0 - self.floor_score) * strength


class DistanceConfig(ScoredConfig):
    """Settings of a signal that measures distances in ATR.

    Parameters
    ----------
    atr_bars : int
        Period of that ATR.
    """

    atr_bars: Bars = 14

    @property
    def atr(self) -> str:
        return f"atr_{self.atr_bars}"


def silent(market: Market) -> np.ndarray:
    """No score for any symbol."""
    return np.full(len(market.symbols), np.nan)


def spoken(market: Market, fires: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The score where a usable symbol fires, NaN elsewhere."""
    return np.where(fires & market.values("usable"), score, np.nan)


def in_atr(distance: np.ndarray, atr: np.ndarray) -> np.ndarray:
    """Distances in ATR; NaN where the ATR is zero or unknown."""
    measured = np.full(distance.shape, np.nan)
    np.divide(distance, atr, out=measured, where=atr > 0)
    return measured
