"""Fills as the screens show them, one after the other, whichever way the venue told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from monitoring.journal_queries import AT_ONCE
from monitoring.journal_reader import Statements, moment, numbered
from monitoring.rows import FillRow


def fills(db: Statements, *, symbol: str = "", since: datetime | None = None, limit: int = 500) -> list[FillRow]:
    """Fills with their orders, the latest first; of an order whose totals alone were told, what each of them added."""
    where = [
        "(f.kind = 'execution' OR NOT EXISTS (SELECT 1 FROM fills e WHERE e.client_order_id = f.client_order_id "
        "AND e.kind = 'execution'))"
    ]
    values: dict[str, Any] = {"most": limit}
    if symbol:
        where.append("o.symbol = :symbol")
        values["symbol"] = symbol
    if since is not None:
        where.append("f.time >= :since")
        values["since"] = since
    sql = (
        "SELECT f.time, f.quantity, f.price, f.kind, f.fill_key, f.client_order_id, o.symbol, o.side, o.role "
        "FROM fills f JOIN orders o ON o.client_order_id = f.client_order_id "
        f"WHERE {' AND '.join(where)} ORDER BY f.time DESC, f.fill_key DESC LIMIT :most"
    )
    rows = db.rows(sql, **values)
    added = _added(db, sorted({row["client_order_id"] for row in rows if row["kind"] == "cumulative"}))
    found = []
    for row in rows:
        alone = float(row["quantity"]), float(row["price"])
        if row["kind"] == "cumulative":
            alone = added[row["client_order_id"], row["fill_key"]]
        if alone[0] > 0:
            named = row["client_order_id"], row["symbol"], row["side"], row["role"]
            found.append(FillRow(moment(row["time"]), *alone, False, *named))
    return found


def _added(db: Statements, orders: Sequence[str]) -> dict[tuple[str, str], tuple[float, float]]:
    """Shares and their price by which each total of an order was above the one before."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for first in range(0, len(orders), AT_ONCE):
        names, values = numbered(orders[first : first + AT_ONCE])
        totals: dict[str, list[tuple[Decimal, Decimal, str]]] = {}
        sql = f"SELECT client_order_id, fill_key, quantity, price FROM fills WHERE client_order_id IN {names}"
        for row in db.rows(sql, **values):
            total = Decimal(str(row["quantity"])), Decimal(str(row["price"])), row["fill_key"]
            totals.setdefault(row["client_order_id"], []).append(total)
        for order, told in totals.items():
            shares = usd = Decimal(0)
            for quantity, price, key in sorted(told):
                more, paid = quantity - shares, quantity * price - usd
                # A second average for a total that was told before adds nothing.
                found[order, key] = (float(more), float(paid / more)) if more > 0 else (0.0, 0.0)
                shares, usd = (quantity, quantity * price) if more > 0 else (shares, usd)
    return found
