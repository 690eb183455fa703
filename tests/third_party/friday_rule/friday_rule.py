"""Keeps out of the weekend what was not in the book before it."""

from zoneinfo import ZoneInfo

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.model import Book, Proposal, Verdict

FRIDAY = 4
NEW_YORK = ZoneInfo("America/New_York")


class FridayRule(RiskModule):
    """Refuses entries on Fridays; hedges pass, and what is held is left alone.

    Parameters
    ----------
    from_hour : int, default=0
        New York hour of a Friday from which on entries are refused.
    """

    name = "friday_rule"

    class Config(ModuleConfig):
        """Settings of ``FridayRule``."""

        from_hour: int = Field(default=0, ge=0, le=23, description="New York hour from which on entries are refused")

    config: Config

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Refuse by the time of the decision."""
        now = book.time.astimezone(NEW_YORK)
        if proposal.role == "hedge" or now.weekday() != FRIDAY or now.hour < self.config.from_hour:
            return self.keep(proposal)
        return self.refuse(proposal, f"FRIDAY_RULE: {now:%Y-%m-%d} is a Friday", hour=now.hour)
