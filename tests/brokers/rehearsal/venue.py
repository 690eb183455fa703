"""An exchange on a Tuesday morning with the few calls that the tests repeat."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.model import Asset, Bar
from brokers.rehearsal.core.settings import VenueSettings

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """A New York time from ``2026-03-10 10:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


OPEN = at("2026-03-10 10:00")
SECOND = timedelta(seconds=1)


class Venue(Exchange):
    """The exchange with its events kept."""

    def __init__(
        self,
        now: datetime = OPEN,
        price: str | None = "100",
        faults: FaultPlan | None = None,
        settings: VenueSettings | None = None,
        symbols: tuple[str | Asset, ...] = ("AAPL", "MSFT"),
    ) -> None:
        self.events: list[dict[str, Any]] = []
        super().__init__(symbols, now, self.events.append, settings, faults)
        if price is not None:
            self.quote(price)

    def quote(self, price: str, symbol: str = "AAPL", seconds: int = 1) -> None:
        self.on_quote(self.now + seconds * SECOND, {symbol: Decimal(price)})

    def wait(self, seconds: int = 1) -> None:
        self.advance(self.now + seconds * SECOND)

    def bar(self, *prices: str, minutes: int = 5) -> None:
        self.on_bar(self.now + SECOND, {"AAPL": Bar(*map(Decimal, prices))}, timedelta(minutes=minutes))

    def send(self, side: str = "buy", kind: str = "market", **fields: object) -> str:
        return str(self.submit(order(side, kind, **fields))["id"])

    def buy(self, qty: str = "10", symbol: str = "AAPL") -> None:
        """Hold ``qty`` shares."""
        self.send(qty=qty, symbol=symbol)
        self.wait()
        assert self.position(symbol)["qty"] == qty

    def bracket(self, kind: str = "market", target: str = "110", stop: str = "95", **fields: object) -> tuple[str, ...]:
        """Ids of entry, take-profit and stop."""
        body: Any = self.submit(order("buy", kind, **{**exits(target, stop), "order_class": "bracket", **fields}))
        return body["id"], *(leg["id"] for leg in body["legs"])

    def oco(self, target: str = "110", stop: str = "95", **fields: object) -> tuple[str, ...]:
        body: Any = self.submit(order("sell", "limit", **{**exits(target, stop), "order_class": "oco", **fields}))
        return body["id"], *(leg["id"] for leg in body["legs"])

    def status(self, *ids: str) -> str:
        return " ".join(str(self.order(i)["status"]) for i in ids)

    def told(self, order_id: str) -> list[str]:
        """Events of one order."""
        return [e["event"] for e in self.events if e["order"]["id"] == order_id]

    def available(self, symbol: str = "AAPL") -> str:
        return str(self.position(symbol)["qty_available"])


def order(side: str = "buy", kind: str = "market", **fields: object) -> dict[str, object]:
    base: dict[str, object] = {"symbol": "AAPL", "side": side, "type": kind, "time_in_force": "day"}
    if "notional" not in fields:
        base["qty"] = "10"
    return {**base, **fields}


def exits(target: str, stop: str) -> dict[str, object]:
    """The fields of a good-till-cancelled pair of exits."""
    return {
        "take_profit": {"limit_price": target},
        "stop_loss": {"stop_price": stop},
        "time_in_force": "gtc",
    }


def refused(venue: Exchange, payload: Mapping[str, object]) -> tuple[int, dict[str, object]]:
    """Status and body of the refusal of an order."""
    with pytest.raises(ApiError) as caught:
        venue.submit(payload)
    return caught.value.status, caught.value.body
