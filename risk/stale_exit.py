"""Gives up on a position that goes nowhere."""

from __future__ import annotations

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, PositiveFraction, RiskModule
from risk.lots import EPSILON
from risk.model import Adjustment, Book


class StaleExit(RiskModule):
    """Closes an entry, long or short, that has been open for long and has hardly moved.

    For intraday trading. Trading time counts, the length of the bars since the entry: a position opened
    half an hour before the close is half an hour old at the next opening, not a night. Hedges are left
    alone, since insurance may lie still; so is a symbol without a usable newest bar, and everything in a
    market that doesn't know its times.

    Parameters
    ----------
    max_minutes : float
        Trading time up to which a position may stand still, in minutes.
    min_move_frac : float
        Distance of the last close from the entry price, as a fraction of it, below which it stands still.
    """

    name = "stale_exit"

    class Config(ModuleConfig):
        """Settings of ``StaleExit``."""

        max_minutes: float = Field(gt=0, description="trading time to stand still, in minutes")
        min_move_frac: PositiveFraction = Field(description="move below which it stands still")

    config: Config

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """One exit per position that is older than allowed and nearer to its entry than required."""
        config = self.config
        adjustments = []
        for symbol, position in book.positions.items():
            if position.role != "entry" or not market.usable(symbol) or not position.entry_price > 0:
                continue
            move = market.mark(symbol) / position.entry_price - 1
            if not abs(move) < config.min_move_frac - EPSILON:
                continue
            minutes = market.minutes_since(position.entry_time)
            if minutes > config.max_minutes:
                code = f"STALE_EXIT: moved {move:+.3%} in {minutes:.0f} minutes of trading"
                inputs = {"move_frac": move, "minutes": minutes}
                adjustments.append(Adjustment(self.name, "exit", symbol, code, inputs=inputs))
        return adjustments
