"""Mean reversion: buys what has been sold hard, read from Wilder's RSI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from market.market import Market
from strategies.signals.base import Signal
from strategies.signals.scoring import Bars, ScoredConfig, silent, spoken

Rsi = Annotated[float, Field(ge=0, le=100, description="RSI, 0 to 100")]


class MeanReversion(Signal):
    """Long while the RSI is oversold; the score rises as the RSI falls."""

    name = "mean_reversion"
    elementwise = True

    class Config(ScoredConfig):
        """Settings.

        Parameters
        ----------
        rsi_bars : int
            Period of the RSI.
        oversold_rsi : float
            Fires below this RSI, where the score is ``floor_score``.
        full_score_rsi : float
            RSI at which the score reaches 100.
        stop_atr : float
            Stop distance in ATR: tight, since a reversal that doesn't come soon was no reversal.
        """

        rsi_bars: Bars
        oversold_rsi: Rsi
        full_score_rsi: Rsi
        stop_atr: Annotated[float, Field(gt=0, description="stop distance in ATR")]

        @model_validator(mode="after")
        def _ordered(self) -> MeanReversion.Config:
            if self.full_score_rsi >= self.oversold_rsi:
                raise ValueError("mean_reversion needs full_score_rsi < oversold_rsi")
            return self

        @property
        def rsi(self) -> str:
            return f"rsi_{self.rsi_bars}"

    config: Config

    def needs(self) -> Sequence[str]:
        return (self.config.rsi,)

    def scores(self, market: Market) -> np.ndarray:
        if market.empty:
            return silent(market)
        config, rsi = self.config, market.values(self.config.rsi)
        score = config.scored(rsi, config.oversold_rsi, config.full_score_rsi)
        return spoken(market, rsi < config.oversold_rsi, score)

    def lacks(self, market: Market, symbol: str) -> str:
        config = self.config
        return f"RSI({config.rsi_bars}) {market.value(config.rsi, symbol):.1f}, needs below {config.oversold_rsi:g}"

    def reason(self, market: Market, symbol: str) -> str:
        config = self.config
        return f"RSI({config.rsi_bars}) {market.value(config.rsi, symbol):.1f}, oversold below {config.oversold_rsi:g}"
