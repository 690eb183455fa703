"""Closed trades of a journal as the screens show and count them: one for each position, as a backtest counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitoring.journal_queries import PAGE
from monitoring.journal_reader import Statements, moment, number
from monitoring.rows import TradeRow

BY_ITSELF = ("partial", "trim")
"""Exits that take a part off by a decision of their own; each counts, in a backtest too."""


def trades(db: Statements, *, symbol: str = "", limit: int = PAGE) -> list[TradeRow]:
    """Closed trades, the latest first.

    The journal has a row for each exit order. Several of a position are one trade where nobody decided on the parts: an
    offer that was sold in part and a stop that sold the rest, the stops of several parts, coins that were written off.
    It is of the time of the last of them, also where that is on a later day.
    """
    where = " WHERE symbol = :symbol" if symbol else ""
    sql = (
        "SELECT entry_order_id, exit_order_id, symbol, side, quantity, entry_time, entry_price, exit_time, exit_price, "
        "pnl, r_multiple, exit_reason, signal FROM trades WHERE entry_order_id IN (SELECT entry_order_id FROM trades"
        f"{where} GROUP BY entry_order_id ORDER BY max(exit_time) DESC, entry_order_id LIMIT :most) "
        "ORDER BY exit_time DESC, exit_order_id"
    )
    rows = db.rows(sql, most=limit, **({"symbol": symbol} if symbol else {}))
    parts: dict[tuple[str, str], list[TradeRow]] = {}
    for row in rows:
        parts.setdefault(_trade_of(row), []).append(_row(row))
    return [_joined(found) for found in parts.values()][:limit]


def count_trades(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many trades the rows of exit orders are."""
    return len({_trade_of(row) for row in rows})


def _trade_of(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["entry_order_id"], row["exit_order_id"] if row["exit_reason"] in BY_ITSELF else ""


def _joined(parts: Sequence[TradeRow]) -> TradeRow:
    """Parts of one position, the latest first, as one trade; it ended as most of it did."""
    if len(parts) == 1:
        return parts[0]
    quantity = sum(part.quantity for part in parts)

    def mean(values: Sequence[float]) -> float:
        return sum(value * part.quantity for value, part in zip(values, parts, strict=True)) / quantity

    multiples = [part.r for part in parts if part.r is not None]
    return replace(
        parts[0],
        quantity=quantity,
        entry_price=mean([part.entry_price for part in parts]),
        exit_price=mean([part.exit_price for part in parts]),
        profit=sum(part.profit for part in parts),
        r=mean(multiples) if len(multiples) == len(parts) else None,
        exit_reason=max(parts, key=lambda part: part.quantity).exit_reason,
    )


def _row(row: Mapping[str, Any]) -> TradeRow:
    return TradeRow(
        row["symbol"],
        row["side"],
        float(row["quantity"]),
        moment(row["entry_time"]),
        float(row["entry_price"]),
        moment(row["exit_time"]),
        float(row["exit_price"]),
        float(row["pnl"]),
        number(row["r_multiple"]),
        row["exit_reason"],
        row["signal"],
    )
