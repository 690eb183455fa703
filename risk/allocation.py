"""How much of the account each of several simultaneous A+ signals may take."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from market.market import Market
from risk.interface import ModuleConfig, PositiveFraction, RiskModule
from risk.lots import EPSILON, Lot, affordable
from risk.model import Book, Proposal, Verdict


class Allocation(RiskModule):
    """Splits one scan's budget over its A+ signals and takes only as many as it can feed.

    Parameters
    ----------
    total_frac : float
        Share of equity that one scan may deploy.
    max_each_frac : float
        Share of equity of one position, at most.
    min_each_frac : float
        No share is smaller: signals ranked beyond ``total_frac / min_each_frac`` are refused.
    lot : float
        Smallest tradable quantity.
    """

    name = "allocation"
    remedy = "fewer A+ signals in one scan, or a larger risk.modules.allocation.total_frac"

    class Config(ModuleConfig):
        """Settings of ``Allocation``; the table by number of signals follows from the three fractions."""

        total_frac: PositiveFraction = Field(description="share of equity that one scan may deploy")
        max_each_frac: PositiveFraction = Field(description="share of equity of one position, at most")
        min_each_frac: PositiveFraction = Field(description="share below which fewer signals are taken instead")
        lot: Lot

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if not self.min_each_frac <= self.max_each_frac <= self.total_frac:
                raise ValueError("allocation needs min_each_frac <= max_each_frac <= total_frac")
            return self

        @property
        def most(self) -> int:
            """Signals that can be taken before an even split falls below the minimum."""
            return math.floor(self.total_frac / self.min_each_frac + EPSILON)

    config: Config

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Shrink to the split, refuse ranks beyond it; a hedge is not a rival of the entries and passes."""
        if proposal.role == "hedge":
            return self.keep(proposal)
        most = self.config.most
        if proposal.rank > most:
            code = f"ALLOCATION: rank {proposal.rank} of {proposal.batch}, only {most} taken"
            return self.refuse(proposal, code, rank=proposal.rank, batch=proposal.batch, most=most)
        # A rank beyond the stated batch counts as a batch of that size: the stricter of the two readings.
        each = allocation_fraction(max(proposal.batch, proposal.rank, 1), self.config)
        most_usd = each * book.equity
        allowed = affordable(most_usd, proposal.price, self.config.lot)
        inputs = {"batch": proposal.batch, "rank": proposal.rank, "each_frac": each, "equity": book.equity}
        if allowed >= proposal.quantity:
            return self.keep(proposal, most_usd, **inputs)
        code = f"ALLOCATION: {each:.2%} of equity each, {proposal.batch} signals"
        return self.shrink(proposal, allowed, code, most_usd, **inputs)


def allocation_fraction(count: int, config: Allocation.Config | None = None) -> float:
    """Share of equity for each taken signal when ``count`` A+ signals come in one scan.

    With the defaults 1 and 2 signals get 0.10 each, 3 get 0.0667, 4 or more 0.05 (the best 4 only).

    Raises
    ------
    ValueError
        If ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    config = config or Allocation.Config.model_validate({})
    return min(config.max_each_frac, config.total_frac / min(count, config.most))
