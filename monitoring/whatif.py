"""The book after a shock: what each position would be worth, which exits would fire, and which halts would begin."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

import numpy as np

from config.errors import Refusal
from market.market import Market
from market.sectors import INVERSE
from monitoring.state import LimitState, PositionState, StopState, TraderState
from risk.interface import RiskModule
from risk.inverse_hedge import Fund
from risk.model import Book, ClosedTrade, Position
from strategies.registry import RISK_MODULES

BETA_BARS, LEAST_BARS = 120, 30
"""Bars from which a beta is measured, and how many it needs."""


@dataclass(frozen=True, slots=True)
class Shock:
    """Moves as fractions of the price: of the market, and of sectors and symbols that move on their own."""

    name: str
    market: float
    sectors: Mapping[str, float] = field(default_factory=dict)
    symbols: Mapping[str, float] = field(default_factory=dict)
    told: str = ""


@dataclass(frozen=True, slots=True)
class ShockedPosition:
    """One position after it; prices in USD. ``exit`` is stop, target or empty, ``sold`` the shares that leave by it.

    ``why`` says where the move comes from. ``at_level`` is the result in USD from now if the exit fills at its level,
    ``at_once`` if the market opens at ``price_after``.
    """

    symbol: str
    owner: str
    quantity: float
    price: float
    moved: float
    why: str
    price_after: float
    exit: str
    sold: float
    at_level: float
    at_once: float

    @property
    def left(self) -> float:
        """What of the position stays, negative for a short."""
        held = abs(self.quantity)
        return 0.0 if math.isclose(self.sold, held) else math.copysign(held - self.sold, self.quantity)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer. ``equity_at_once`` is the worse way, in which stops fill beyond their levels; halts are of it.

    ``equity_time`` is of when ``equity`` is, where positions are known as of later.
    """

    shock: Shock
    equity: float
    equity_at_level: float
    equity_at_once: float
    positions: tuple[ShockedPosition, ...]
    halts: tuple[str, ...]
    limits: tuple[LimitState, ...]
    equity_time: datetime | None = None

    @property
    def fired(self) -> list[ShockedPosition]:
        """Positions of which shares are sold."""
        return [p for p in self.positions if p.exit]


def named_shocks() -> dict[str, Shock]:
    """Every shock that has a name."""
    import yaml

    raw = yaml.safe_load((files("monitoring") / "shocks.yaml").read_text(encoding="utf-8"))
    return {name: Shock(name, v["market"], v.get("sectors", {}), {}, v["told"]) for name, v in raw.items()}


def what_if(state: TraderState, shock: Shock, closes: Mapping[str, Mapping[int, float]] | None = None) -> WhatIf:
    """Apply a shock to what the trader held at its last iteration.

    Parameters
    ----------
    state : TraderState
    shock : Shock
    closes : mapping, optional
        Closes by symbol and opening time, the benchmark's among them, from which betas are measured. A symbol without
        enough of them moves as the market does.

    Raises
    ------
    Refusal
        The trader has not iterated yet.
    """
    if state.equity is None or state.book_time is None:
        raise Refusal("the trader has not looked at its account yet; ask again after its first iteration")
    chain = _chain(state.settings)
    benchmark = str(state.settings.get("universe", {}).get("benchmark", ""))
    leverages = fund_leverages(chain)
    shocked = tuple(
        _shocked(p, *_move(p, shock, benchmark, leverages, closes or {})) for p in state.positions if p.price
    )
    at_level = state.equity + sum(p.at_level for p in shocked)
    at_once = state.equity + sum(p.at_once for p in shocked)
    book, market = _book(state, shocked, at_once), _market(state, shocked)
    halts = tuple(m.name for m in chain if m.name not in book.halted and m.halts(book))
    limits = tuple(
        LimitState(x.module, x.name, x.used, x.most, x.unit, x.frees, x.halts, x.scope)
        for module in chain
        for x in module.limits(book, market)
    )
    return WhatIf(shock, state.equity, at_level, at_once, shocked, halts, limits, state.account_time)


def beta(closes: Mapping[int, float], benchmark: Mapping[int, float]) -> float | None:
    """Slope of a symbol's returns over the benchmark's, of bars that both have; None with too few."""
    times = sorted(closes.keys() & benchmark.keys())[-BETA_BARS - 1 :]
    if len(times) <= LEAST_BARS:
        return None
    mine, whole = (np.diff(np.log([series[t] for t in times])) for series in (closes, benchmark))
    spread = float(np.var(whole))
    return float(np.cov(mine, whole, bias=True)[0, 1]) / spread if spread > 0 else None


def _move(
    position: PositionState,
    shock: Shock,
    benchmark: str,
    leverages: Mapping[str, float],
    closes: Mapping[str, Mapping[int, float]],
) -> tuple[float, str]:
    symbol = position.symbol
    if symbol in shock.symbols:
        return shock.symbols[symbol], "as given"
    if position.sector in shock.sectors:
        return shock.sectors[position.sector], f"sector {position.sector}"
    if symbol in leverages:
        return -leverages[symbol] * shock.market, f"inverse fund, {leverages[symbol]:g}x"
    if position.sector == INVERSE:
        return -shock.market, "inverse fund, taken as 1x"
    if symbol == benchmark:
        return shock.market, "the benchmark"
    found = beta(closes.get(symbol, {}), closes.get(benchmark, {}))
    if found is None:
        return shock.market, "as the market, beta not known"
    return found * shock.market, f"beta {found:.2f}"


def _shocked(p: PositionState, moved: float, why: str) -> ShockedPosition:
    assert p.price is not None
    after = max(0.01, p.price * (1 + moved))
    held = abs(p.quantity)
    parts = [part for part in p.stop_parts if p.sign * (after - part.price) <= 0]
    fired, best = "stop" if parts else "", after
    if not parts and p.target is not None and p.sign * (p.target - after) <= 0:
        # Where the market opens beyond a target, it fills there.
        fired, parts = "target", [StopState(p.target, held)]
        best = max(p.sign * p.target, p.sign * after) * p.sign
    sold = sum(part.quantity for part in parts)
    fees = sum(part.quantity * part.price for part in parts) * p.exit_fee_frac
    rest = p.sign * (held - sold) * (after - p.price) - fees
    # A stop fills at its level while the market falls step by step; a market that opens beyond it fills it there.
    at_level = p.sign * sum(part.quantity * (part.price - p.price) for part in parts) + rest
    at_once = p.sign * sold * (best - p.price) + rest
    return ShockedPosition(p.symbol, p.owner, p.quantity, p.price, moved, why, after, fired, sold, at_level, at_once)


def _chain(settings: Mapping[str, Any]) -> list[RiskModule]:
    """The risk chain of the trader, from the settings that it wrote."""
    risk, lot = settings.get("risk", {}), settings.get("sizing", {}).get("lot", 1)
    chain = []
    for name in risk.get("chain", ()):
        kind = RISK_MODULES.get(name, "risk.chain of the state file")
        section = dict(risk.get("modules", {}).get(name, {}))
        if "lot" in kind.Config.model_fields:
            section = {"lot": lot, **section}
        chain.append(kind(kind.Config.model_validate_json(json.dumps(section))))
    return chain


def fund_leverages(chain: Iterable[RiskModule]) -> dict[str, float]:
    """How many times each inverse fund of a chain moves against the market; a fund that parks cash is none."""
    funds = [fund for module in chain for fund in getattr(module.config, "funds", ())]
    return {fund.symbol: float(fund.leverage) for fund in funds if isinstance(fund, Fund)}


def _book(state: TraderState, shocked: Sequence[ShockedPosition], equity: float) -> Book:
    """The book after the exits that fired, for the rules; shares that no stop sold are held on."""
    now, nan = state.book_time, math.nan
    assert now is not None
    positions: dict[str, Position] = {}
    for p, left in _left(state, shocked):
        # Rules see one position of a symbol: ours, and what hands hold where there is none of ours.
        if left and p.symbol not in positions:
            positions[p.symbol] = Position(
                symbol=p.symbol,
                quantity=left,
                entry_price=p.entry_price or nan,
                entry_time=p.entry_time,
                stop=nan if p.stop is None else p.stop,
                target=nan if p.target is None else p.target,
                initial_stop=nan if p.initial_stop is None else p.initial_stop,
                role="hedge" if p.role == "hedge" else "entry",
                protected_quantity=min(abs(left), max(0.0, p.protected - abs(p.quantity - left))),
            )
    brought = sum((p.quantity - p.left) * p.price_after for p in shocked)
    return Book(
        time=now,
        equity=equity,
        cash=(state.cash or 0.0) + brought,
        positions=positions,
        session_open_equity=nan if state.session_open_equity is None else state.session_open_equity,
        equity_peak=nan if state.equity_peak is None else state.equity_peak,
        closed_trades=[*_streak(state, now), *_closed(state, shocked, now)],
        halted=frozenset(halt.name for halt in state.halts),
        last_halts={name: datetime.fromisoformat(when) for name, when in state.last_halts.items()},
    )


def _left(state: TraderState, shocked: Iterable[ShockedPosition]) -> Iterable[tuple[PositionState, float]]:
    """Each position before it, and what stays of it; one without a price stays whole."""
    after = {(p.symbol, p.owner): p.left for p in shocked}
    return ((p, after.get((p.symbol, p.owner), p.quantity)) for p in state.positions)


def _streak(state: TraderState, now: datetime) -> list[ClosedTrade]:
    """The losing trades in a row so far, as the rule that counts them said."""
    losses = max((int(x.used) for x in state.limits if x.halts and x.unit == "trades"), default=0)
    return [ClosedTrade("", now, now, -1.0, -1.0) for _ in range(losses)]


def _closed(state: TraderState, shocked: Iterable[ShockedPosition], now: datetime) -> list[ClosedTrade]:
    held = {(p.symbol, p.owner): p for p in state.positions}
    found = []
    for p in shocked:
        before = held[p.symbol, p.owner]
        if not p.left and before.role != "hedge":
            profit = (before.profit or 0.0) + p.at_once
            found.append(ClosedTrade(p.symbol, before.entry_time, now, profit, math.nan))
    return found


def _market(state: TraderState, shocked: Sequence[ShockedPosition]) -> Market:
    """Prices after the shock, and sectors: what limits read of a market."""
    after = {p.symbol: p.price_after for p in shocked}
    names, mark = list(after), np.array([list(after.values())])
    assert state.book_time is not None
    return Market(
        time=state.book_time,
        row=0,
        symbols=names,
        index={s: k for k, s in enumerate(names)},
        columns={"mark": mark, "close": mark, "usable": np.ones_like(mark, dtype=bool)},
        sectors={p.symbol: p.sector for p in state.positions},
    )
