"""Stops new positions for several sessions once the account has lost too much from its peak."""

from __future__ import annotations

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.limit_usage import Limit
from risk.lots import EPSILON
from risk.model import Book, Proposal, Verdict


class PeakHalt(RiskModule):
    """Refuses every new position, hedges too, for some sessions once equity is too far below its peak.

    The halt lasts ``sessions`` sessions, the one in which it began counted, also through a restart, even if equity
    recovers. Exits, trims and stops go on. The way back is time: in the first session after it the peak is
    measured anew, from the equity of that moment, so that the same loss halts once. Where equity or its peak is not
    known, entries are refused until there is.

    Parameters
    ----------
    max_drawdown_frac : float
        Loss from the peak, as a fraction of it; a larger one halts, one equal to it does not.
    sessions : int
        Sessions without new positions.
    """

    name = "peak_halt"
    remedy = "the end of the halt, after risk.modules.peak_halt.sessions sessions"
    measures_peak = True

    class Config(ModuleConfig):
        """Settings of ``PeakHalt``."""

        max_drawdown_frac: float = Field(gt=0, lt=1, description="loss from the peak of equity that doesn't halt yet")
        sessions: int = Field(ge=1, le=60, description="sessions without new positions, the first one counted")

    config: Config

    def limits(self, book: Book, market: Market) -> list[Limit]:
        peak = book.equity_peak
        if not peak > 0:
            return []
        lost = max(0.0, peak - book.equity)
        return [Limit(self.name, "lost since the peak", lost, self.config.max_drawdown_frac * peak, halts=True)]

    @property
    def halt_sessions(self) -> int:
        return self.config.sessions

    def halts(self, book: Book) -> bool:
        """Whether the loss from the peak is too large, by this reading; an unknown one halts nothing for good."""
        return book.equity_peak > 0 and book.equity < self._least(book)

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Refuse while halted, when this reading halts, and where there is no reading."""
        peak, most = book.equity_peak, self.config.max_drawdown_frac
        inputs = {"equity": book.equity, "equity_peak": peak}
        if self.halts(book):
            code = f"PEAK_HALT: {1 - book.equity / peak:.2%} below the peak of equity, above {most:.1%}"
            return self.halted(proposal, book, code, **inputs)
        if self.name in book.halted:
            code = f"PEAK_HALT: equity was more than {most:.1%} below its peak, {self.config.sessions} sessions"
            return self.halted(proposal, book, code, **inputs)
        if not (peak > 0 and book.equity >= self._least(book)):
            return self.refuse(proposal, "PEAK_HALT: equity or its peak is not known", **inputs)
        return self.keep(proposal, **inputs)

    def _least(self, book: Book) -> float:
        """Equity below which entries are halted; less than a cent of slack, so that the limit itself is not."""
        return book.equity_peak * (1 - self.config.max_drawdown_frac) * (1 - EPSILON)
