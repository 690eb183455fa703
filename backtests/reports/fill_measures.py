"""Measures of a record's fills: how soon they came, how many sectors they held, how many ended at a stop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from brokers.record import OrderRecord, TradeRecord
from market.sectors import UNCLASSIFIED
from risk.model import OPENING_ROLES

FLAT = 1e-9
"""Shares below which a position is none."""


def filled_in_time(orders: Iterable[OrderRecord], patience_s: float) -> float | None:
    """Share of the filled entries and hedges that were filled within ``patience_s`` of their sending.

    None where there are none, or where all of them were filled at the moment they were sent, as in a backtest.
    """
    waited = [
        order.seconds_to_fill
        for order in orders
        if order.role in OPENING_ROLES and order.filled_quantity and order.seconds_to_fill is not None
    ]
    if not any(waited):
        return None
    return sum(seconds <= patience_s for seconds in waited) / len(waited)


def stop_outs(trades: Iterable[TradeRecord]) -> dict[str, tuple[int, int]]:
    """By signal, how many of its closed portions ended at the stop, and how many there were."""
    found: dict[str, tuple[int, int]] = {}
    for trade in trades:
        stopped, count = found.get(trade.signal, (0, 0))
        found[trade.signal] = (stopped + (trade.exit_reason == "stop"), count + 1)
    return dict(sorted(found.items()))


def sectors_by_day(
    orders: Iterable[OrderRecord], days: Iterable[date], sectors: Mapping[str, str] | None
) -> dict[date, int | None]:
    """The largest number of sectors that entries held at once on each day."""
    if sectors is None:
        return {}
    fills = sorted(
        (order for order in orders if order.filled_time is not None and order.filled_quantity),
        key=lambda order: (order.filled_time, order.role not in OPENING_ROLES),
    )
    entered = {order.symbol for order in fills if order.role == "entry"}
    quantity: dict[str, float] = defaultdict(float)
    most: dict[date, int | None] = {}
    place = 0
    for day in sorted(days):
        largest = _held_sectors(quantity, sectors)
        while place < len(fills) and (when := fills[place].filled_time) is not None and when.date() <= day:
            order = fills[place]
            if order.symbol in entered:
                quantity[order.symbol] += order.filled_quantity * (1 if order.side == "buy" else -1)
            largest, place = max(largest, _held_sectors(quantity, sectors)), place + 1
        most[day] = largest
    return most


def _held_sectors(quantity: Mapping[str, float], sectors: Mapping[str, str]) -> int:
    return len({sectors.get(symbol, UNCLASSIFIED) for symbol, held in quantity.items() if abs(held) > FLAT})
