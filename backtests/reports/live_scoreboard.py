"""The scoreboard of a live state folder: the journal's trades, orders and equity measured like those of a run."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from backtests.reports.fill_measures import stop_outs
from backtests.reports.halts import halt_scores
from backtests.reports.scoreboard import LABELS, Score, scoreboard
from brokers.desk_rules import end_of_halt
from brokers.record import EquityRow, HaltRecord, OrderRecord, RunRecord, TradeRecord
from market.trading_day import day_of, day_zone
from monitoring import journal_queries, journal_trades
from monitoring.journal_reader import JournalReader, Statements, moment
from monitoring.own_shares import own_shares
from monitoring.rows import OrderRow

_ALL = 10**9
_OPENING = ("entry", "hedge")
NOTES = (
    "Win rate, profit factor and average R are of the positions closed on the day, after slippage and fees; what was "
    "taken off early counts by itself. A position that was sold in parts counts on the day of the last one: a day "
    "loses its trade to a later one where the rest is sold then.",
    "Slippage is what stops filled beyond their level, and entries beyond the price they were decided at, which in "
    "profile swing is the last close, so that the night's gap counts; what a limit order filled better is not set off. "
    "slippage_usd in a run's orders.csv is against the quote.",
    "Position time protected is counted at each iteration: shares of ours behind a working stop against "
    "shares of ours held.",
    "Filled within 30 s counts entries that filled at all, from the journal's line before they were sent.",
)


def board(journal: JournalReader, sectors: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The scoreboard as plain values: ``total``, ``days`` and ``halts`` (the latest first), ``stop_outs``, ``notes``.

    Parameters
    ----------
    journal : JournalReader
    sectors : mapping of str to str, optional
        Labels by symbol, for how many sectors were held.

    Raises
    ------
    Refusal
        The journal cannot be read.
    """
    with journal.open() as db:
        record = _record(db, journal_queries.orders(db, limit=_ALL)[::-1], None)
        halts = halt_scores(record.halts, _refusals(db))
    scores = scoreboard(record, sectors=sectors)
    traded = Counter(day_of(trade.exit_time) for trade in record.trades)
    days: dict[date, list[Score]] = {}
    for score in scores:
        if score.day is not None:
            days.setdefault(score.day, []).append(score)
    return {
        "total": [_plain(score) for score in scores if score.day is None],
        "days": [
            {"day": str(day), "trades": traded[day], "scores": [_plain(score) for score in days[day]]}
            for day in sorted(days, reverse=True)
        ],
        "traded": len(traded),
        "stop_outs": stop_outs(record.trades),
        "halts": [
            {
                "rule": halt.rule,
                "began": halt.began.isoformat(),
                "until": halt.until.isoformat(),
                "refused": halt.refused,
                "text": halt.text,
            }
            for halt in halts
        ],
        "notes": list(NOTES),
    }


def journal_record(journal: JournalReader, since: datetime | None = None) -> RunRecord:
    """What the journal knows, as a run would have left it; with ``since``, of what was there from that moment on.

    Raises
    ------
    Refusal
        The journal cannot be read.
    """
    with journal.open() as db:
        return _record(db, journal_queries.orders(db, limit=_ALL)[::-1], since)


def _record(db: Statements, orders: Sequence[OrderRow], since: datetime | None) -> RunRecord:
    prices = _decided_prices(db)
    covered = _Cover(orders, db)
    if since is not None:
        orders = [order for order in orders if order.ended is None or order.ended >= since]
    rows = [
        EquityRow(
            time=point.time.astimezone(day_zone()),
            equity=point.equity,
            cash=point.cash,
            long_exposure=point.long_exposure,
            inverse_exposure=point.inverse_exposure,
            positions=held,
            protected=safe,
        )
        for point in journal_queries.equity(db, since=since, most=_ALL)
        for held, safe in [covered.at(point.time)]
    ]
    records = [_order(order, prices) for order in journal_queries.at_last_prices(db, orders)]
    return RunRecord(
        initial_equity=rows[0].equity if rows else float("nan"),
        orders=records,
        trades=[
            _trade(t) for t in journal_trades.trades(db, limit=_ALL)[::-1] if since is None or t.exit_time >= since
        ],
        equity=rows,
        slippage_cost=sum(record.slippage_usd for record in records),
        fees=sum(order.fees for order in orders),
        turnover=sum(record.filled_quantity * (record.filled_price or 0.0) for record in records),
        position_bars=sum(row.positions for row in rows),
        protected_bars=sum(row.protected for row in rows),
        halts=[halt for halt in _halts(db) if since is None or halt.until > since],
    )


def _halts(db: Statements) -> list[HaltRecord]:
    """Each halt with the end of its last session; the journal has a row for each of its sessions."""
    last: dict[tuple[str, datetime], date] = {}
    for row in db.rows("SELECT session, module, time FROM halts"):
        key, session = (row["module"], moment(row["time"])), date.fromisoformat(str(row["session"]))
        last[key] = max(session, last.get(key, session))
    return [HaltRecord(time.astimezone(day_zone()), rule, end_of_halt(day)) for (rule, time), day in last.items()]


def _refusals(db: Statements) -> Iterator[tuple[str, datetime]]:
    """Which of the rules that ever halted refused a proposal when."""
    sql = (
        "SELECT v.module, v.after, d.time FROM verdicts v JOIN decisions d ON d.id = v.decision_id "
        "WHERE d.outcome = 'refused' AND v.module IN (SELECT module FROM halts)"
    )
    return ((r["module"], moment(r["time"])) for r in db.rows(sql) if float(r["after"]) <= 0)


class _Cover:
    """How many positions of ours were held at a moment, and how many of them wholly behind working stops."""

    def __init__(self, orders: Sequence[OrderRow], db: Statements) -> None:
        steps: dict[str, list[tuple[datetime, float, float]]] = {}
        last: dict[str, float] = {}
        for time, symbol, shares in own_shares(db):
            steps.setdefault(symbol, []).append((time, shares - last.get(symbol, 0.0), 0.0))
            last[symbol] = shares
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
        time=order.time.astimezone(day_zone()),
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
        filled_time=None if filled is None else filled.astimezone(day_zone()),
        reason=order.reason,
        sent_time=order.time.astimezone(day_zone()),
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
        symbol=t.symbol,
        side=t.side,
        quantity=t.quantity,
        entry_time=t.entry_time.astimezone(day_zone()),
        entry_price=t.entry_price,
        exit_time=t.exit_time.astimezone(day_zone()),
        exit_price=t.exit_price,
        stop=nan,
        target=nan,
        atr=nan,
        stop_multiple=None,
        pnl=t.profit,
        r_multiple=nan if t.r is None else t.r,
        exit_reason=t.exit_reason,
        signal=t.signal,
        score=nan,
    )


def _plain(score: Score) -> dict[str, Any]:
    return {"label": LABELS[score.measure], "text": score.text, "goal": score.goal, "met": score.met}
