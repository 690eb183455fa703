"""Limits how many positions, and which share of them, sit in one sector: they are counted, not weighed by value."""

from __future__ import annotations

from collections import Counter
from typing import Self

from pydantic import Field, model_validator

from market.market import Market
from market.sectors import UNCLASSIFIED
from risk.interface import ModuleConfig, PositiveFraction, RiskModule
from risk.limit_usage import Limit, Remedy
from risk.lots import EPSILON
from risk.model import Book, Proposal, Verdict


class SectorCap(RiskModule):
    """Refuses an entry that would crowd its sector; held positions are never touched.

    Symbols without a label share the sector ``unclassified``: what is unknown may well move
    together. Hedges neither count nor are refused.

    Parameters
    ----------
    max_positions : int
        Open positions plus accepted proposals allowed in one sector.
    max_share_frac : float
        Share of the number of positions allowed in one sector, as a fraction of 1; their value does not count.
    share_from_positions : int
        The share rule counts once the book would hold this many positions.
    """

    name = "sector_cap"
    remedy = "a position of the sector has to be closed, or more positions held in other sectors"

    class Config(ModuleConfig):
        """Settings of ``SectorCap``."""

        max_positions: int = Field(ge=1, description="positions in one sector, at most")
        max_share_frac: PositiveFraction = Field(description="share of the number of positions in one sector, at most")
        share_from_positions: int = Field(ge=1, description="positions from which on the share counts")

        @model_validator(mode="after")
        def _reachable(self) -> Self:
            # One position among the first counted ones is already a share of 1/n: a lower cap stops all trading.
            if self.share_from_positions * self.max_share_frac < 1 - EPSILON:
                raise ValueError(
                    f"sector_cap: no position {self.share_from_positions} could ever pass a share of "
                    f"{self.max_share_frac:g}; share_from_positions must be at least 1 / max_share_frac"
                )
            return self

    config: Config

    def status(self, book: Book, market: Market) -> str:
        """How many positions there are in each sector."""
        held = Counter(market.sector(symbol) for symbol, role in book.exposures() if role == "entry")
        if not held:
            return ""
        told = ", ".join(f"{sector} {count}" for sector, count in held.most_common())
        return f"{told}; at most {self.config.max_positions} in a sector"

    def limits(self, book: Book, market: Market) -> list[Limit]:
        sectors = [market.sector(s) for s, role in book.exposures() if role == "entry"]
        most = self.config.max_positions
        return [
            Limit(self.name, "positions", sectors.count(sector), most, "positions", scope=sector)
            for sector in sorted(set(sectors))
        ]

    @classmethod
    def remedy_for(cls, verdict: Verdict, price: float) -> Remedy:
        sector = verdict.inputs.get("sector")
        if sector is None:
            return Remedy(cls.remedy)
        if " share " in verdict.code:
            return Remedy(f"a position of {sector} has to be closed, or more positions held in other sectors")
        return Remedy(f"a position of {sector} has to be closed")

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Count the book as it would be after acceptance, hedges left out."""
        if proposal.role == "hedge":
            return self.keep(proposal)
        config = self.config
        sector = market.sector(proposal.symbol)
        others = [s for s, role in book.exposures() if role == "entry" and s != proposal.symbol]
        count = sum(market.sector(s) == sector for s in others)
        share = (count + 1) / (len(others) + 1)
        inputs = {"sector": sector, "sector_positions": count, "positions": len(others), "share_frac": share}
        hint = f" (give {proposal.symbol} a label in universe.sectors)" if sector == UNCLASSIFIED else ""
        if count >= config.max_positions:
            return self.refuse(proposal, f"SECTOR_CAP: {sector} {count}/{config.max_positions}{hint}", **inputs)
        if len(others) + 1 >= config.share_from_positions and share > config.max_share_frac + EPSILON:
            code = f"SECTOR_CAP: {sector} share {share:.2f} > {config.max_share_frac:.2f}{hint}"
            return self.refuse(proposal, code, **inputs)
        return self.keep(proposal, **inputs)
