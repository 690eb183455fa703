"""Signals that say what they are told to, rules that do one thing each, and a pipeline of them."""

from __future__ import annotations

import numpy as np

from config.schema import Gate
from risk.brackets import FixedBracket
from risk.equity_sizer import SizingConfig
from risk.interface import RiskModule
from risk.model import Adjustment, Proposal
from strategies.pipeline import Pipeline, Selection
from strategies.signals.base import Signal
from tests.risk.helpers import market

SYMBOLS = tuple("ABCDEFGH")
OPEN_GATE = Gate(
    max_order_notional_frac=1,
    max_day_notional_frac=4,
    max_order_notional_usd=None,
    max_day_notional_usd=None,
    max_new_positions=100,
    max_open_positions=100,
    min_cash_frac=0,
    restricted=(),
    price_collar_frac=1,
)
SELECTION = Selection(min_score=60, a_plus_score=70, watch_list=5, execute=2)


class Stated(Signal):
    """Scores as given; NaN for everything else."""

    name = "stated"

    def __init__(self, **scores: float) -> None:
        super().__init__(self.Config())
        self.stated = scores

    def scores(self, market):
        return np.array([self.stated.get(s, np.nan) for s in market.symbols])

    def reason(self, market, symbol):
        return f"stated {self.stated[symbol]}"


class Other(Stated):
    name = "other"


class Intraday(Stated):
    name = "intraday"
    intraday_only = True


class Refuses(RiskModule):
    """Refuses what it is told to."""

    name = "refuses"

    def __init__(self, *symbols: str) -> None:
        super().__init__(self.Config())
        self.refused = symbols

    def review(self, proposal, book, market):
        refused = proposal.symbol in self.refused
        return self.refuse(proposal, "REFUSES: told to") if refused else self.keep(proposal)


class Listens(RiskModule):
    """Keeps everything and remembers what it was asked and what was pending then."""

    name = "listens"

    def __init__(self) -> None:
        super().__init__(self.Config())
        self.asked: list[tuple[str, float, int, tuple[str, ...]]] = []

    def review(self, proposal, book, market):
        self.asked.append((proposal.symbol, proposal.quantity, proposal.rank, tuple(book.pending)))
        return self.keep(proposal)


class Doubles(RiskModule):
    """Breaks the promise that a verdict never raises a quantity."""

    name = "doubles"

    def review(self, proposal, book, market):
        kept = self.keep(proposal)
        return type(kept)(self.name, "OK", kept.before, 2 * kept.before)


class Says(RiskModule):
    """Leaves whatever quantity it is told to."""

    name = "says"

    def __init__(self, after: float) -> None:
        super().__init__(self.Config())
        self.after = after

    def review(self, proposal, book, market):
        return self.shrink(proposal, self.after, "SAYS: told to")


class Wants(RiskModule):
    """Proposes what it is told to."""

    name = "wants"

    def __init__(self, *proposals: Proposal) -> None:
        super().__init__(self.Config())
        self.proposals = proposals

    def propose(self, book, market):
        return list(self.proposals)


class Adjusts(RiskModule):
    name = "adjusts"

    def __init__(self, *adjustments: Adjustment) -> None:
        super().__init__(self.Config())
        self.adjustments = adjustments

    def manage(self, book, market):
        return list(self.adjustments)


def snapshot(symbols=SYMBOLS, price=100.0, **more):
    return market(dict.fromkeys(symbols, price), {"atr_14": dict.fromkeys(symbols, 2.0)}, **more)


def pipeline(*signals, chain=(), selection=SELECTION, gate=OPEN_GATE, universe=SYMBOLS, bracket=FixedBracket, **more):
    more.setdefault("sizing", SizingConfig())
    return Pipeline(
        signals=signals, chain=chain, bracket=bracket(bracket.Config()), selection=selection, gate=gate,
        universe=universe, **more,
    )  # fmt: skip


def taken(plan):
    return [p.symbol for p in plan.entries]


def told(plan):
    return {d.proposal.symbol: d.verdicts[-1].code for d in plan.decisions}


def sell(kind, symbol="A", quantity=0.0):
    return Adjustment("m", kind, symbol, kind, quantity=quantity)
