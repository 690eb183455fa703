"""What a run leaves in memory: orders, trades, decisions, equity. The files of a run are written from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from risk.model import Decision, Proposal


@dataclass(slots=True)
class OrderRecord:
    """One order as the venue saw it. ``type`` is market, limit, stop, stop_limit or trail.

    ``role`` is one of entry, target, stop, trim, hedge, partial, close. ``status`` ends as filled,
    cancelled, rejected, expired or working. Prices in USD, times timezone-aware: ``time`` is the decision's,
    ``sent_time`` when the order left, None for one that was not sent. ``slippage_usd`` is what its fill cost beyond the
    price that it would have had without, live beyond the quote of the moment; negative where it was better.
    """

    time: datetime
    client_order_id: str
    parent_id: str
    symbol: str
    side: str
    quantity: float
    type: str
    limit_price: float | None
    stop_price: float | None
    role: str
    status: str = "working"
    filled_quantity: float = 0
    filled_price: float | None = None
    filled_time: datetime | None = None
    reason: str = ""
    slippage_usd: float = 0.0
    sent_time: datetime | None = None

    @property
    def seconds_to_fill(self) -> float | None:
        """From the sending to the last fill; None where either is not known."""
        if self.sent_time is None or self.filled_time is None:
            return None
        return (self.filled_time - self.sent_time).total_seconds()


def not_sent(time: datetime, client_order_id: str, proposal: Proposal, why: str) -> OrderRecord:
    """The trace of an entry that was approved and could not be sent."""
    return OrderRecord(
        time=time,
        client_order_id=client_order_id,
        parent_id="",
        symbol=proposal.symbol,
        side="buy" if proposal.side == "buy" else "sell",
        quantity=proposal.quantity,
        type="market",
        limit_price=None,
        stop_price=None,
        role=proposal.role,
        status="rejected",
        reason=why,
    )


@dataclass(slots=True)
class TradeRecord:
    """One closed portion of a position, entry to exit; ``stop`` is the initial one, which defines R.

    ``pnl`` in USD after fees and slippage; ``r_multiple`` is pnl per share over initial risk per share.
    """

    symbol: str
    side: str
    quantity: float
    entry_time: datetime
    entry_price: float
    exit_time: datetime
    exit_price: float
    stop: float
    target: float
    atr: float
    stop_multiple: float | None
    pnl: float
    r_multiple: float
    exit_reason: str
    signal: str
    score: float


@dataclass(slots=True)
class EquityRow:
    """The account at the close of one bar; exposures are market values in USD, ``inverse_exposure`` the hedges'.

    ``long_exposure`` is net: what is sold short counts below zero. ``gross_exposure`` adds up the sizes of all
    positions, whichever way they go; None where only the other two are known.
    ``protected`` of the ``positions`` had a working stop for every share; none is counted in a session in which its
    symbol has no bar.
    """

    time: datetime
    equity: float
    cash: float
    long_exposure: float
    inverse_exposure: float
    positions: int
    protected: int = 0
    gross_exposure: float | None = None


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """Which module ended entries when, and until which moment."""

    time: datetime
    module: str
    until: datetime


@dataclass(slots=True)
class RunRecord:
    """Everything one run did, in order of time.

    ``began`` is the opening of a backtest's first bar, None live, where the first equity row is of the beginning.
    ``slippage_cost`` and ``fees`` in USD, ``turnover`` the filled notional in USD; ``dividends`` and ``interest`` in
    USD were credited to cash beside the trades, whose pnl holds none; ``parked`` is what sales of funds that count as
    cash brought, USD; ``protected_bars`` of ``position_bars`` (position × bar) had a working stop for every share, and
    bars in that session that could trigger it; ``halts`` says when which module ended a session, or several, for
    entries; open positions are valued in the last equity row.
    """

    initial_equity: float = math.nan
    began: datetime | None = None
    orders: list[OrderRecord] = field(default_factory=list)
    trades: list[TradeRecord] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    equity: list[EquityRow] = field(default_factory=list)
    slippage_cost: float = 0.0
    fees: float = 0.0
    turnover: float = 0.0
    dividends: float = 0.0
    parked: float = 0.0
    interest: float = 0.0
    position_bars: int = 0
    protected_bars: int = 0
    halts: list[HaltRecord] = field(default_factory=list)

    def bound_by(self) -> dict[str, dict[str, int]]:
        """Which cap decided how often: by name, how many proposals it refused and of how many it set the size."""
        counts: dict[str, dict[str, int]] = {}
        for decision in self.decisions:
            if name := decision.bound_by:
                row = counts.setdefault(name, {"refused": 0, "sized": 0})
                row["refused" if decision.final_quantity <= 0 else "sized"] += 1
        return counts
