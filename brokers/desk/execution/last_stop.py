"""What became of the stop that a position had last, in words."""

from __future__ import annotations

from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.quantities import digits


def last_stop(symbol: str, positions: OwnPositions) -> str:
    """By the venue's last look, or by the journal: a look after a restart shows no stop that had ended before it."""
    if told := ended_stop(symbol, positions):
        return told
    entry = positions.book.entries.get(symbol)
    found = None if entry is None else positions.journal.last_stop(symbol, entry.journaled_at)
    if found is None or found.stop_price is None:
        return "no stop of this position is in the journal yet"
    return f"the last one, at {digits(found.stop_price)}, is {found.state} by the journal"


def ended_stop(symbol: str, positions: OwnPositions) -> str:
    """The same without asking the journal; empty where none is known to have ended, by the last look and since."""
    entry, view = positions.book.entries.get(symbol), positions.state.view
    doubted = view.doubted[symbol].orders if symbol in view.doubted else ()
    confirmed = (*doubted, *(view.freed[symbol].orders if symbol in view.freed else ()))
    ended = [
        order
        for order in view.orders.values()
        if order.symbol == symbol
        and order.is_stop
        and (not order.open or order.id in confirmed)
        # An earlier position's stop says nothing of this one.
        and (entry is None or order.changed is None or order.changed >= entry.journaled_at)
    ]
    if not ended:
        return ""
    last = max(ended, key=lambda order: (order.id in confirmed, order.changed is not None, order.changed))
    what = "has ended: its cancel was confirmed" if last.id in confirmed else f"is {last.status}"
    if last.id in doubted and last.open:
        what = "may have ended: its cancel has no answer"
    return f"the last one, at {digits(last.stop_price)}, {what}"
