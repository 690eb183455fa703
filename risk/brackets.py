"""Where stop and target of an entry lie: fixed fractions, multiples of ATR, or multiples by regime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from config.defaults import with_defaults
from market.market import Market
from risk import regime as regimes
from risk.interface import ModuleConfig
from risk.model import BracketTerms, Side


class BracketModel:
    """Turns an entry into the terms of its bracket. Subclasses set ``name`` and ``Config`` and override ``terms``."""

    name: ClassVar[str]
    reads_stop_atr: ClassVar[bool] = True
    """Whether the stop lies at the multiple of ATR that the signal asks for."""

    class Config(ModuleConfig):
        """No settings, unless a subclass has some."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        with_defaults(cls.Config, f"exits.models.{cls.name}")

    def __init__(self, config: Any) -> None:
        self.config = config

    def needs(self) -> Sequence[str]:
        """Feature columns this model reads."""
        return ()

    def terms(
        self, market: Market, symbol: str, side: Side, entry: float, atr: float, stop_atr: float
    ) -> BracketTerms | None:
        """Stop and target of one entry.

        Parameters
        ----------
        market : Market
            For models that read the regime.
        symbol : str
        side : {"buy", "sell_short"}
            A short's bracket is the mirror image.
        entry, atr : float
            Price and average true range in USD.
        stop_atr : float
            Stop distance in ATR that the signal asks for.

        Returns
        -------
        BracketTerms or None
            None when the readings are unusable or a level would be at or below zero: such an entry
            cannot be protected and must not be made.
        """
        raise NotImplementedError


class FixedBracket(BracketModel):
    """Stop and target at fixed fractions of the entry price; the stop never nearer than a multiple of ATR, if set."""

    name = "fixed"
    reads_stop_atr = False

    class Config(ModuleConfig):
        """Settings of ``FixedBracket``."""

        stop_frac: float = Field(gt=0, lt=1, description="stop distance, as a fraction of the entry price")
        target_frac: float = Field(gt=0, lt=1, description="target distance, as a fraction of the entry price")
        min_stop_atr: float = Field(ge=0, description="stop distance in ATR, at least; 0 for none")

    config: Config

    def terms(
        self, market: Market, symbol: str, side: Side, entry: float, atr: float, stop_atr: float
    ) -> BracketTerms | None:
        if not _positive(entry):
            return None
        stop, target, least = self.config.stop_frac, self.config.target_frac, self.config.min_stop_atr
        why = ""
        if least:
            if not _positive(atr):
                return None
            if (wide := least * atr / entry) > stop:
                stop, why = wide, f" ({least:g} ATR at least)"
        if stop >= 1:
            return None
        below, above = ("-", "+") if side == "buy" else ("+", "-")
        sign = 1 if side == "buy" else -1
        label = (
            f"stop {entry * (1 - sign * stop):.2f} = {entry:.2f} {below} {stop:.1%}{why}, "
            f"target {entry * (1 + sign * target):.2f} = {entry:.2f} {above} {target:.1%}"
        )
        return BracketTerms(side, stop_frac=stop, target_frac=target, label=label)


class AtrBracket(BracketModel):
    """Stop at the signal's own multiple of ATR, target at a multiple of ATR or of the stop distance."""

    name = "atr"

    class Config(ModuleConfig):
        """Settings of ``AtrBracket``; the stop multiple is the signal's own."""

        target_by: Literal["atr", "r"] = Field(description="target measured in ATR or in R (stop distances)")
        target_atr: float = Field(gt=0, description="target distance in ATR, when target_by is atr")
        target_r: float = Field(gt=0, description="target distance in R, when target_by is r")

    config: Config

    def terms(
        self, market: Market, symbol: str, side: Side, entry: float, atr: float, stop_atr: float
    ) -> BracketTerms | None:
        config = self.config
        target_atr = config.target_atr if config.target_by == "atr" else config.target_r * stop_atr
        return _atr_terms(side, entry, atr, stop_atr, target_atr)


class AdaptiveAtrBracket(BracketModel):
    """Multiples by regime: tight stop and far target in a trend, the opposite in chop, wider when volatile.

    The signal's own multiple is not used.
    """

    name = "adaptive_atr"
    reads_stop_atr = False

    class Config(ModuleConfig):
        """Settings of ``AdaptiveAtrBracket``; all multiples in ATR."""

        base_stop_atr: float = Field(gt=0, description="stop distance in a neutral market, in ATR")
        base_target_atr: float = Field(gt=0, description="target distance in a neutral market, in ATR")
        trending_stop_atr: float = Field(gt=0, description="stop distance in a trend, in ATR")
        trending_target_atr: float = Field(gt=0, description="target distance in a trend, in ATR")
        choppy_stop_atr: float = Field(gt=0, description="stop distance in chop, in ATR")
        choppy_target_atr: float = Field(gt=0, description="target distance in chop, in ATR")
        high_volatility_factor: float = Field(gt=0, description="scales both distances in high volatility")
        regime: regimes.RegimeConfig

    config: Config

    def needs(self) -> Sequence[str]:
        return regimes.needs(self.config.regime)

    def terms(
        self, market: Market, symbol: str, side: Side, entry: float, atr: float, stop_atr: float
    ) -> BracketTerms | None:
        config = self.config
        reading = regimes.read(market, symbol, config.regime)
        stop, target = {
            "neutral": (config.base_stop_atr, config.base_target_atr),
            "trending": (config.trending_stop_atr, config.trending_target_atr),
            "choppy": (config.choppy_stop_atr, config.choppy_target_atr),
        }[reading.trend]
        factor = config.high_volatility_factor if reading.high_volatility else 1.0
        return _atr_terms(side, entry, atr, stop * factor, target * factor, f" ({reading})")


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _atr_terms(
    side: Side, entry: float, atr: float, stop_atr: float, target_atr: float, note: str = ""
) -> BracketTerms | None:
    """Terms in distances, labelled with price, multiple and ATR; None when a level cannot exist."""
    if not (_positive(entry) and _positive(atr) and _positive(stop_atr)):
        return None
    sign = 1 if side == "buy" else -1
    stop, target = entry - sign * (stop_atr * atr), entry + sign * (target_atr * atr)
    # A distance lost in the rounding of the price would put the stop on the entry.
    if not (_positive(stop) and _positive(target)) or stop == entry:
        return None
    below, above = ("-", "+") if side == "buy" else ("+", "-")
    label = (
        f"stop {stop:.2f} = {entry:.2f} {below} {stop_atr:.4g} x {atr:.2f} ATR, "
        f"target {target:.2f} = {entry:.2f} {above} {target_atr:.4g} x {atr:.2f} ATR{note}"
    )
    return BracketTerms(
        side,
        stop_distance=stop_atr * atr,
        target_distance=target_atr * atr,
        stop_multiple_atr=stop_atr,
        target_multiple_atr=target_atr,
        label=label,
    )


BRACKETS: dict[str, type[BracketModel]] = {
    model.name: model for model in (FixedBracket, AtrBracket, AdaptiveAtrBracket)
}
