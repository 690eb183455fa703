"""An account at the rehearsed Kraken on a Saturday evening, with the few calls that the tests repeat."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.model import OrderEvent
from brokers.rehearsal.kraken.account_api import AccountApi
from brokers.rehearsal.kraken.errors import KrakenError
from brokers.rehearsal.kraken.exchange import KrakenExchange
from brokers.rehearsal.kraken.reference.listings import listings
from brokers.rehearsal.kraken.settings import KrakenSettings
from brokers.rehearsal.kraken.trading_api import TradingApi

SATURDAY = datetime(2026, 11, 28, 19, 0, tzinfo=UTC)
UUID = "6d1b345e-2821-40e2-ad83-4ecb18a06877"
PRICES = {"BTC/USD": "90000", "ETH/USD": "3000", "SOL/USD": "150", "DOGE/USD": "0.2"}


class Account:
    """The exchange with its events kept, no limits of calls and orders unless asked for."""

    def __init__(self, faults: FaultPlan | None = None, **settings: Any) -> None:
        self.events: list[OrderEvent] = []
        self.born: dict[str, Decimal] = {}
        given = {"cash_usd": Decimal(1_000), "tier": "none", **settings}
        given["balances"] = {name: Decimal(str(amount)) for name, amount in given.get("balances", {}).items()}
        self.exchange = KrakenExchange(listings(), SATURDAY, KrakenSettings(**given), faults, self._hear)
        self.trading, self.telling = TradingApi(self.exchange), AccountApi(self.exchange)
        self.exchange.on_quote(SATURDAY, {symbol: Decimal(price) for symbol, price in PRICES.items()})

    def _hear(self, event: OrderEvent) -> None:
        self.events.append(event)
        self.born.setdefault(event.order.id, event.order.qty or Decimal(0))

    def price(self, price: str, symbol: str = "BTC/USD", seconds: float = 1) -> None:
        """A jump of the price."""
        self.exchange.on_quote(self.exchange.now + timedelta(seconds=seconds), {symbol: Decimal(price)})

    def walk(self, price: str, symbol: str = "BTC/USD", seconds: float = 60) -> None:
        """A walk to a price, through all that lie between."""
        self.exchange.walk(self.exchange.now + timedelta(seconds=seconds), {symbol: Decimal(price)})

    def coarse_ticks(self) -> None:
        """Let the prices of BTC be half dollars, with decimals that promise more."""
        listed = self.exchange.listed
        pairs = {key: replace(p, tick=Decimal("0.5")) if key == "XXBTZUSD" else p for key, p in listed.pairs.items()}
        self.exchange.listed = replace(listed, pairs=pairs)

    def wait(self, seconds: float = 1) -> None:
        self.exchange.advance(self.exchange.now + timedelta(seconds=seconds))

    def add(
        self, side: str = "buy", ordertype: str = "market", volume: str = "0.001", pair: str = "XXBTZUSD", **more: Any
    ) -> str:
        """The txid of a new order; a close is written ``close={"ordertype": …}``."""
        return str(self.answer(side, ordertype, volume, pair, **more)["txid"][0])

    def answer(
        self, side: str = "buy", ordertype: str = "market", volume: str = "0.001", pair: str = "XXBTZUSD", **more: Any
    ) -> dict[str, Any]:
        return self.trading.add_order(order(side, ordertype, volume, pair, **more))

    def cancel(self, txid: str) -> dict[str, Any]:
        return self.trading.cancel_order({"txid": txid})

    def amend(self, txid: str, **terms: str) -> dict[str, Any]:
        return self.trading.amend_order({"txid": txid, **terms})

    def told(self, txid: str) -> dict[str, Any]:
        """An order as QueryOrders tells it."""
        found: Any = self.telling.query_orders({"txid": txid, "trades": "true"})
        body: dict[str, Any] = found[txid]
        return body

    def status(self, *txids: str) -> str:
        return " ".join(self.told(txid)["status"] for txid in txids)

    def open(self) -> dict[str, Any]:
        found: Any = self.telling.open_orders({})
        body: dict[str, Any] = found["open"]
        return body

    def closes_of(self, txid: str) -> dict[str, Any]:
        """The orders that the fills of an order made, open or not."""
        made = [o.id for o in self.exchange.orders.values() if o.parent == txid]
        return {name: self.told(name) for name in made}

    def balance(self, asset: str = "ZUSD") -> tuple[str, str]:
        """Balance and held part."""
        line: Any = self.telling.balance_ex({})[asset]
        return line["balance"], line["hold_trade"]

    @property
    def cash(self) -> Decimal:
        return self.exchange.balances.total("ZUSD")

    def coins(self, key: str = "XXBT") -> Decimal:
        return self.exchange.balances.total(key)


def order(
    side: str = "buy", ordertype: str = "market", volume: str = "0.001", pair: str = "XXBTZUSD", **more: Any
) -> dict[str, Any]:
    close = more.pop("close", {})
    closes = {f"close[{name}]": value for name, value in close.items()}
    return {"pair": pair, "type": side, "ordertype": ordertype, "volume": volume, **more, **closes}


def refusal(account: Account, **given: Any) -> str:
    """The text of the refusal of an order."""
    with pytest.raises(KrakenError) as caught:
        account.answer(**given)
    return str(caught.value)
