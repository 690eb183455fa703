"""Risks more after a good run of trades and less after a bad one."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from config.values.closed_trades import CLOSED_TRADES_KEPT
from market.market import Market
from risk.interface import ModuleConfig, PositiveFraction, RiskFraction, RiskModule
from risk.lots import EPSILON, Lot, affordable
from risk.model import Book, Proposal, Verdict


class RecentForm(RiskModule):
    """Shrinks an entry to the risk per trade that the win rate of the last closed trades allows.

    A win is a positive result after costs; break-even is none, nor is a result that is not a number. Only
    entries count and only entries are shrunk, hedges keep their size. The size multiplier scales this risk like
    the sizer's. An entry without a distance to its stop is refused.

    Parameters
    ----------
    last_trades : int
        Closed trades that are looked at, the latest ones.
    min_trades : int
        Fewer than this and the risk is normal.
    best_above_frac, good_above_frac, poor_below_frac : float
        Win rates above or below which the form is best, good or poor; a rate equal to one is not.
    best_risk_frac, good_risk_frac, normal_risk_frac, poor_risk_frac : float
        Risk per trade in each form, as a fraction of equity lost at the stop.
    lot : float
        Smallest tradable quantity.
    """

    name = "recent_form"
    remedy = "a higher win rate of the latest trades, or a nearer stop"

    class Config(ModuleConfig):
        """Settings of ``RecentForm``."""

        last_trades: int = Field(ge=1, le=CLOSED_TRADES_KEPT, description="closed trades that are looked at")
        min_trades: int = Field(ge=1, description="closed trades below which the risk is normal")
        best_above_frac: PositiveFraction = Field(description="win rate above which the form is best")
        good_above_frac: PositiveFraction = Field(description="win rate above which the form is good")
        poor_below_frac: PositiveFraction = Field(description="win rate below which the form is poor")
        best_risk_frac: RiskFraction = Field(description="risk per trade, fraction of equity")
        good_risk_frac: RiskFraction = Field(description="risk per trade, fraction of equity")
        normal_risk_frac: RiskFraction = Field(description="risk per trade, fraction of equity")
        poor_risk_frac: RiskFraction = Field(description="risk per trade, fraction of equity")
        lot: Lot

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_trades > self.last_trades:
                raise ValueError("recent_form needs min_trades <= last_trades: else the form is never read")
            if not self.poor_below_frac <= self.good_above_frac <= self.best_above_frac:
                raise ValueError("recent_form needs poor_below_frac <= good_above_frac <= best_above_frac")
            if not self.poor_risk_frac <= self.normal_risk_frac <= self.good_risk_frac <= self.best_risk_frac:
                raise ValueError(
                    "recent_form needs poor_risk_frac <= normal_risk_frac <= good_risk_frac <= best_risk_frac"
                )
            return self

    config: Config

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Shrink to what may be lost at the stop."""
        config = self.config
        if proposal.role == "hedge":
            return self.keep(proposal)
        wins, trades = self._form(book)
        risk = form_risk(wins, trades, config)
        usd = risk * book.equity * proposal.size_multiplier
        allowed = affordable(usd, proposal.risk_per_share, config.lot)
        inputs = {
            "wins": wins,
            "trades": trades,
            "risk_frac": risk,
            "equity": book.equity,
            "risk_per_share": proposal.risk_per_share,
        }
        if allowed >= proposal.quantity:
            return self.keep(proposal, **inputs)
        code = f"RECENT_FORM: {wins} of the last {trades} trades won, {risk:.1%} risk per trade"
        return self.shrink(proposal, allowed, code, **inputs)

    def status(self, book: Book, market: Market) -> str:
        """The form, and what it allows."""
        wins, trades = self._form(book)
        return f"{wins} of the last {trades} trades won: {form_risk(wins, trades, self.config):.1%} risk per trade"

    def _form(self, book: Book) -> tuple[int, int]:
        """Wins and number of the latest closed trades, hedges left out."""
        results: list[float] = []
        for trade in reversed(book.closed_trades):
            if len(results) == self.config.last_trades:
                break
            if trade.role == "entry":
                results.append(trade.pnl)
        return sum(pnl > 0 for pnl in results), len(results)


def form_risk(wins: int, trades: int, config: RecentForm.Config) -> float:
    """Risk per trade, a fraction of equity, after ``wins`` of ``trades`` closed ones.

    Counts are compared, not rates: 11 of 20 is not above 0.55, however the fraction rounds.
    """
    if trades < config.min_trades:
        return config.normal_risk_frac
    if wins > config.best_above_frac * trades + EPSILON:
        return config.best_risk_frac
    if wins > config.good_above_frac * trades + EPSILON:
        return config.good_risk_frac
    if wins < config.poor_below_frac * trades - EPSILON:
        return config.poor_risk_frac
    return config.normal_risk_frac
