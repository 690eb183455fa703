"""Stops new positions for several sessions after too many losing trades in a row."""

from __future__ import annotations

from pydantic import Field

from config.values.closed_trades import CLOSED_TRADES_KEPT
from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.limit_usage import Limit
from risk.model import Book, Proposal, Verdict


class StreakHalt(RiskModule):
    """Refuses every new position, hedges too, for some sessions once the latest closed trades all lost.

    A loss is a negative result after costs; break-even ends a streak. Whole positions count, hedges don't. The halt
    lasts ``sessions`` sessions, the one in which it began counted, also through a restart. The way back is time:
    only trades that were opened after a halt began count for the next one, so that what was held through it does
    not halt again.

    Parameters
    ----------
    losing_trades : int
        Losing trades in a row that halt.
    sessions : int
        Sessions without new positions.
    """

    name = "streak_halt"
    remedy = "the end of the halt, after risk.modules.streak_halt.sessions sessions"

    class Config(ModuleConfig):
        """Settings of ``StreakHalt``."""

        losing_trades: int = Field(ge=1, le=CLOSED_TRADES_KEPT, description="losing trades in a row that halt")
        sessions: int = Field(ge=1, le=60, description="sessions without new positions, the first one counted")

    config: Config

    def limits(self, book: Book, market: Market) -> list[Limit]:
        losses, most = self._losses(book), self.config.losing_trades
        return [Limit(self.name, "losing trades in a row", losses, most, "trades", halts=True)]

    @property
    def halt_sessions(self) -> int:
        return self.config.sessions

    def halts(self, book: Book) -> bool:
        """Whether the streak is long enough."""
        return self._losses(book) >= self.config.losing_trades

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Refuse while halted, and when this reading halts."""
        config, losses = self.config, self._losses(book)
        if losses >= config.losing_trades or self.name in book.halted:
            code = f"STREAK_HALT: {config.losing_trades} losing trades in a row, {config.sessions} sessions"
            return self.halted(proposal, book, code, losses=losses)
        return self.keep(proposal, losses=losses)

    def _losses(self, book: Book) -> int:
        """Length of the present streak, up to what halts."""
        since, losses = book.last_halts.get(self.name), 0
        for trade in reversed(book.closed_trades):
            # What was closed before it was opened before the halt as well: no more counts.
            if since is not None and trade.closed <= since:
                break
            if trade.role != "entry" or (since is not None and trade.opened <= since):
                continue
            if losses >= self.config.losing_trades or not trade.pnl < 0:
                break
            losses += 1
        return losses
