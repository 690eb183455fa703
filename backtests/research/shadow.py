"""Follows every refused or shrunk proposal on paper to its own exits: what the refusals cost and what they saved."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brokers.backtest.fills import Kind, Ticket, at_open, fee, slipped, within
from config.schema import Fills
from market.bars import BarTable
from risk.model import Decision, Proposal
from risk.policy_gate import round_to_tick, tick_down, tick_up


@dataclass(frozen=True, slots=True)
class Followed:
    """One proposal as it would have gone; ``pnl`` in USD after slippage and fees, open ones at the last close."""

    module: str
    symbol: str
    quantity: float
    pnl: float
    r_multiple: float
    closed: bool


@dataclass(frozen=True, slots=True)
class ShadowLine:
    """Of one rule: ``cost`` is what it kept from being won, ``saved`` from being lost, both positive USD.

    ``net`` is cost less saving, so that below zero the rule paid; ``low`` and ``high`` bound its interval.
    """

    module: str
    proposals: int
    cost: float
    saved: float
    net: float
    low: float
    high: float


def follow(decisions: Sequence[Decision], table: BarTable, fills: Fills) -> list[Followed]:
    """What would have become of the part that each rule took away.

    Parameters
    ----------
    decisions : sequence of Decision
        Of a run on ``table``; each proposal is entered at the open of the bar it was decided at.
    table : BarTable
    fills : Fills

    Notes
    -----
    Proposals are followed by themselves: that they would have shared cash and limits with each other, and would have
    been trimmed or trailed by other rules, is left out.
    """
    column = {symbol: k for k, symbol in enumerate(table.symbols)}
    found: list[Followed] = []
    for decision in decisions:
        p = decision.proposal
        row = int(table.opens_at.searchsorted(decision.time))
        k = column.get(p.symbol)
        if k is None or row >= len(table) or not math.isfinite(table.open[row, k]):
            continue
        per_share = None
        for verdict in decision.verdicts:
            taken = verdict.before - verdict.after
            if taken > 0 and verdict.module not in ("equity_sizer", "policy_gate"):
                per_share = per_share or _path(p, table, row, k, fills)
                value, risk, closed = per_share
                found.append(
                    Followed(verdict.module, p.symbol, taken, value * taken, value / risk if risk else math.nan, closed)
                )
    return found


def bill(followed: Sequence[Followed], repetitions: int, confidence: float, seed: int) -> list[ShadowLine]:
    """Cost and saving by rule, largest net cost first; the interval is a bootstrap over proposals."""
    by_module: dict[str, list[float]] = defaultdict(list)
    for one in followed:
        by_module[one.module].append(one.pnl)
    rng = np.random.default_rng(seed)
    lines = []
    for module, values in by_module.items():
        pnl = np.array(values)
        drawn = rng.choice(pnl, (repetitions, len(pnl))).sum(axis=1)
        low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
        won, lost = float(pnl[pnl > 0].sum()), float(-pnl[pnl < 0].sum())
        lines.append(ShadowLine(module, len(pnl), won, lost, won - lost, float(low), float(high)))
    return sorted(lines, key=lambda line: -line.net)


def _path(p: Proposal, table: BarTable, row: int, k: int, fills: Fills) -> tuple[float, float, bool]:
    """Result of one share in USD, its risk, and whether an exit was reached."""
    long = p.side == "buy"
    quote = float(table.open[row, k])
    entry = slipped(quote, long, fills.market_slippage_bps)
    stop, target = p.terms.at(quote)
    stop, target = (tick_up(stop) if long else tick_down(stop)), round_to_tick(target)
    exits = (Ticket(Kind.STOP, not long, stop=stop), Ticket(Kind.LIMIT, not long, limit=target))
    sign, paid = (1 if long else -1), fee(fills, 1, entry)
    last = entry
    for at in range(row, len(table)):
        opened, high, low, close = (float(getattr(table, f)[at, k]) for f in ("open", "high", "low", "close"))
        if not math.isfinite(close):
            continue
        last = close
        prices = [within(t, high, low, close, fills) for t in exits]
        if at > row:
            prices = [at_open(t, opened, fills) for t in exits] + prices
        price = next((value for value in prices if value == value), math.nan)
        if price == price:
            return sign * (price - entry) - paid - fee(fills, 1, price), abs(entry - stop), True
    return sign * (last - entry) - paid, abs(entry - stop), False
