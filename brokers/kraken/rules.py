"""What an order has to keep to at Kraken, by its own list of pairs and the account's own fees."""

from __future__ import annotations

from decimal import Decimal

from brokers.kraken.reference import Reference
from brokers.order_types import Resting

FRACTION = Decimal("1e-8")


class KrakenRules:
    """Coins at Kraken: a stop can rest, by itself or made by the fills of an entry; no pair of stop and target.

    Parameters
    ----------
    reference : Reference
    """

    resting = frozenset({Resting.STOP, Resting.ENTRY_STOP})
    always_open = True
    fraction = FRACTION

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    @property
    def fee_frac(self) -> Decimal:
        """The dearest taker's fee that this account pays in a pair it was asked for."""
        return self._reference.dearest_taker

    def least(self, symbol: str, price: Decimal) -> Decimal:
        return self._reference.known(symbol).least(price)

    def tick(self, price: float, symbol: str) -> float:
        return float(self._reference.known(symbol).tick)

    def gap(self, price: float, symbol: str) -> float:
        """A tick: Kraken takes a stop anywhere, and triggers at once one that the market has reached."""
        return float(self._reference.known(symbol).tick)
