"""What of the venue's listings can be read: a row that cannot be is told, left out, and costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from decimal import Decimal
from typing import Any

from brokers.alpaca.listings import each, leave_out, read
from brokers.alpaca.payloads import Json, amount

FIGURES = ("qty_available", "avg_entry_price", "current_price", "market_value", "unrealized_pl")
"""Of a position; it is there without them too."""
TERMS = ("trail_price", "trail_percent", "notional")
"""Of an order, and read by Lumibot alone."""


def position_of(raw: Mapping[str, Any]) -> Json | None:
    """A position as sent, without figures that are no numbers; None if it cannot be told what is held."""
    symbol = raw.get("symbol")
    try:
        if not (raw["symbol"] and Decimal(raw["qty"]).is_finite()):
            raise ValueError(f"{raw['qty']} {symbol}")
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        leave_out(f"the position in {symbol}", repr(error))
        return None
    odd = [name for name in FIGURES if not _numeric(raw, name)]
    if odd:
        leave_out(f"{', '.join(odd)} of the position in {symbol}", "no number")
    return {**raw, **dict.fromkeys(odd)}


def legible(raws: Iterable[Mapping[str, Any]]) -> list[Json]:
    """The orders of a listing without rows and legs that cannot be read."""
    kept = list[Json]()
    for raw in raws:
        legs = [dict(leg) for leg in raw.get("legs") or () if _fine(leg)]
        kept += [{**raw, "legs": legs or None}] if _fine(raw) else legs
    return kept


def unread(raws: Iterable[Mapping[str, Any]], orders: Container[str]) -> dict[str, str]:
    """Symbols of orders that are not among those that could be read, with the order in words."""
    return {
        str(row["symbol"]): f"the venue's order {row.get('id')} cannot be read"
        for row in each(raws)
        if row.get("symbol") and str(row.get("id")) not in orders
    }


def unread_of_ours(raws: Iterable[Mapping[str, Any]], orders: Container[str], ours: Callable[[str, str], str]) -> Json:
    """Symbols of ours in which an order of ours, or of a group of ours, cannot be read, with the order in words.

    ``ours`` gives the symbol that an order was sent for, by the venue's id and the client order id; empty of others'.
    """
    found = Json()
    for raw in raws:
        group = list(each([raw]))
        lost = [row for row in group if str(row.get("id")) not in orders]
        known = (ours(str(row.get("id")), str(row.get("client_order_id"))) for row in group) if lost else ()
        if symbol := next(filter(None, known), ""):
            found[symbol] = f"the venue's order {lost[0].get('id')} cannot be read"
    return found


def _fine(row: Mapping[str, Any]) -> bool:
    return read(row) is not None and all(_numeric(row, name) for name in TERMS)


def _numeric(row: Mapping[str, Any], name: str) -> bool:
    try:
        amount(row, name)
    except ValueError:
        return False
    return True
