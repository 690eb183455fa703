"""Which kind of market a symbol is in: trending or choppy, quiet or volatile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from config.defaults import with_defaults
from market.market import Market
from risk.interface import ModuleConfig

Trend = Literal["trending", "choppy", "neutral"]


class RegimeConfig(ModuleConfig):
    """Settings of ``read``.

    Parameters
    ----------
    adx_bars : int
        Period of the ADX in bars.
    adx_trending, adx_choppy : float
        ADX above the first is a trend, below the second chop, 0 to 100.
    atr_bars, atr_mean_bars : int
        Volatility is high while ATR is above its own mean over ``atr_mean_bars``.
    """

    adx_bars: int = Field(ge=2, description="ADX period, in bars")
    adx_trending: float = Field(ge=0, le=100, description="ADX above which the market trends")
    adx_choppy: float = Field(ge=0, le=100, description="ADX below which the market is choppy")
    atr_bars: int = Field(ge=2, description="ATR period, in bars")
    atr_mean_bars: int = Field(ge=2, description="window of the ATR mean, in bars")

    @model_validator(mode="after")
    def _ordered(self) -> RegimeConfig:
        if self.adx_choppy > self.adx_trending:
            raise ValueError("regime needs adx_choppy <= adx_trending")
        return self

    @property
    def adx(self) -> str:
        return f"adx_{self.adx_bars}"

    @property
    def atr(self) -> str:
        return f"atr_{self.atr_bars}"

    @property
    def atr_mean(self) -> str:
        return f"atr_mean_{self.atr_bars}_{self.atr_mean_bars}"


with_defaults(RegimeConfig, "exits.models.adaptive_atr.regime")


@dataclass(frozen=True, slots=True)
class Regime:
    """A reading; ``str`` gives it as the log says it."""

    trend: Trend
    high_volatility: bool

    def __str__(self) -> str:
        return f"{self.trend}, {'high' if self.high_volatility else 'normal'} volatility"


def needs(config: RegimeConfig) -> Sequence[str]:
    """Feature columns that ``read`` looks up."""
    return (config.adx, config.atr, config.atr_mean)


def read(market: Market, symbol: str, config: RegimeConfig) -> Regime:
    """Regime of a symbol at the last closed bar; neutral and quiet where a reading is missing (NaN)."""
    adx = market.value(config.adx, symbol)
    trend: Trend = "trending" if adx > config.adx_trending else "choppy" if adx < config.adx_choppy else "neutral"
    return Regime(trend, market.value(config.atr, symbol) > market.value(config.atr_mean, symbol))
