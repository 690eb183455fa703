"""Cash that is parked in T-bill funds: cash to the rules that judge entries, sold before the entries that need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from config.schema import Gate
from market.market import Market
from risk.interface import RiskModule
from risk.model import Book, Decision, Plan, Verdict


class Parking:
    """What the pipeline asks of the rules that park cash.

    Parameters
    ----------
    chain : sequence of RiskModule
    gate : Gate
        Whose ``min_cash_frac`` stays in cash.
    """

    def __init__(self, chain: Sequence[RiskModule], gate: Gate) -> None:
        self._sweeps = [module for module in chain if module.cash_funds]
        self._funds = frozenset(fund for module in self._sweeps for fund in module.cash_funds)
        self._kept_frac = gate.min_cash_frac

    def __bool__(self) -> bool:
        return bool(self._sweeps)

    def as_cash(self, book: Book, market: Market) -> Book:
        """The book that the other rules judge by: what is parked is cash, and no position and no trade."""
        held = self._funds & (book.positions.keys() | book.pending.keys())
        traded = any(trade.symbol in self._funds for trade in book.closed_trades)
        if not held and not traded:
            return book
        return replace(
            book,
            cash=book.cash + sum(module.ready_cash(book, market) for module in self._sweeps),
            positions={s: p for s, p in book.positions.items() if s not in self._funds},
            pending={s: p for s, p in book.pending.items() if s not in self._funds},
            closed_trades=[t for t in book.closed_trades if t.symbol not in self._funds],
        )

    def funded(self, plan: Plan, book: Book, market: Market) -> Plan:
        """The plan with the sales that its entries need, or with what its idle cash buys.

        Parameters
        ----------
        plan : Plan
            Of the book that ``as_cash`` gave.
        book : Book
            With what is parked as positions.
        market : Market
        """
        for module in self._sweeps:
            # What the gate keeps is touched by nobody.
            free = book.free_cash - sum(p.approved_usd for p in plan.entries) - self._kept_frac * book.equity
            short = -free if plan.entries else 0.0
            if short > 0:
                sales = module.raise_cash(short, book, market)
                if sales:
                    funding = plan.funding | {sale.symbol for sale in sales}
                    plan = replace(plan, adjustments=(*plan.adjustments, *sales), funding=funding)
            elif not book.halted and (wish := module.park(free, book, market)) is not None:
                verdict = Verdict(module.name, "OK", wish.quantity, wish.quantity, {"free_usd": free})
                decision = Decision(book.time, wish, wish.quantity, (verdict,))
                plan = replace(plan, entries=(*plan.entries, wish), decisions=(*plan.decisions, decision))
        return plan
