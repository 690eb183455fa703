"""Lets an entry pass only if the trend one timeframe up agrees with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.model import Book, Proposal, Verdict


class TrendConfirmation(RiskModule):
    """Refuses longs while the fast EMA one timeframe up is below the slow one, and shorts while it is above.

    One up from 5-minute bars are 15-minute bars, from daily ones weeks; only complete ones count. Without
    a reading (fewer longer bars than ``slow_bars``) nothing confirms the entry and it is refused; the symbol
    stays usable for everything else. Hedges pass: they are bought against the trend.

    Parameters
    ----------
    fast_bars, slow_bars : int
        Periods of the EMAs, in bars one timeframe up.
    """

    name = "trend_confirmation"
    remedy = "the fast EMA one timeframe up has to cross the slow one, or have enough history"

    class Config(ModuleConfig):
        """Settings of ``TrendConfirmation``."""

        fast_bars: int = Field(ge=1, description="period of the fast EMA, in bars one timeframe up")
        slow_bars: int = Field(ge=2, description="period of the slow EMA, in bars one timeframe up")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.fast_bars >= self.slow_bars:
                raise ValueError("trend_confirmation needs fast_bars < slow_bars")
            return self

        @property
        def fast(self) -> str:
            return f"higher_ema_{self.fast_bars}"

        @property
        def slow(self) -> str:
            return f"higher_ema_{self.slow_bars}"

    config: Config

    def needs(self) -> Sequence[str]:
        return (self.config.fast, self.config.slow)

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        if proposal.role == "hedge":
            return self.keep(proposal)
        config = self.config
        fast, slow = (market.value(name, proposal.symbol) for name in (config.fast, config.slow))
        readings = {config.fast: fast, config.slow: slow}
        if math.isnan(fast) or math.isnan(slow):
            code = f"TREND_CONFIRMATION: no EMA {config.slow_bars} one timeframe up yet"
            return self.refuse(proposal, code, **readings)
        if fast >= slow if proposal.side == "buy" else fast <= slow:
            return self.keep(proposal, **readings)
        code = f"TREND_CONFIRMATION: EMA {config.fast_bars} {fast:.2f}, EMA {config.slow_bars} {slow:.2f}"
        return self.refuse(proposal, f"{code} one timeframe up", **readings)
