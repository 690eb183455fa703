"""VWAP: buys when price reclaims the session's average price, or has fallen far below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from market.market import Market
from strategies.signals.base import Signal
from strategies.signals.scoring import Atr, DistanceConfig, in_atr, silent, spoken


class Vwap(Signal):
    """Long on a reclaim of the session VWAP or on a deep deviation below it.

    A reclaim is the first close above the VWAP after one at or below it in the same session; its score
    rises with the distance above. A deviation's score rises with the distance below.
    """

    name = "vwap"
    elementwise = True
    intraday_only = True

    class Config(DistanceConfig):
        """Settings.

        Parameters
        ----------
        min_session_bars : int
            Bars of the session, this one included, before its VWAP means anything.
        min_reclaim_atr, full_reclaim_atr : float
            Distance of the reclaiming close above the VWAP, in ATR, where the signal begins to fire and
            where the score is 100.
        min_deviation_atr, full_deviation_atr : float
            Distance of the close below the VWAP, in ATR, likewise.
        stop_atr : float
            Stop distance in ATR.
        """

        min_session_bars: Annotated[int, Field(ge=2, description="bars")]
        min_reclaim_atr: Atr
        full_reclaim_atr: Atr
        min_deviation_atr: Atr
        full_deviation_atr: Atr
        stop_atr: Annotated[float, Field(gt=0, description="stop distance in ATR")]

        @model_validator(mode="after")
        def _ordered(self) -> Vwap.Config:
            if self.min_reclaim_atr >= self.full_reclaim_atr:
                raise ValueError("vwap needs min_reclaim_atr < full_reclaim_atr")
            if self.min_deviation_atr >= self.full_deviation_atr:
                raise ValueError("vwap needs min_deviation_atr < full_deviation_atr")
            return self

    config: Config

    def needs(self) -> Sequence[str]:
        return ("vwap", "bars_above_vwap", "session_bar", self.config.atr)

    def scores(self, market: Market) -> np.ndarray:
        if market.empty:
            return silent(market)
        config = self.config
        above = in_atr(market.values("close") - market.values("vwap"), market.values(config.atr))
        # Before the session has bars of its own, the VWAP is that of the session before.
        ripe = (market.values("session_bar") >= config.min_session_bars) & market.in_its_session
        # a run of one bar in a session of several: the bar before closed at or below the VWAP
        reclaims = ripe & (market.values("bars_above_vwap") == 1) & (above >= config.min_reclaim_atr)
        deviates = ripe & (above <= -config.min_deviation_atr)
        score = np.where(
            reclaims,
            config.scored(above, config.min_reclaim_atr, config.full_reclaim_atr),
            config.scored(-above, config.min_deviation_atr, config.full_deviation_atr),
        )
        return spoken(market, reclaims | deviates, score)

    def lacks(self, market: Market, symbol: str) -> str:
        config, bars = self.config, market.value("session_bar", symbol)
        if not (bars >= config.min_session_bars and market.in_its_session):
            have = bars if market.in_its_session else 0
            return f"{have:.0f} complete bars of the session, needs {config.min_session_bars}"
        close, vwap = market.value("close", symbol), market.value("vwap", symbol)
        above = (close - vwap) / market.value(config.atr, symbol)
        crossed = market.value("bars_above_vwap", symbol) == 1
        told = f"close {close:.2f} is {above:+.1f} ATR from VWAP {vwap:.2f}, needs -{config.min_deviation_atr:g} or "
        return told + (
            f"+{config.min_reclaim_atr:g}" if crossed else f"+{config.min_reclaim_atr:g} in the bar that crosses it"
        )

    def reason(self, market: Market, symbol: str) -> str:
        close, vwap = market.value("close", symbol), market.value("vwap", symbol)
        distance = abs(close - vwap) / market.value(self.config.atr, symbol)
        event = "reclaimed" if close > vwap else "far below"
        return f"{event} session VWAP {vwap:.2f}: close {close:.2f}, {distance:.1f} ATR away"
