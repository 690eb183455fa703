"""Keeps the exposure budget on disk in step with the fills."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from brokers import budget_file
from brokers.journal import FilledOrder
from config.errors import Refusal
from market.trading_day import day_of
from risk.weekly_budget import WeeklyBudget

log = logging.getLogger(__name__)

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

    def compare(self, filled: Collection[FilledOrder], today: date) -> None:
        """What the file says was opened has to be among the journal's fills.

        What is still held of it is no measure. The journal hears of a sale first, so that the file of a trader that
        was killed in between has more; and what counts as freed depends on settings, which may have changed since.
        Fills only ever grow in number.

        Raises
        ------
        Refusal
            It is not: the journal was moved or replaced, and beginning anew would give the week a second budget.
        """
        if filled and not self.path.exists():
            log.warning("%s is gone, the journal has fills: it is made again from them", self.path)
        saved = self.saved.rolled(max(today, self.saved.day))
        for charge in saved.charges:
            fills = [f for f in filled if f.order.symbol == charge.symbol and _day(f) >= charge.opened]
            traded = max(_traded(fills, "buy"), _traded(fills, "sell"))
            if not traded or _exceeds(charge.usd, traded):
                opened = f"{charge.usd:.2f} USD of {charge.symbol} deployed since {charge.opened}"
                raise self._refusal(opened, traded)
        todays = [f for f in filled if _day(f) >= saved.day]
        traded = _traded(todays, "buy") + _traded(todays, "sell")
        if _exceeds(saved.day_usd, traded):
            raise self._refusal(f"{saved.day_usd:.2f} USD deployed on {saved.day}", traded)

    def _refusal(self, opened: str, traded: float) -> Refusal:
        return Refusal(
            f"{self.path}: has {opened}, the fills in the journal add up to {traded:.2f}; restore the journal that "
            "belongs to it, or move the budget away to begin with the journal's"
        )

    def keep(self, budget: WeeklyBudget | None) -> None:
        """Save a budget that has changed; OSError if that fails."""
        if budget is not None and budget != self.saved:
            budget_file.save(self.path, budget, self.account_id)
            self.saved = budget


def _day(item: FilledOrder) -> date:
    return day_of(item.last_fill)


def _traded(filled: Collection[FilledOrder], side: str) -> float:
    return float(sum(item.order.filled_notional for item in filled if item.order.side == side))


def _exceeds(known: float, traded: float) -> bool:
    return known > traded * (1 + SLACK_FRAC) + SLACK_USD
