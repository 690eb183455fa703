"""What an iteration read of every symbol: what each signal lacks, and how much could be bought; for screens alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from market.features import FeatureTable
from market.market import Market
from risk import equity_sizer, policy_gate
from risk.limit_usage import Limit
from risk.model import Book, Decision, Plan, binding_verdict
from strategies.pipeline import ATR, Pipeline
from strategies.selection_words import code_in_words


@dataclass(frozen=True, slots=True)
class Reading:
    """One symbol at one iteration.

    ``status`` is one of decided, held, unusable, watched, silent, weak, closed and blocked; ``text`` says why nothing
    was proposed, or what was decided. ``allowed`` is the largest quantity that sizing and chain would let through
    now, None where that was not asked; ``bound_by`` is the rule that sets it and ``code`` its verdict.
    """

    symbol: str
    close: float
    atr: float
    status: str
    text: str
    allowed: float | None = None
    bound_by: str = ""
    code: str = ""


def readings(
    pipeline: Pipeline, features: FeatureTable, market: Market, plan: Plan, book: Book | None
) -> list[Reading]:
    """What an iteration read, by symbol.

    Parameters
    ----------
    pipeline : Pipeline
    features : FeatureTable
        Of which ``market`` is a view.
    market : Market
    plan : Plan
        What was decided on them.
    book : Book, optional
        As it is after the decisions; without one the quantities are not asked for.
    """
    decided = {d.proposal.symbol: d for d in plan.decisions}
    scores = {s.name: s.scores(market) for s in pipeline.signals} if not market.empty else {}
    return [
        _reading(symbol, pipeline, features, market, decided.get(symbol), scores, book)
        for symbol in pipeline.symbols()
        if symbol in market.index
    ]


def _reading(
    symbol: str,
    pipeline: Pipeline,
    features: FeatureTable,
    market: Market,
    decision: Decision | None,
    scores: dict[str, np.ndarray],
    book: Book | None,
) -> Reading:
    status, text = _why(symbol, pipeline, features, market, decision, scores, book)
    close, atr = market.value("close", symbol), market.value(ATR, symbol)
    if book is None or status in ("unusable", "watched") or book.held(symbol):
        return Reading(symbol, close, atr, status, text)
    found = pipeline.hypothetical(market, book, symbol)
    if found is None:
        return Reading(symbol, close, atr, status, text, 0.0, "bracket", "no stop and target can be set")
    codes = {v.module: v.code for v in found.verdicts}
    bound = found.bound_by
    return Reading(
        symbol, close, atr, status, text, found.final_quantity, bound, codes.get(bound.partition(":")[0], "")
    )


def _why(
    symbol: str,
    pipeline: Pipeline,
    features: FeatureTable,
    market: Market,
    decision: Decision | None,
    scores: dict[str, np.ndarray],
    book: Book | None,
) -> tuple[str, str]:
    if decision is not None:
        size = f"{decision.outcome} {decision.final_quantity:g} of {decision.proposed_quantity:g}"
        binding = binding_verdict(decision.verdicts)
        return "decided", size if binding is None or binding.code == "OK" else f"{size}: {code_in_words(binding.code)}"
    if why := features.why_unusable(market.row, symbol):
        return "unusable", why
    if symbol not in pipeline.universe:
        return "watched", "read by a rule, not traded"
    if book is not None and book.held(symbol):
        return "held", "held or on its way: one position a symbol"
    k = market.index[symbol]
    fired = {name: float(values[k]) for name, values in scores.items() if math.isfinite(values[k])}
    least = pipeline.selection.min_score
    if not fired:
        told = "; ".join(f"{s.name}: {s.lacks(market, symbol)}" for s in pipeline.signals)
        return "silent", told
    best = max(fired, key=lambda name: fired[name])
    if fired[best] < least:
        return "weak", f"{best} scores {fired[best]:.4g}, needs {least:g} (selection.min_confidence)"
    if not pipeline.entries_now(market.time):
        return "closed", f"{best} scores {fired[best]:.0f}, but no scan window is open (pace.windows)"
    return "blocked", f"{best} scores {fired[best]:.0f}, but {blocked(pipeline, market, symbol, best)}"


def blocked(pipeline: Pipeline, market: Market, symbol: str, signal: str) -> str:
    """Why a symbol with a score that is enough, in an open window, was not even proposed."""
    least = pipeline.selection.min_session_bars
    if least and pipeline.intraday:
        have = market.value("session_bar", symbol) if market.in_its_session else 0.0
        if have < least:
            return f"the session has {have:.0f} complete bars, needs {least} (selection.min_session_bars)"
    if pipeline.can_bracket(market, symbol, signal):
        return "nothing was decided with this bar"
    return "no stop and target can be set"


def limits(pipeline: Pipeline, book: Book, market: Market) -> list[Limit]:
    """Every limit of sizing, gate and chain, and how much of each is used."""
    book = pipeline.parking.as_cash(book, market)
    most = equity_sizer.most_of_one(pipeline.sizing, book.equity)
    found = [Limit(equity_sizer.NAME, "one position", 0.0, most, scope="one position")]
    found += policy_gate.limits(book, pipeline.gate)
    for module in pipeline.chain:
        found += module.limits(book, market)
    return found
