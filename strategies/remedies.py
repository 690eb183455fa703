"""What would have to change for a verdict, asked of whoever gave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from config.errors import Refusal
from risk import equity_sizer, policy_gate
from risk.limit_usage import Remedy
from risk.model import Verdict
from strategies.registry import RISK_MODULES

_OTHERS: Mapping[str, Callable[[Verdict, float], Remedy]] = {
    equity_sizer.NAME: equity_sizer.remedy_for,
    policy_gate.NAME: policy_gate.remedy_for,
    "desk": lambda verdict, price: _of_desk(verdict),
    "venue": lambda verdict, price: Remedy("what the broker's refusal says; it was not the rules"),
    "ensemble": lambda verdict, price: Remedy("agreement of more signals, or another signals.ensemble"),
    "pipeline": lambda verdict, price: Remedy(
        "a proposal of the module that can be sized; the code tells what it lacks"
    ),
    "selection": lambda verdict, price: _of_selection(verdict),
}


def remedy_for(verdict: Verdict, price: float) -> Remedy:
    """What would have to change, by the rule that gave the verdict; a general word for a rule that is not installed."""
    if verdict.module in _OTHERS:
        return _OTHERS[verdict.module](verdict, price)
    try:
        module = RISK_MODULES.get(verdict.module, "verdict")
    except Refusal:
        return Remedy(f"what {verdict.module} read, or its settings; the rule is not installed here")
    remedy: Remedy = module.remedy_for(verdict, price)
    return remedy


def _of_desk(verdict: Verdict) -> Remedy:
    if verdict.word == "DESK_SIZE":
        return Remedy(
            "a quote nearer the price that was decided on, or more equity: what was approved in USD has to buy the "
            "smallest order at the quote, with slippage and fees"
        )
    if verdict.word == "DESK_QUOTE":
        return Remedy("a price of the symbol at the moment at which the order is to be sent")
    return Remedy("a quote at which what was decided can be sent; the code tells what it was")


def _of_selection(verdict: Verdict) -> Remedy:
    if verdict.word == "A_PLUS":
        return Remedy("a higher score of the signal, or selection.only_a_plus off")
    if verdict.word == "EXECUTE_LIMIT":
        return Remedy("the next scan: entries of this one were taken by better scores")
    return Remedy("a higher score than the rivals of the scan, or a larger selection.watch_list")
