"""Trend: buys when the moving averages have just come into order, or when a pullback in order ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from config.values.counting import counted
from market.market import Market
from strategies.signals.base import Signal
from strategies.signals.scoring import Bars, ScoredConfig, silent, spoken

Adx = Annotated[float, Field(ge=0, le=100, description="ADX, 0 to 100")]


class Trend(Signal):
    """Long while fast > middle > slow EMA and the close is above the fast one; the score rises with the ADX.

    Fires only where something has just happened: the order is at most ``fresh_bars`` old, or the close
    has been back above the fast EMA for at most ``resumed_bars`` after a pullback below it.
    """

    name = "trend"
    elementwise = True

    class Config(ScoredConfig):
        """Settings.

        Parameters
        ----------
        fast_bars, middle_bars, slow_bars : int
            Periods of the EMAs.
        fresh_bars : int
            Age up to which an alignment counts as new.
        resumed_bars : int
            Bars above the fast EMA up to which a pullback counts as just ended.
        adx_bars : int
            Period of the ADX.
        min_adx, full_score_adx : float
            ADX from which the signal fires and at which the score is 100.
        stop_atr : float
            Stop distance in ATR.
        """

        fast_bars: Bars
        middle_bars: Bars
        slow_bars: Bars
        fresh_bars: Bars
        resumed_bars: Bars
        adx_bars: Bars
        min_adx: Adx
        full_score_adx: Adx

        @model_validator(mode="after")
        def _ordered(self) -> Trend.Config:
            if not self.fast_bars < self.middle_bars < self.slow_bars:
                raise ValueError("trend needs fast_bars < middle_bars < slow_bars")
            if self.min_adx >= self.full_score_adx:
                raise ValueError("trend needs min_adx < full_score_adx")
            return self

        @property
        def adx(self) -> str:
            return f"adx_{self.adx_bars}"

        @property
        def aligned(self) -> str:
            return f"bars_aligned_{self.fast_bars}_{self.middle_bars}_{self.slow_bars}"

        @property
        def reversed(self) -> str:
            return f"bars_aligned_{self.slow_bars}_{self.middle_bars}_{self.fast_bars}"

        @property
        def above(self) -> str:
            return f"bars_above_ema_{self.fast_bars}"

    config: Config

    def needs(self) -> Sequence[str]:
        return (self.config.aligned, self.config.above, self.config.adx)

    def scores(self, market: Market) -> np.ndarray:
        if market.empty:
            return silent(market)
        config, adx = self.config, market.values(self.config.adx)
        aligned, above = market.values(config.aligned), market.values(config.above)
        just_now = (aligned <= config.fresh_bars) | (above <= config.resumed_bars)
        fires = (aligned >= 1) & (above >= 1) & just_now & (adx >= config.min_adx)
        return spoken(market, fires, config.scored(adx, config.min_adx, config.full_score_adx))

    def needs_to_oppose(self) -> Sequence[str]:
        return (self.config.reversed,)

    def opposes(self, market: Market) -> np.ndarray:
        """Where fast < middle < slow EMA."""
        against: np.ndarray = market.values(self.config.reversed) >= 1
        return against

    def lacks(self, market: Market, symbol: str) -> str:
        config, adx = self.config, market.value(self.config.adx, symbol)
        aligned, above = market.value(config.aligned, symbol), market.value(config.above, symbol)
        told = []
        if not aligned >= 1:
            told.append(f"EMAs not in order {config.fast_bars} > {config.middle_bars} > {config.slow_bars}")
        elif not above >= 1:
            told.append(f"close below EMA {config.fast_bars}, needs above")
        elif not (aligned <= config.fresh_bars or above <= config.resumed_bars):
            told.append(
                f"in order for {counted(int(aligned), 'bar')} and above EMA {config.fast_bars} for {above:.0f}, "
                f"needs at most {config.fresh_bars} or {config.resumed_bars}"
            )
        if not adx >= config.min_adx:
            told.append(f"ADX({config.adx_bars}) {adx:.1f}, needs {config.min_adx:g}")
        return "; ".join(told) or super().lacks(market, symbol)

    def reason(self, market: Market, symbol: str) -> str:
        config = self.config
        aligned, above = market.value(config.aligned, symbol), market.value(config.above, symbol)
        if aligned <= config.fresh_bars:
            event = f"in order for {counted(int(aligned), 'bar')}"
        else:
            event = f"resumed, back above EMA {config.fast_bars} for {counted(int(above), 'bar')}"
        return (
            f"EMA {config.fast_bars} > {config.middle_bars} > {config.slow_bars} {event}, "
            f"ADX({config.adx_bars}) {market.value(config.adx, symbol):.1f}"
        )
