"""The account at one iteration: money, positions with what protects them, and what each rule reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from market.market import Market
from risk.interface import RiskModule
from risk.model import Book, Decision, Position

NEAR_FRAC = 0.02
"""Of the price: a stop that is nearer is told."""


@dataclass(frozen=True, slots=True)
class PositionView:
    """One position; prices in USD, ``weight_frac`` of equity, NaN for what is not known."""

    symbol: str
    role: str
    quantity: float
    entry: float
    last: float
    weight_frac: float
    profit_r: float
    stop: float
    target: float
    protected: float

    @property
    def to_stop_frac(self) -> float:
        """How far the price is from the stop, as a fraction of the price; negative beyond it."""
        return self._away(self.last - self.stop)

    @property
    def to_target_frac(self) -> float:
        """How far the price is from the target, as a fraction of the price; negative beyond it."""
        return self._away(self.target - self.last)

    @property
    def bare(self) -> float:
        """Shares that no stop covers."""
        return max(0.0, abs(self.quantity) - self.protected)

    def _away(self, usd: float) -> float:
        return (usd if self.quantity >= 0 else -usd) / self.last if self.last > 0 else math.nan


def positions(book: Book, market: Market) -> list[PositionView]:
    """Every position of the book, at its last known close."""
    return [_view(position, book, market) for _, position in sorted(book.positions.items())]


def statuses(chain: Sequence[RiskModule], book: Book, market: Market) -> dict[str, str]:
    """What each rule reads, by its name; rules with nothing to tell are left out."""
    told = {module.name: module.status(book, market) for module in chain}
    return {name: text for name, text in told.items() if text}


def money(book: Book) -> str:
    """Equity, and how it is divided."""
    cash = f"cash {book.cash:,.2f} USD"
    if book.equity > 0:
        cash += f", {book.cash / book.equity:.1%}"
    waiting = f", {book.promised_cash:,.2f} USD promised to entries" if book.pending else ""
    return f"equity {book.equity:,.2f} USD · {cash}{waiting}"


def protection(found: Sequence[PositionView]) -> list[str]:
    """Whether every share is behind a stop, and which stops are near."""
    if not found:
        return ["nothing is held"]
    bare = [f"{one.bare:g} of {abs(one.quantity):g} {one.symbol}" for one in found if one.bare]
    told = [f"WITHOUT A STOP: {', '.join(bare)}" if bare else "every position is behind its stop"]
    near = [
        f"{one.symbol} {one.to_stop_frac:.1%}"
        for one in sorted(found, key=lambda one: one.to_stop_frac)
        if one.to_stop_frac < NEAR_FRAC
    ]
    if near:
        told.append(f"near its stop: {', '.join(near)}")
    return told


def terms(decision: Decision, book: Book) -> str:
    """What an accepted proposal would buy, where it ends, and what is lost there."""
    p, quantity = decision.proposal, decision.final_quantity
    usd, risk = quantity * p.price, quantity * p.risk_per_share
    share, lost = (value / book.equity if book.equity > 0 else math.nan for value in (usd, risk))
    return (
        f"{quantity:g} {p.symbol} for {usd:,.2f} USD, {share:.1%}; stop {p.stop:,.2f} ({p.stop / p.price - 1:+.1%}), "
        f"target {p.target:,.2f} ({p.target / p.price - 1:+.1%}); {risk:,.2f} USD, {lost:.2%}, are lost at the stop"
    )


def document(book: Book, market: Market, chain: Sequence[RiskModule]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "positions": {
            one.symbol: {
                "quantity": one.quantity,
                "entry": one.entry,
                "price": one.last,
                "weight_frac": one.weight_frac,
                "profit_r": one.profit_r,
                "stop": one.stop,
                "target": one.target,
                "protected": one.protected,
            }
            for one in positions(book, market)
        },
        "rules": statuses(chain, book, market),
    }


def _view(position: Position, book: Book, market: Market) -> PositionView:
    mark, sign = market.mark(position.symbol), 1 if position.quantity >= 0 else -1
    last = mark if math.isfinite(mark) else position.entry_price
    risk = position.risk_per_share
    return PositionView(
        symbol=position.symbol,
        role=position.role,
        quantity=position.quantity,
        entry=position.entry_price,
        last=last,
        weight_frac=abs(position.quantity) * last / book.equity if book.equity > 0 else math.nan,
        profit_r=sign * (last - position.entry_price) / risk if risk > 0 else math.nan,
        stop=position.stop,
        target=position.target,
        protected=position.protected_quantity,
    )
