"""Sells what has become overbought."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.model import Adjustment, Book


class OverboughtExit(RiskModule):
    """Closes long entries whose RSI is above a threshold; shorts and hedges are left alone.

    Parameters
    ----------
    rsi_bars : int
        RSI period in bars.
    rsi_above : float
        RSI above which a long is sold.
    """

    name = "overbought_exit"

    class Config(ModuleConfig):
        """Settings of ``OverboughtExit``."""

        rsi_bars: int = Field(ge=2, description="RSI period, in bars")
        rsi_above: float = Field(gt=0, lt=100, description="RSI above which a long is sold, 0 to 100")

    config: Config

    @property
    def _column(self) -> str:
        return f"rsi_{self.config.rsi_bars}"

    def needs(self) -> Sequence[str]:
        return (self._column,)

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """One exit per overbought long with a usable newest bar."""
        above, column = self.config.rsi_above, self._column
        adjustments = []
        for symbol, position in book.positions.items():
            rsi = market.value(column, symbol)
            # The reading comes first: it rarely is above, and the rest need not be asked for then.
            if rsi > above and position.role == "entry" and position.side == "buy" and market.usable(symbol):
                code = f"OVERBOUGHT_EXIT: RSI {rsi:.1f} > {above:g}"
                adjustments.append(Adjustment(self.name, "exit", symbol, code, inputs={"rsi": rsi}))
        return adjustments
