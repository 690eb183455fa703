"""What signals and rules of other packages may return: each value is checked before anything acts on it."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, get_args

import numpy as np

from market.market import Market
from risk.model import OPENING_ROLES, Adjustment, AdjustmentKind, BracketTerms, Proposal, Side, Verdict

KINDS: tuple[str, ...] = get_args(AdjustmentKind)
SIDES: tuple[str, ...] = get_args(Side)
SELLING = ("trim", "partial")
"""Kinds of adjustments that sell ``quantity``."""
NUMBERS = ("score", "price", "atr", "stop", "target", "quantity", "size_multiplier")


def wrong_scores(found: np.ndarray, market: Market) -> str:
    """What is wrong with scores below zero, in words: silence is NaN. One above 100 is told where it would enter."""
    if found.dtype.kind == "b":
        return ""
    below = np.argwhere(found < 0)
    if not len(below):
        return ""
    place = tuple(below[0].tolist())
    return f"gave {market.symbols[place[-1]]} {found[place]:g}; a score runs from 0 to 100, and NaN is silence"


def wrong_verdict(verdict: Verdict) -> str:
    """What is wrong with a verdict, in words; empty for nothing. A quantity that is not finite counts as none."""
    if not _is_number(verdict.after):
        return f"gave a verdict whose after is {verdict.after!r}; a quantity is needed, 0 to refuse"
    code: Any = verdict.code
    if not isinstance(code, str):
        return f"gave a verdict whose code is {code!r}; a text is needed, OK for one that keeps"
    return ""


def wrong_adjustment(adjustment: Adjustment) -> str:
    """What is wrong with an adjustment, in words; empty for nothing."""
    kind: Any = adjustment.kind
    stop: Any = adjustment.stop
    quantity: Any = adjustment.quantity
    code: Any = adjustment.code
    if kind not in KINDS:
        return f"kind {kind!r}; write one of {', '.join(KINDS)}"
    if not isinstance(code, str):
        return f"code {code!r}; a text is needed"
    if kind == "tighten":
        if not (_is_number(stop) and math.isfinite(stop)):
            return f"stop {stop}; tighten needs a price"
        # A stop below zero of a long is never reached by the market and moves nothing.
        if adjustment.short and not stop > 0:
            return f"stop {stop}; the stop of a short has to be above 0"
    if kind in SELLING and not (_is_number(quantity) and math.isfinite(quantity) and quantity >= 0):
        return f"quantity {quantity}; {kind} sells so many, a number from 0 on"
    return ""


def wrong_proposal(proposal: Proposal) -> str:
    """What is wrong with a proposal, in words; empty for nothing. Levels and sizes are judged as any other's."""
    if proposal.side not in SIDES:
        return f"side {proposal.side!r}; write one of {', '.join(SIDES)}"
    if proposal.role not in OPENING_ROLES:
        return f"role {proposal.role!r}; write one of {', '.join(OPENING_ROLES)}"
    for name in NUMBERS:
        if not _is_number(value := getattr(proposal, name)):
            return f"{name} {value!r}; a number is needed"
    terms: Any = proposal.terms
    if not isinstance(terms, BracketTerms):
        return f"terms {terms!r}; BracketTerms are needed"
    try:
        terms.at(proposal.price)
    except ValueError as error:
        return f"terms that cannot be used: {error}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
