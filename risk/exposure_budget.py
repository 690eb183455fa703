"""Limits how much is newly deployed per day and per week."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from market.market import Market
from risk.interface import Fraction, ModuleConfig, PositiveFraction, RiskModule
from risk.limit_usage import Limit, Remedy
from risk.lots import Lot, affordable
from risk.model import Book, Proposal, Verdict


class ExposureBudget(RiskModule):
    """Shrinks an entry to what day and week leave, or refuses it.

    ``book.budget`` says what earlier scans opened, ``risk.weekly_budget`` what counts in it; entries on their
    way are added to both. The week's dollars are not allotted by day: what Monday leaves is there on Friday. A
    book without a budget refuses everything.

    Hedges count, and are held to the limits like any entry. Two full entries spend the day's dollars, so that
    a free place for a hedge would not help it; it is judged before the entries of its scan and so comes first
    in the next session.

    Parameters
    ----------
    day_frac : float
        Newly deployed in a session as a fraction of equity, at most; a close gives nothing back.
    day_positions : int
        New positions in a session, at most; a close gives nothing back.
    week_frac : float
        Charged to the week as a fraction of equity, at most; what closes is free from the next scan on.
    week_positions_warn : int
        Positions charged to the week from which on an accepted entry carries a warning.
    week_positions_max : int
        Positions charged to the week at which entries stop.
    min_position_frac : float
        A position that the budget would shrink below this fraction of equity is refused; one that was wanted
        smaller from the start, and fits, is kept.
    lot : float
        Smallest tradable quantity.
    """

    name = "exposure_budget"
    remedy = "the next session for the day's limits; a position that closes, or the next week, for the week's"

    class Config(ModuleConfig):
        """Settings of ``ExposureBudget``."""

        day_frac: PositiveFraction = Field(description="newly deployed in a day, fraction of equity")
        day_positions: int = Field(ge=1, description="new positions in a day, at most")
        week_frac: PositiveFraction = Field(description="charged to the week, fraction of equity")
        week_positions_warn: int = Field(ge=1, description="week's positions from which on it warns")
        week_positions_max: int = Field(ge=1, description="week's positions at which entries stop")
        min_position_frac: Fraction = Field(
            description="a position shrunk below this fraction of equity is refused instead"
        )
        lot: Lot

        @model_validator(mode="after")
        def _reachable(self) -> Self:
            if not self.min_position_frac <= self.day_frac <= self.week_frac:
                raise ValueError("exposure_budget needs min_position_frac <= day_frac <= week_frac")
            if self.week_positions_warn > self.week_positions_max:
                raise ValueError("exposure_budget needs week_positions_warn <= week_positions_max")
            if self.day_positions > self.week_positions_max:
                raise ValueError("exposure_budget needs day_positions <= week_positions_max")
            return self

    config: Config

    def limits(self, book: Book, market: Market) -> list[Limit]:
        config, spent = self.config, book.budget
        if spent is None:
            return []
        promised = book.promised_cash
        coming = sum(symbol not in book.positions for symbol in book.pending)
        day, week = config.day_frac * book.equity, config.week_frac * book.equity
        opened, charged = spent.day_positions + coming, spent.week_positions + coming
        places, week_places = config.day_positions, config.week_positions_max
        return [
            Limit(self.name, "deployed today (closed included)", spent.day_usd + promised, day, "USD", "next_session"),
            Limit(self.name, "deployed and still held", spent.week_usd + promised, week, "USD", "next_week"),
            Limit(self.name, "opened today (closed included)", opened, places, "positions", "next_session"),
            Limit(self.name, "held at some time this week", charged, week_places, "positions", "next_week"),
        ]

    @classmethod
    def remedy_for(cls, verdict: Verdict, price: float) -> Remedy:
        if "no budget known" in verdict.code:
            return Remedy("the weekly budget has to be known; see the log of the trader")
        if verdict.detail.startswith("day "):
            return Remedy("the next session; what closes gives nothing of the day's limit back", "next_session")
        return Remedy("a position that closes frees the week's dollars, or the next week", "next_week")

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Counts first, then dollars: of day and week the one that leaves less decides."""
        config, spent = self.config, book.budget
        if spent is None:
            return self.refuse(proposal, "EXPOSURE_BUDGET: no budget known")
        waiting = [p for symbol, p in book.pending.items() if symbol != proposal.symbol]
        promised = sum(p.approved_usd for p in waiting)
        # The filled part of an entry that is still working is charged already, and it is one position.
        coming = sum(p.symbol not in book.positions for p in waiting)
        day_positions, week_positions = spent.day_positions + coming, spent.week_positions + coming
        day_usd, week_usd = spent.day_usd + promised, spent.week_usd + promised
        day_limit, week_limit = config.day_frac * book.equity, config.week_frac * book.equity
        inputs = {
            "equity": book.equity,
            "day_usd": day_usd,
            "day_positions": day_positions,
            "week_usd": week_usd,
            "week_positions": week_positions,
        }
        if day_positions >= config.day_positions:
            code = f"EXPOSURE_BUDGET: day {day_positions}/{config.day_positions} positions"
            return self.refuse(proposal, code, **inputs)
        week = f"week {week_positions}/{config.week_positions_max} positions"
        if week_positions >= config.week_positions_max:
            return self.refuse(proposal, f"EXPOSURE_BUDGET: {week}", **inputs)

        # One by one: the smaller of two rooms is not defined where one of them is not a number.
        left_of_day, left_of_week = day_limit - day_usd, week_limit - week_usd
        by_day = affordable(left_of_day, proposal.price, config.lot)
        by_week = affordable(left_of_week, proposal.price, config.lot)
        most = left_of_day if left_of_day < left_of_week else left_of_week
        fits = min(by_day, by_week)
        warns = week_positions >= config.week_positions_warn
        if warns:
            inputs["warning"] = True
        if fits >= proposal.quantity:
            code = f"EXPOSURE_BUDGET: {week}" if warns else "OK"
            return Verdict(self.name, code, proposal.quantity, proposal.quantity, inputs, most_usd=most)
        if by_day <= by_week:
            reading = f"day {day_usd:.2f} of {day_limit:.2f} USD deployed"
        else:
            reading = f"week {week_usd:.2f} of {week_limit:.2f} USD deployed"
        if fits <= 0 or fits * proposal.price < config.min_position_frac * book.equity:
            inputs["fits"] = fits
            code = f"EXPOSURE_BUDGET: {reading}, what fits is below {config.min_position_frac:.1%} of equity"
            return self.refuse(proposal, code, **inputs)
        code = f"EXPOSURE_BUDGET: {reading}, {fits:g} of {proposal.quantity:g} fit"
        return self.shrink(proposal, fits, f"{code}, {week}" if warns else code, most, **inputs)

    def status(self, book: Book, market: Market) -> str:
        """What day and week have spent of what they may."""
        config, spent = self.config, book.budget
        if spent is None or not book.equity > 0:
            return "no budget known: nothing is entered"
        day, week = spent.day_usd / book.equity, spent.week_usd / book.equity
        return (
            f"today {day:.1%} of {config.day_frac:.0%} deployed, closed or not, {spent.day_positions} of "
            f"{config.day_positions} new positions; this week {week:.1%} of {config.week_frac:.0%} still held, "
            f"{spent.week_positions} of {config.week_positions_max} positions held at some time"
        )
