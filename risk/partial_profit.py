"""Takes part of a large profit and lets the rest run."""

from __future__ import annotations

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.lots import EPSILON, Lot
from risk.model import Adjustment, Book, floor_lot


class PartialProfit(RiskModule):
    """Sells part of an entry, long or short, once, when its profit has reached a multiple of R.

    The last close decides, not the best price: the sale is made at the market of the next bar, and a
    price that was touched inside a bar and given back by its close cannot be had any more. Only an order
    resting at the level could have had it, and the venue has reserved the shares for the bracket.

    The part is measured against the quantity that was opened and rounded down to lots; one lot at least
    stays, so a position of a single lot is left alone. Hedges belong to the hedger. A symbol without a
    usable newest bar waits until it has one.

    Parameters
    ----------
    at_r : float
        Profit at which the part is sold, in R: multiples of the distance from entry to initial stop.
    take_frac : float
        Part that is sold, of the quantity opened.
    lot : float
        Smallest tradable quantity.
    """

    name = "partial_profit"

    class Config(ModuleConfig):
        """Settings of ``PartialProfit``."""

        at_r: float = Field(gt=0, description="profit at which the part is sold, in R")
        take_frac: float = Field(gt=0, lt=1, description="part that is sold, of the quantity opened")
        lot: Lot

    config: Config

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """One partial sale per position that has come far enough and has not had one."""
        config = self.config
        adjustments = []
        for symbol, position in book.positions.items():
            risk, mark, held = position.risk_per_share, market.mark(symbol), abs(position.quantity)
            if position.role != "entry" or position.partial_taken or not market.usable(symbol) or not risk > 0:
                continue
            profit_r = (mark - position.entry_price) / risk * (1 if position.side == "buy" else -1)
            if not profit_r >= config.at_r - EPSILON:
                continue
            opened = max(abs(position.initial_quantity), held)
            part = floor_lot(opened * config.take_frac, config.lot)
            quantity = min(part, floor_lot(held - config.lot, config.lot))
            if quantity > 0:
                code = f"PARTIAL_PROFIT: close {mark:.2f} at {profit_r:+.2f}R, {quantity:g} of {held:g} sold"
                inputs = {"mark": mark, "profit_r": profit_r, "risk_per_share": risk, "held": held, "opened": opened}
                adjustments.append(Adjustment(self.name, "partial", symbol, code, quantity=quantity, inputs=inputs))
        return adjustments
