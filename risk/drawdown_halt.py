"""Stops new positions for the rest of a session that has lost too much."""

from __future__ import annotations

from pydantic import Field

from config.values.counting import signed
from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.limit_usage import Limit
from risk.lots import EPSILON
from risk.model import Book, Proposal, Verdict


class DrawdownHalt(RiskModule):
    """Refuses every new position, hedges too, once equity has fallen too far below the session's opening.

    The halt lasts until the next session even if equity recovers: the desk asks ``halts`` in every iteration
    and keeps the module's name in ``book.halted``. Exits, trims and stops are no proposals and go on. A hedge is
    refused as well: on such a day nothing is opened. The opening is equity as the session begins, at its prices: what
    a night brings is no loss of the day. A backtest takes it at the open of the first bar, a live run at its first look
    in the session, and both compare it with equity in each iteration. Where equity or the opening is not known there is
    no drawdown to measure, and entries are refused until there is.

    Parameters
    ----------
    max_drawdown_frac : float
        Loss from equity at the session's opening (not at the last close) to equity at an iteration, as a fraction of
        the former; a larger one halts, one equal to it does not.
    """

    name = "drawdown_halt"
    remedy = "the next session"
    frees = "next_session"

    class Config(ModuleConfig):
        """Settings of ``DrawdownHalt``."""

        max_drawdown_frac: float = Field(
            gt=0, lt=1, description="loss from the session's opening equity that doesn't halt yet"
        )

    config: Config

    def limits(self, book: Book, market: Market) -> list[Limit]:
        opening = book.session_open_equity
        if not opening > 0:
            return []
        lost = max(0.0, opening - book.equity)
        most = self.config.max_drawdown_frac * opening
        return [Limit(self.name, "lost since the session's opening", lost, most, "USD", "next_session", halts=True)]

    def halts(self, book: Book) -> bool:
        """Whether the session's loss is too large, by this reading."""
        return tripped(book, self.config)

    def status(self, book: Book, market: Market) -> str:
        """The day so far, and how much of the loss that halts is used."""
        opening, most = book.session_open_equity, self.config.max_drawdown_frac
        if not opening > 0:
            return ""
        halted = "; halted for this session" if self.name in book.halted or tripped(book, self.config) else ""
        return f"today {signed(book.equity / opening - 1, '.2%')}, entries stop below -{most:.1%}{halted}"

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Refuse while halted, when this reading halts, and where there is no reading."""
        opening, most = book.session_open_equity, self.config.max_drawdown_frac
        inputs = {"equity": book.equity, "session_open_equity": opening}
        if tripped(book, self.config):
            code = f"DRAWDOWN_HALT: {1 - book.equity / opening:.2%} below the session's opening, above {most:.1%}"
            return self.halted(proposal, book, code, **inputs)
        if self.name in book.halted:
            code = f"DRAWDOWN_HALT: the session was more than {most:.1%} below its opening"
            return self.halted(proposal, book, code, **inputs)
        if not (opening > 0 and book.equity >= _floor(opening, most)):
            return self.refuse(proposal, "DRAWDOWN_HALT: equity or the session's opening is not known", **inputs)
        return self.keep(proposal, **inputs)


def tripped(book: Book, config: DrawdownHalt.Config) -> bool:
    """Whether equity is now so far below the session's opening that the session is over for new positions.

    False where either is not a number: an unknown reading halts nothing for good, ``review`` refuses on it.
    """
    opening = book.session_open_equity
    return opening > 0 and book.equity < _floor(opening, config.max_drawdown_frac)


def _floor(opening: float, max_drawdown_frac: float) -> float:
    """Equity below which the session is halted; less than a cent of slack, so that the limit itself is not."""
    return opening * (1 - max_drawdown_frac) * (1 - EPSILON)
