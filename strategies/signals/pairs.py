"""Pairs: two symbols whose prices kept together, one of which has fallen behind the other.

Which pairs keep together is tested anew every so many days on a window that ends before them (Engle and Granger 1987),
in both directions and corrected for the number of pairs that were tested. In between, the spread of that window tells
how far behind a symbol is, in standard deviations.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from market.market import Market
from strategies.signals.base import Signal
from strategies.signals.scoring import Bars, ScoredConfig, silent, spoken

EPOCH = datetime(1970, 1, 5, 5, tzinfo=UTC)
"""A Monday, midnight in New York in winter: where periods are counted from."""
KEPT_SELECTIONS = 4
Deviations = Annotated[float, Field(gt=0, le=10, description="standard deviations of the spread")]


@dataclass(frozen=True, slots=True)
class Pair:
    """``log y = alpha + beta * log x`` held in a window, with so large a deviation; ``y`` and ``x`` are columns."""

    y: int
    x: int
    alpha: float
    beta: float
    deviation: float
    p_value: float

    def z(self, closes: np.ndarray) -> float:
        """How far ``y`` stands above ``x`` now, in standard deviations; negative where it is behind."""
        return (math.log(closes[self.y]) - self.alpha - self.beta * math.log(closes[self.x])) / self.deviation


class Pairs(Signal):
    """Long the symbol that has fallen behind the other of a cointegrated pair; the score rises with the distance."""

    name = "pairs"
    requires = "statsmodels"

    class Config(ScoredConfig):
        """Settings.

        Parameters
        ----------
        bars : int
            Window in which a pair has to keep together.
        select_days : int
            Days after which the pairs are chosen anew.
        max_p : float
            Probability of so good a pair by chance, after the correction, at most.
        same_sector : bool
            Only symbols with the same sector label are paired.
        entry_z : float
            Fires from this distance on, where the score is ``floor_score``.
        full_z : float
            Distance at which the score reaches 100.
        broken_z : float
            Beyond this distance the pair no longer keeps together, and nothing is said.
        stop_atr : float
            Stop distance in ATR.
        """

        bars: Bars
        select_days: Annotated[int, Field(ge=1, le=400, description="days after which pairs are chosen anew")]
        max_p: Annotated[float, Field(gt=0, lt=1, description="largest corrected p-value of a pair")]
        same_sector: bool
        entry_z: Deviations
        full_z: Deviations
        broken_z: Deviations
        stop_atr: Annotated[float, Field(gt=0, description="stop distance in ATR")]

        @model_validator(mode="after")
        def _ordered(self) -> Pairs.Config:
            if not self.entry_z < self.full_z <= self.broken_z:
                raise ValueError("pairs needs entry_z < full_z <= broken_z")
            return self

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        # What the same window gave before: nothing that a decision depends on.
        self._chosen: OrderedDict[bytes, tuple[Pair, ...]] = OrderedDict()

    def needs(self) -> Sequence[str]:
        return (f"history_{self.config.bars + 2 * self.config.select_days}",)

    def scores(self, market: Market) -> np.ndarray:
        if market.empty:
            return silent(market)
        z = self._behind(market)
        config = self.config
        fires = (z >= config.entry_z) & (z <= config.broken_z)
        return spoken(market, fires, config.scored(z, config.entry_z, config.full_z))

    def lacks(self, market: Market, symbol: str) -> str:
        z = self._behind(market)[market.index[symbol]]
        if not math.isfinite(z):
            return "it keeps together with no other symbol"
        return f"{z:.2f} deviations behind its pair, needs {self.config.entry_z:g} to {self.config.broken_z:g}"

    def reason(self, market: Market, symbol: str) -> str:
        k, closes = market.index[symbol], market.values("close")
        pair = max((p for p in self.pairs(market) if k in (p.y, p.x)), key=lambda p: self._distance(p, k, closes))
        other = market.symbols[pair.x if pair.y == k else pair.y]
        return f"{self._distance(pair, k, closes):.2f} deviations from {other}, p {pair.p_value:.4f}"

    def pairs(self, market: Market) -> tuple[Pair, ...]:
        """The pairs of the present period, chosen on the bars before it."""
        period = timedelta(days=self.config.select_days)
        begins = EPOCH + (market.time - EPOCH) // period * period
        last = market.row_before(begins)
        if last + 1 < self.config.bars:
            return ()
        closes = market.window("close", market.row + 1)[last + 1 - self.config.bars : last + 1]
        sectors = [market.sector(s) if self.config.same_sector else "" for s in market.symbols]
        key = closes.tobytes() + repr(sectors).encode()
        if key not in self._chosen:
            self._chosen[key] = tuple(cointegrated(closes, sectors, self.config.max_p))
            if len(self._chosen) > KEPT_SELECTIONS:
                self._chosen.popitem(last=False)
        return self._chosen[key]

    def _behind(self, market: Market) -> np.ndarray:
        """How far each symbol stands on the side that is entered, in deviations, of the pair that says most."""
        closes = market.values("close")
        found = np.full(len(market.symbols), np.nan)
        for pair in self.pairs(market):
            for k in (pair.y, pair.x):
                found[k] = np.fmax(found[k], self._distance(pair, k, closes))
        return found

    def _distance(self, pair: Pair, k: int, closes: np.ndarray) -> float:
        if not (closes[pair.y] > 0 and closes[pair.x] > 0):
            return math.nan
        return -pair.z(closes) if k == pair.y else pair.z(closes)


class PairsShort(Pairs):
    """Short the symbol that has run ahead of the other of a cointegrated pair; to enable it is to enable shorting."""

    name = "pairs_short"
    side = "sell_short"

    class Config(Pairs.Config):
        """Settings of ``PairsShort``, those of ``Pairs``."""

    config: Config

    def _distance(self, pair: Pair, k: int, closes: np.ndarray) -> float:
        return -super()._distance(pair, k, closes)


def cointegrated(closes: np.ndarray, sectors: Sequence[str], max_p: float) -> list[Pair]:
    """Pairs of columns that keep together by both directions of the test, after Bonferroni's correction.

    Parameters
    ----------
    closes : ndarray of float, shape (bars, symbols)
        Columns with a hole are paired with nothing.
    sectors : sequence of str
        Only columns with the same label are paired.
    max_p : float
        Of the larger of both p-values, times the number of pairs that were tested.
    """
    from statsmodels.tsa.stattools import coint

    whole = [k for k in range(closes.shape[1]) if np.isfinite(closes[:, k]).all() and (closes[:, k] > 0).all()]
    moving = [k for k in whole if np.ptp(closes[:, k]) > 0]
    tested = [(a, b) for a, b in itertools.combinations(moving, 2) if sectors[a] == sectors[b]]
    found = []
    for a, b in tested:
        y, x = np.log(closes[:, a]), np.log(closes[:, b])
        # Lags chosen by the data cost a hundred times as much and change little in a window of daily closes.
        forth, back = (float(coint(one, two, maxlag=1, autolag=None)[1]) for one, two in ((y, x), (x, y)))
        p_value = max(forth, back) * len(tested)
        if not p_value <= max_p:
            continue
        if forth > back:
            a, b, y, x = b, a, x, y  # noqa: PLW2901  # the direction that fits better
        beta, alpha = np.polyfit(x, y, 1)
        deviation = float(np.std(y - alpha - beta * x))
        # With a negative slope both would be bought and sold together: that is no pair.
        if beta > 0 and deviation > 0:
            found.append(Pair(a, b, float(alpha), float(beta), deviation, p_value))
    return found
