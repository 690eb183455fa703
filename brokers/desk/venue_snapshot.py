"""The venue as the desk sees it: what can be asked of it, and what it showed last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from brokers.alpaca.clock import VenueTime
from brokers.alpaca.listings import VenueOrder
from brokers.alpaca.payloads import Json, amount


class Venue(Protocol):
    """What the desk asks of a venue's client."""

    def venue_clock(self) -> VenueTime: ...
    def account(self) -> Json: ...
    def positions(self) -> list[Json]: ...
    def open_orders(self) -> list[Json]: ...
    def orders_since(self, after: datetime, nested: bool = True) -> list[Json]: ...
    def order(self, venue_id: str, nested: bool = True) -> Json: ...
    def order_by_client_id(self, client_order_id: str) -> Json | None: ...
    def submit(self, payload: Mapping[str, Any]) -> Json: ...
    def replace(self, venue_id: str, patch: Mapping[str, Any]) -> Json: ...
    def cancel(self, venue_id: str) -> None: ...


@dataclass(slots=True)
class VenueSnapshot:
    """The venue at one moment.

    ``positions`` by symbol and ``opened``, the listing of open orders, are as sent, as far as they can be read;
    ``strangers`` are orders that are not ours. ``whole`` is False if a position could not be read, so that what is
    missing may be there; ``unread`` names the symbols of orders that could not be.
    """

    time: datetime
    account: Json
    positions: dict[str, Json]
    orders: dict[str, VenueOrder]
    strangers: list[VenueOrder] = field(default_factory=list)
    opened: list[Json] = field(default_factory=list)
    whole: bool = True
    unread: dict[str, str] = field(default_factory=dict)

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol, signed."""
        raw = self.positions.get(symbol)
        if raw is None:
            return Decimal(0)
        quantity = amount(raw, "qty")
        return -abs(quantity) if raw.get("side") == "short" else quantity

    def available(self, symbol: str) -> Decimal:
        """Shares that no order holds."""
        raw = self.positions.get(symbol, {})
        return abs(amount(raw, "qty_available" if raw.get("qty_available") is not None else "qty"))
