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

BLOCKS = {
    "account_blocked": "it is blocked",
    "trading_blocked": "trading is blocked",
    "trade_suspended_by_user": "trading is suspended by its owner",
}


class Venue(Protocol):
    """What the desk asks of a venue's client."""

    def venue_clock(self) -> VenueTime: ...
    def account(self) -> Json: ...
    def asset(self, symbol: str) -> Json | None: ...
    def positions(self) -> list[Json]: ...
    def open_orders(self) -> list[Json]: ...
    def orders_since(self, after: datetime, nested: bool = True) -> list[Json]: ...
    def order(self, venue_id: str, nested: bool = True) -> Json: ...
    def order_by_client_id(self, client_order_id: str) -> Json | None: ...
    def submit(self, payload: Mapping[str, Any]) -> Json: ...
    def replace(self, venue_id: str, patch: Mapping[str, Any]) -> Json: ...
    def cancel(self, venue_id: str) -> None: ...


def blocked(account: Mapping[str, Any]) -> str:
    """Why the venue lets an account open nothing, in words; empty if it does."""
    told = [words for key, words in BLOCKS.items() if account.get(key) is True]
    status = str(account.get("status") or "ACTIVE").upper()
    return ", ".join([*told, *([] if status == "ACTIVE" else [f"its status is {status}"])])


@dataclass(slots=True)
class VenueSnapshot:
    """The venue at one moment.

    ``positions`` by symbol and ``opened``, the listing of open orders, are as sent, as far as they can be read;
    ``strangers`` are orders that are not ours. ``whole`` is False if a position could not be read, so that what is
    missing may be there; ``unread`` names the symbols of orders that could not be, ``held_back`` those of them in which
    the order is ours, so that nothing is known of what protects our shares.
    """

    time: datetime
    account: Json
    positions: dict[str, Json]
    orders: dict[str, VenueOrder]
    strangers: list[VenueOrder] = field(default_factory=list)
    opened: list[Json] = field(default_factory=list)
    whole: bool = True
    unread: dict[str, str] = field(default_factory=dict)
    held_back: dict[str, str] = field(default_factory=dict)

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
