"""Keeps the exposure budget on disk in step with the fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from brokers import budget_file
from config.errors import Refusal
from risk.weekly_budget import WeeklyBudget

FILE = "weekly_budget.json"
SLACK_USD = 1.0
SLACK_FRAC = 0.01


@dataclass(slots=True)
class BudgetKeeper:
    """The budget file of one account.

    Parameters
    ----------
    path : Path
    account_id : str
        The venue's name of the account.
    saved : WeeklyBudget
        What the file holds.
    """

    path: Path
    account_id: str
    saved: WeeklyBudget

    @classmethod
    def open(cls, folder: Path, account_id: str, today: date) -> BudgetKeeper:
        """Read the file, an empty budget where there has never been one; Refusal if it can't be trusted."""
        path = folder / FILE
        return cls(path, account_id, budget_file.load(path, account_id, today))

    def compare(self, replayed: WeeklyBudget | None, today: date) -> None:
        """The file follows the journal, so it never knows of more than the fills there add up to.

        Raises
        ------
        Refusal
            It does: the journal was moved or replaced, and beginning anew would give the week a second budget.
        """
        known = self.saved.deployed(today)
        found = (replayed or WeeklyBudget(today)).deployed(max(today, replayed.day if replayed else today))
        for name, usd, there in (
            ("this week", known.week_usd, found.week_usd),
            ("today", known.day_usd, found.day_usd),
        ):
            if usd > there * (1 + SLACK_FRAC) + SLACK_USD:
                raise Refusal(
                    f"{self.path}: has {usd:.2f} USD deployed {name}, the fills in the journal add up to {there:.2f}; "
                    "restore the journal that belongs to it, or move the budget away to begin with the journal's"
                )

    def keep(self, budget: WeeklyBudget | None) -> None:
        """Save a budget that has changed; OSError if that fails."""
        if budget is not None and budget != self.saved:
            budget_file.save(self.path, budget, self.account_id)
            self.saved = budget
