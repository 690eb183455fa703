"""Follows every position with its stop at a fixed percentage."""

from __future__ import annotations

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.model import Adjustment, Book
from risk.trailing_stop import tighter


class PercentTrailing(RiskModule):
    """Keeps the stop of an entry, long or short, at a fraction behind its best price.

    The simple alternative to ``TrailingStop``: active from the entry on, whatever the initial stop, which
    it only ever tightens. It locks no profit before the price has moved ``trail_frac``. Hedges belong to
    the hedger; a position without a stop or a best price is left alone.

    Parameters
    ----------
    trail_frac : float
        Distance of the stop behind the best price, as a fraction of it.
    """

    name = "percent_trailing"

    class Config(ModuleConfig):
        """Settings of ``PercentTrailing``."""

        trail_frac: float = Field(gt=0, lt=1, description="distance of the stop behind the best price")

    config: Config

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """One tightening per position whose stop can move by a tick or more."""
        trail = self.config.trail_frac
        adjustments = []
        for symbol, position in book.positions.items():
            best, short = position.best_price, position.side == "sell_short"
            stop = tighter(position, best * (1 + trail if short else 1 - trail)) if position.role == "entry" else None
            if stop is not None:
                code = f"PERCENT_TRAILING: stop {trail:.1%} behind the best price {best:.2f}"
                inputs = {"best_price": best, "stop_before": position.stop}
                adjustments.append(
                    Adjustment(self.name, "tighten", symbol, code, stop=stop, short=short, inputs=inputs)
                )
        return adjustments
