"""The scoreboard of a live state folder: the journal's trades, orders and equity measured like those of a run."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backtests.reports.scoreboard import LABELS, Score, scoreboard
from brokers.record import EquityRow, OrderRecord, RunRecord, TradeRecord
from monitoring import journal_queries
from monitoring.journal_reader import JournalReader, Statements, moment
from monitoring.rows import OrderRow

NEW_YORK = ZoneInfo("America/New_York")
FILLED_IN_TIME, SECTORS = "filled_in_time", "sectors"
FILLED_WITHIN_S, FILLED_GOAL = 30.0, 0.95
_ALL = 10**9
_OPENING = ("entry", "hedge")
NOTES = (
    "Win rate, profit factor and average R are of the portions closed on the day, after costs.",
    "Slippage is what stops filled beyond their level, and entries beyond the price they were decided at; what a limit "
    "order filled better is not set off.",
    "Position time protected is counted at each iteration: shares behind a working stop against shares held.",
    "Fills within 30 s count entries that filled at all, from the broker's having them to the last share.",
)


def board(journal: JournalReader, sectors: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The scoreboard as plain values: ``total``, ``days`` (the latest first), ``stop_outs`` by signal, ``notes``.

    ``sectors`` has the label of each symbol; without it sectors are not counted.

    Raises
    ------
    Refusal
        The journal cannot be read.
    """
    with journal.open() as db:
        orders = journal_queries.orders(db, limit=_ALL)[::-1]
        record, entries = _record(db, orders), _entries(db, orders)
    # Fills are timed by the events of their orders, below.
    left_out = {FILLED_IN_TIME, *(() if sectors is not None else (SECTORS,))}
    scores = [score for score in scoreboard(record, sectors=sectors) if score.measure not in left_out]
    traded = Counter(trade.exit_time.date() for trade in record.trades)
    days: dict[date, list[Score]] = {}
    for score in scores:
        if score.day is not None:
            days.setdefault(score.day, []).append(score)
    by_day: dict[date, list[OrderRow]] = {}
    for order in entries:
        by_day.setdefault(_day(order.time), []).append(order)
    return {
        "total": [*map(_plain, (s for s in scores if s.day is None)), _within(entries)],
        "days": [
            {
                "day": str(day), "trades": traded[day],
                "scores": [*map(_plain, days[day]), _within(by_day.get(day, ()))],
            }
            for day in sorted(days, reverse=True) if days[day]
        ],
        "traded": len(traded),
        "stop_outs": _stop_outs(record.trades),
        "notes": list(NOTES),
    }  # fmt: skip


def _record(db: Statements, orders: Sequence[OrderRow]) -> RunRecord:
    """What the journal knows, as a run would have left it."""
    prices = _decided_prices(db)
    covered = _Cover(orders, db)
    rows = [
        EquityRow(
            time=point.time.astimezone(NEW_YORK), equity=point.equity, cash=point.cash,
            long_exposure=point.long_exposure, inverse_exposure=point.inverse_exposure, positions=held, protected=safe,
        )
        for point in journal_queries.equity(db, most=_ALL) for held, safe in [covered.at(point.time)]
    ]  # fmt: skip
    records = [_order(order, prices) for order in orders]
    return RunRecord(
        initial_equity=rows[0].equity if rows else float("nan"),
        orders=records,
        trades=[_trade(t) for t in journal_queries.trades(db, limit=_ALL)][::-1],
        equity=rows,
        slippage_cost=sum(record.slippage_usd for record in records),
        turnover=sum(record.filled_quantity * (record.filled_price or 0.0) for record in records),
        position_bars=sum(row.positions for row in rows),
        protected_bars=sum(row.protected for row in rows),
    )


class _Cover:
    """How many positions were held at a moment, and how many of them wholly behind working stops."""

    def __init__(self, orders: Sequence[OrderRow], db: Statements) -> None:
        steps: dict[str, list[tuple[datetime, float, float]]] = {}
        for fill in journal_queries.fills(db, limit=_ALL):
            signed = fill.quantity if fill.side == "buy" else -fill.quantity
            steps.setdefault(fill.symbol, []).append((fill.time, signed, 0.0))
        for order in orders:
            if order.role == "stop" and order.state not in ("rejected", "lost"):
                mine = steps.setdefault(order.symbol, [])
                mine.append((order.time, 0.0, order.quantity))
                if order.ended is not None:
                    mine.append((order.ended, 0.0, -order.quantity))
        self._times: dict[str, list[datetime]] = {}
        self._levels: dict[str, list[tuple[float, float]]] = {}
        for symbol, mine in steps.items():
            held = safe = 0.0
            times, levels = [], []
            for when, shares, behind in sorted(mine, key=lambda step: step[0]):
                held, safe = held + shares, safe + behind
                times.append(when)
                levels.append((held, safe))
            self._times[symbol], self._levels[symbol] = times, levels

    def at(self, moment: datetime) -> tuple[int, int]:
        held = protected = 0
        for symbol, times in self._times.items():
            place = bisect_right(times, moment) - 1
            shares, safe = self._levels[symbol][place] if place >= 0 else (0.0, 0.0)
            if abs(shares) > 1e-9:
                held += 1
                protected += safe >= abs(shares) - 1e-9
        return held, protected


def _order(order: OrderRow, prices: Mapping[tuple[str, datetime], float]) -> OrderRecord:
    filled = order.ended if order.filled and order.state == "filled" else None
    return OrderRecord(
        time=order.time.astimezone(NEW_YORK),
        client_order_id=order.id,
        parent_id=order.parent,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        type=order.type,
        limit_price=order.limit,
        stop_price=order.stop,
        role=order.role,
        status="working" if order.ended is None else "filled" if order.filled else order.state,
        filled_quantity=order.filled,
        filled_price=order.average,
        filled_time=None if filled is None else filled.astimezone(NEW_YORK),
        reason=order.reason,
        slippage_usd=_slippage(order, prices),
    )


def _slippage(order: OrderRow, prices: Mapping[tuple[str, datetime], float]) -> float:
    if order.average is None:
        return 0.0
    wanted = order.stop if order.role == "stop" else prices.get((order.symbol, order.decided))
    if wanted is None or order.role not in ("stop", *_OPENING):
        return 0.0
    worse = order.average - wanted if order.side == "buy" else wanted - order.average
    return max(0.0, worse) * order.filled


def _decided_prices(db: Statements) -> dict[tuple[str, datetime], float]:
    sql = "SELECT symbol, time, price FROM decisions WHERE outcome <> 'refused' AND price IS NOT NULL"
    return {(r["symbol"], moment(r["time"])): float(r["price"]) for r in db.rows(sql)}


def _trade(t: Any) -> TradeRecord:
    nan = float("nan")
    return TradeRecord(
        symbol=t.symbol, side=t.side, quantity=t.quantity, entry_time=t.entry_time.astimezone(NEW_YORK),
        entry_price=t.entry_price, exit_time=t.exit_time.astimezone(NEW_YORK), exit_price=t.exit_price, stop=nan,
        target=nan, atr=nan, stop_multiple=None, pnl=t.profit, r_multiple=nan if t.r is None else t.r,
        exit_reason=t.exit_reason, signal=t.signal, score=nan,
    )  # fmt: skip


def _entries(db: Statements, orders: Sequence[OrderRow]) -> list[OrderRow]:
    """Entries that filled, with their events."""
    mine = [o for o in orders if o.role in _OPENING and o.filled and not o.parent]
    found: list[OrderRow] = []
    for first in range(0, len(mine), journal_queries.AT_ONCE):
        found += journal_queries.with_life(db, mine[first : first + journal_queries.AT_ONCE])
    return found


def _within(entries: Iterable[OrderRow]) -> dict[str, Any]:
    taken = [s for s in map(_seconds, entries) if s is not None]
    part = sum(s <= FILLED_WITHIN_S for s in taken) / len(taken) if taken else None
    return {
        "label": "Fills within 30 s", "text": "–" if part is None else f"{part:.1%}", "goal": f"> {FILLED_GOAL:.1%}",
        "met": None if part is None else part > FILLED_GOAL,
    }  # fmt: skip


def _seconds(order: OrderRow) -> float | None:
    last = max((fill.time for fill in order.fills), default=None)
    return None if last is None else max(timedelta(0), last - order.time).total_seconds()


def _stop_outs(trades: Iterable[TradeRecord]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for trade in trades:
        stopped, all_ = found.get(trade.signal or "unknown", (0, 0))
        found[trade.signal or "unknown"] = (stopped + (trade.exit_reason == "stop"), all_ + 1)
    return dict(sorted(found.items()))


def _day(moment: datetime) -> date:
    return moment.astimezone(NEW_YORK).date()


def _plain(score: Score) -> dict[str, Any]:
    return {"label": LABELS[score.measure], "text": score.text, "goal": score.goal, "met": score.met}
