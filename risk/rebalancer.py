"""Trims a position that has grown too heavy."""

from __future__ import annotations

import math

from pydantic import Field

from market.market import Market
from risk.interface import Fraction, ModuleConfig, PositiveFraction, RiskModule
from risk.lots import EPSILON, Lot, trim_quantity
from risk.model import Adjustment, Book


class Rebalancer(RiskModule):
    """Trims a position above its weight limit plus a band back to the limit.

    The remainder is never heavier than the limit, but at least one lot stays: the rule trims, it
    doesn't liquidate. A symbol without a usable newest bar is left until it has one.

    Parameters
    ----------
    max_weight_frac : float
        Weight after a trim at most, position value over equity.
    band_frac : float
        Excess tolerated before trimming.
    lot : float
        Smallest tradable quantity.
    """

    name = "rebalancer"

    class Config(ModuleConfig):
        """Settings of ``Rebalancer``."""

        max_weight_frac: PositiveFraction = Field(description="weight a position is trimmed back to")
        band_frac: Fraction = Field(description="excess tolerated before a trim, against trading every bar")
        lot: Lot

    config: Config

    def status(self, book: Book, market: Market) -> str:
        """The heaviest position beside the weight that is trimmed; one made by hand stays, however heavy."""
        if not (math.isfinite(book.equity) and book.equity > 0):
            return ""
        weights = {s: abs(p.quantity) * market.mark(s) / book.equity for s, p in book.positions.items()}
        known = {symbol: weight for symbol, weight in weights.items() if math.isfinite(weight)}
        if not known:
            return ""
        heaviest = max(known, key=lambda symbol: known[symbol])
        limit = self.config.max_weight_frac
        heavy = sum(weight > limit + self.config.band_frac + EPSILON for weight in known.values())
        told = f"{heavy} too heavy" if heavy else "all properly sized"
        return f"heaviest {heaviest}, {known[heaviest]:.1%} of at most {limit:.0%}: {told}"

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """One trim per position that is too heavy at its mark."""
        config = self.config
        heaviest = config.max_weight_frac + config.band_frac + EPSILON
        if not (math.isfinite(book.equity) and book.equity > 0):
            return []
        adjustments = []
        for symbol, position in book.positions.items():
            mark = market.value("mark", symbol)
            held = abs(position.quantity)
            weight = held * mark / book.equity
            if not weight > heaviest or not market.usable(symbol):
                continue
            quantity = trim_quantity(held, config.max_weight_frac * book.equity / mark, config.lot)
            if quantity > 0:
                code = f"REBALANCER: {weight:.1%} of equity above {config.max_weight_frac:.1%}"
                inputs = {"weight_frac": weight, "mark": mark, "held": held, "equity": book.equity}
                adjustments.append(Adjustment(self.name, "trim", symbol, code, quantity=quantity, inputs=inputs))
        return adjustments
