"""The exposure budget, audited from fills alone: what was opened per session, and what the week carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from brokers.record import OrderRecord

CENT = 0.01


@dataclass(slots=True)
class _Spell:
    symbol: str
    opened: date
    price: float
    quantity: float
    cost: float
    closed: date | None = None


class BudgetAudit:
    """Rebuilds every position's spell and checks each entry against the day's and the week's limits."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.spells: list[_Spell] = []

    def entry(self, order: OrderRecord, equity: float) -> Iterator[str]:
        """What an entry that filled broke, ``equity`` being that of its decision; books it afterwards."""
        config = self.config
        assert order.filled_time is not None and order.filled_price is not None
        day, cost = order.filled_time.date(), order.filled_quantity * order.filled_price
        today = [s for s in self.spells if s.opened == day]
        # Entry notional counts in full for the day, whatever was sold of it since.
        spent = sum(s.cost for s in today) + cost
        if spent > config.day_frac * equity + CENT:
            yield f"{spent / equity:.4f} of equity opened today"
        if len(today) + 1 > config.day_positions:
            yield f"{len(today) + 1} positions opened today"
        week = day.isocalendar()[:2]
        running = [s for s in self.spells if s.closed is None or s.closed.isocalendar()[:2] >= week]
        carried = sum(s.quantity * s.price for s in running) + cost
        if carried > config.week_frac * equity + CENT:
            yield f"{carried / equity:.4f} of equity on the week's bill"
        if len(running) + 1 > config.week_positions_max:
            yield f"{len(running) + 1} positions on the week's bill"
        self.spells.append(_Spell(order.symbol, day, order.filled_price, order.filled_quantity, cost))

    def sale(self, order: OrderRecord) -> None:
        """Book a sale."""
        assert order.filled_time is not None
        spell = next((s for s in self.spells if s.symbol == order.symbol and s.closed is None), None)
        if spell is not None:
            spell.quantity -= order.filled_quantity
            if spell.quantity < 1e-9:
                spell.quantity, spell.closed = 0.0, order.filled_time.date()
