"""Strategies that know what they can't know, and an honest one beside them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from strategies.combined import CombinedStrategy

SYMBOL = "AAPL"


class _Buyer(CombinedStrategy):
    """Leaves the pipeline alone and buys a few shares of its own, past it."""

    def on_trading_iteration(self) -> None:
        super().on_trading_iteration()
        quantity = self.shares(self.broker.bars, self.broker.closed_row() + 1)
        if quantity:
            self.submit_order(self.create_order(SYMBOL, quantity, "buy"))

    def shares(self, bars: Any, row: int) -> int:
        """How many to buy at the opening of bar ``row``."""
        raise NotImplementedError

    def rises(self, bars: Any, row: int) -> bool:
        """Whether the bar closes above its open; False beyond the data."""
        k = bars.symbols.index(SYMBOL)
        return 0 <= row < len(bars) and bool(bars.close[row, k] > bars.open[row, k])


class Honest(_Buyer):
    """Buys after a bar that rose."""

    def shares(self, bars: Any, row: int) -> int:
        return int(self.rises(bars, row - 1))


class PeeksAtTheFormingBar(_Buyer):
    """Buys at the opening of a bar that will rise."""

    def shares(self, bars: Any, row: int) -> int:
        return int(self.rises(bars, row))


class PeeksADayAhead(_Buyer):
    def shares(self, bars: Any, row: int) -> int:
        return int(self.rises(bars, row + 1))


class SizesByTheFuture(_Buyer):
    """Buys at every opening, more of what will rise."""

    def shares(self, bars: Any, row: int) -> int:
        return 2 if self.rises(bars, row) else 1


class CountsOnTheFuture(_Buyer):
    """Takes for granted that a day is in the data: with the data cut off before it, it fails."""

    day = pd.Timestamp("2020-03-31 09:30", tz="America/New_York")

    def shares(self, bars: Any, row: int) -> int:
        return int(self.rises(bars, bars.opens_at.get_loc(self.day)) and row % 20 == 0)
