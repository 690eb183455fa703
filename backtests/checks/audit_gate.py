"""The audit's part on the policy gate: one order's money, a day's money, a day's new positions, what is restricted."""

from __future__ import annotations

from collections.abc import Iterator

from brokers.record import OrderRecord
from config.schema import Gate

CENT = 0.01
GATE_RULES = ("order_notional", "day_notional", "new_positions", "restricted")


class GateAudit:
    """Adds up what each day opened, by the fills.

    Parameters
    ----------
    gate : Gate
        The limits.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._day = -1
        self._opened_usd = 0.0
        self._opened = set[str]()

    def entry(self, order: OrderRecord, equity: float, day: int, held: bool) -> Iterator[tuple[str, str]]:
        """Take in a filled entry; rule and reading of each limit that it broke.

        Parameters
        ----------
        order : OrderRecord
        equity : float
            Before it, USD.
        day : int
            Number of the day on which it filled.
        held : bool
            Whether the symbol was held before.
        """
        if day != self._day:
            self._day, self._opened_usd, self._opened = day, 0.0, set()
        gate, cost = self._gate, order.filled_quantity * (order.filled_price or 0.0)
        self._opened_usd += cost
        if not held:
            self._opened.add(order.symbol)
        limits = (
            ("order_notional", cost, gate.max_order_notional_frac, gate.max_order_notional_usd),
            ("day_notional", self._opened_usd, gate.max_day_notional_frac, gate.max_day_notional_usd),
        )
        for rule, usd, frac, most_usd in limits:
            most = frac * equity if most_usd is None else min(frac * equity, most_usd)
            if usd > most + CENT:
                yield rule, f"{usd:.2f} USD, the limit is {most:.2f}"
        if len(self._opened) > gate.max_new_positions:
            yield "new_positions", f"{len(self._opened)} opened in the day"
        if order.symbol in gate.restricted:
            yield "restricted", "it is on the restricted list"
