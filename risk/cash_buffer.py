"""Keeps a share of the account in cash."""

from __future__ import annotations

from pydantic import Field

from config.values.counting import share_count
from market.market import Market
from risk.interface import Fraction, ModuleConfig, RiskModule
from risk.limit_usage import Limit, Remedy
from risk.lots import Lot, affordable
from risk.model import Book, Proposal, Verdict


class CashBuffer(RiskModule):
    """Shrinks an entry to the cash above the buffer, or skips it when too little would be left of it.

    Accepted entries that have not filled count as spent. Hedges and shorts are held to the same
    cash as longs: proceeds and margin of a short are not ours to spend.

    Parameters
    ----------
    buffer_frac : float
        Cash never spent, as a fraction of equity.
    min_position_frac : float
        A position that the buffer would shrink below this fraction of equity is refused; one that
        was wanted smaller from the start, and fits, is not this rule's business.
    lot : float
        Smallest tradable quantity.
    """

    name = "cash_buffer"
    remedy = "cash from a closed position, or a smaller risk.modules.cash_buffer.buffer_frac"

    class Config(ModuleConfig):
        """Settings of ``CashBuffer``."""

        buffer_frac: Fraction = Field(description="cash never spent, as a fraction of equity")
        min_position_frac: Fraction = Field(
            description="a position shrunk below this fraction of equity is skipped instead"
        )
        lot: Lot

    config: Config

    def limits(self, book: Book, market: Market) -> list[Limit]:
        kept = self.config.buffer_frac * book.equity
        return [
            Limit(
                self.name, "spent of what the buffer leaves", max(0.0, book.equity - book.free_cash), book.equity - kept
            )
        ]

    @classmethod
    def remedy_for(cls, verdict: Verdict, price: float) -> Remedy:
        spendable = verdict.inputs.get("spendable")
        if spendable is None or not verdict.before * price > spendable:
            return Remedy(cls.remedy)
        missing = verdict.before * price - spendable
        return Remedy(f"{missing:,.2f} USD more free cash for {share_count(verdict.before)}: {cls.remedy}")

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Keep what fits, shrink what does not, refuse a remnant."""
        config = self.config
        free = book.free_cash - config.buffer_frac * book.equity
        inputs = {"free_cash": book.free_cash, "equity": book.equity, "spendable": free}
        if proposal.notional <= free:
            return self.keep(proposal, free, **inputs)
        fits = min(affordable(free, proposal.price, config.lot), proposal.quantity)
        # A book without positive equity leaves nothing free, so fits is 0 and the ratio is not needed.
        share = fits * proposal.price / book.equity if fits > 0 else 0.0
        if fits <= 0 or share < config.min_position_frac:
            code = (
                f"CASH_BUFFER: would shrink to {share:.1%} of equity, below {config.min_position_frac:.1%}: "
                f"skipped (warning: cash is at its {config.buffer_frac:.0%} buffer)"
            )
            return self.refuse(proposal, code, warning=True, **inputs)
        code = f"CASH_BUFFER: {fits:g} of {proposal.quantity:g} fit above the {config.buffer_frac:.0%} buffer"
        return self.shrink(proposal, fits, code, free, **inputs)

    def status(self, book: Book, market: Market) -> str:
        """What may still be spent above the buffer."""
        buffer = self.config.buffer_frac * book.equity
        return (
            f"{max(0.0, book.free_cash - buffer):,.2f} USD may be spent; {self.config.buffer_frac:.0%} of equity, "
            f"{buffer:,.2f} USD, stay"
        )
