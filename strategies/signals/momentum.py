"""Momentum: buys a close above the highest high of the bars before, on rising price and volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from market.market import Market
from strategies.signals.base import Signal
from strategies.signals.scoring import Atr, Bars, DistanceConfig, in_atr, silent, spoken


class Momentum(Signal):
    """Long on a breakout; the score rises with how far, in ATR, the close is above the old high."""

    name = "momentum"
    elementwise = True

    class Config(DistanceConfig):
        """Settings.

        Parameters
        ----------
        breakout_bars : int
            The close must be above the highest high of this many bars before it.
        roc_bars : int
            Span of the rate of change.
        min_roc_frac : float
            The rate of change must be above this fraction of 1.
        volume_bars : int
            Bars before this one whose mean volume is the yardstick.
        min_volume_ratio : float
            Volume must be at least this multiple of the mean; not judged where a source reports none. A single bar
            whose volume is not known, as one of another source beside the venue's, does not fire.
        min_breakout_atr, full_breakout_atr : float
            Distance above the old high, in ATR, where the signal begins to fire and where the score is 100.
        stop_atr : float
            Stop distance in ATR.
        """

        breakout_bars: Bars
        roc_bars: Bars
        min_roc_frac: Annotated[float, Field(ge=0, description="fraction of 1")]
        volume_bars: Bars
        min_volume_ratio: Annotated[float, Field(ge=0, description="multiple of mean volume")]
        min_breakout_atr: Atr
        full_breakout_atr: Atr

        @model_validator(mode="after")
        def _ordered(self) -> Momentum.Config:
            if self.min_breakout_atr >= self.full_breakout_atr:
                raise ValueError("momentum needs min_breakout_atr < full_breakout_atr")
            return self

        @property
        def high(self) -> str:
            return f"high_{self.breakout_bars}"

        @property
        def low(self) -> str:
            return f"low_{self.breakout_bars}"

        @property
        def roc(self) -> str:
            return f"roc_{self.roc_bars}"

        @property
        def mean_volume(self) -> str:
            return f"mean_volume_{self.volume_bars}"

    config: Config

    def needs(self) -> Sequence[str]:
        return (self.config.high, self.config.roc, self.config.mean_volume, self.config.atr)

    def without_volume(self) -> str:
        return "asks for no min_volume_ratio" if self.config.min_volume_ratio > 0 else ""

    def scores(self, market: Market) -> np.ndarray:
        if market.empty:
            return silent(market)
        config = self.config
        above = in_atr(market.values("close") - market.values(config.high), market.values(config.atr))
        volume, usual = market.values("volume"), market.values(config.mean_volume)
        # Zero is what a source without volumes reports; one unknown among known ones fails the comparison.
        judged = (usual > 0) & ~(volume <= 0)
        fires = (
            (above > config.min_breakout_atr)
            & (market.values(config.roc) > config.min_roc_frac)
            & (~judged | (volume >= config.min_volume_ratio * usual))
        )
        return spoken(market, fires, config.scored(above, config.min_breakout_atr, config.full_breakout_atr))

    def needs_to_oppose(self) -> Sequence[str]:
        return (self.config.low, self.config.atr)

    def opposes(self, market: Market) -> np.ndarray:
        """Where the close is below the lowest low of the bars before, as far as a breakout must be above."""
        config = self.config
        below = in_atr(market.values(config.low) - market.values("close"), market.values(config.atr))
        against: np.ndarray = below > config.min_breakout_atr
        return against

    def lacks(self, market: Market, symbol: str) -> str:
        config = self.config
        close, high = market.value("close", symbol), market.value(config.high, symbol)
        roc, atr = market.value(config.roc, symbol), market.value(config.atr, symbol)
        volume, usual = market.value("volume", symbol), market.value(config.mean_volume, symbol)
        level = high + config.min_breakout_atr * atr
        told = []
        if not close > level:
            told.append(f"close {close:.2f}, needs above {level:.2f}, the {config.breakout_bars}-bar high")
        if not roc > config.min_roc_frac:
            told.append(f"ROC({config.roc_bars}) {roc:+.1%}, needs above {config.min_roc_frac:.1%}")
        if usual > 0 and math.isnan(volume):
            told.append(f"volume not known, needs {config.min_volume_ratio:g}x the usual")
        elif volume > 0 and usual > 0 and volume < config.min_volume_ratio * usual:
            told.append(f"volume {volume / usual:.1f}x the usual, needs {config.min_volume_ratio:g}x")
        return "; ".join(told) or super().lacks(market, symbol)

    def reason(self, market: Market, symbol: str) -> str:
        config = self.config
        close, high = market.value("close", symbol), market.value(config.high, symbol)
        volume, usual = market.value("volume", symbol), market.value(config.mean_volume, symbol)
        told = f"{volume / usual:.1f}x the usual" if volume > 0 and usual > 0 else "not reported"
        return (
            f"close {close:.2f} above the {config.breakout_bars}-bar high {high:.2f}, "
            f"ROC({config.roc_bars}) {market.value(config.roc, symbol):+.1%}, volume {told}"
        )
