"""Lumibot's stock Ccxt broker on the rehearsed Kraken: it trades, and its known traps show here as they do there."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from lumibot.brokers import Ccxt
from lumibot.entities import Asset, Order

from brokers.rehearsal.kraken.server import KrakenServer
from tests.brokers.rehearsal.kraken.market import Client, served

USD = Asset("USD", asset_type="forex")
BTC = Asset("BTC", asset_type="crypto")


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KrakenServer, Any]]:
    monkeypatch.setattr(Ccxt, "_get_stream_object", lambda _: None)
    with served(account={"balances": {"XBT": "0.01", "XDG": "0.00003"}}) as server:
        config = {
            "exchange_id": "kraken",
            "apiKey": server.key,
            "secret": server.secret,
            "margin": False,
            "sandbox": False,
        }
        broker: Any = Ccxt(config, max_workers=1, connect_stream=False)
        client = Client(server)
        for user in (broker.api, broker.data_source.api):
            user.urls["api"], user.nonce, user.rateLimit = client.urls["api"], client.nonce, 1
        broker.stream = broker.data_source._stream = None
        yield server, broker


def order(side: str, kind: str, **more: Any) -> Order:
    return Order("s", BTC, Decimal("0.0002"), side, order_type=kind, quote=USD, **more)


def kinds(broker: Any) -> list[str]:
    return [raw["info"]["descr"]["ordertype"] for raw in broker._pull_broker_all_orders()]


def test_it_trades(venue: tuple[KrakenServer, Any]) -> None:
    _, broker = venue
    cash, worth, equity = broker._get_balances_at_broker(USD, None)
    assert (cash, round(worth, 2), round(equity, 2)) == (1_000, 900, 1_900)
    entry = broker._submit_order(order("buy", "limit", limit_price=89_000.0))
    stop = broker._submit_order(order("sell", "market", custom_params={"stopLossPrice": 88_000.0}))
    assert (entry.status, stop.status) == ("new", "new")
    assert sorted(kinds(broker)) == ["limit", "stop-loss"]
    parsed = [broker._parse_broker_order(raw, "s") for raw in broker._pull_broker_all_orders()]
    assert {str(one.order_type) for one in parsed} == {"limit", "stop"}
    broker._modify_order(entry, limit_price=88_000.0)
    assert broker._pull_broker_order(entry.identifier)["price"] == 88_000
    broker.cancel_order(entry)
    assert kinds(broker) == ["stop-loss"]


def test_its_plain_stop_sells_at_once(venue: tuple[KrakenServer, Any]) -> None:
    server, broker = venue
    broker._submit_order(order("sell", "stop", stop_price=80_000.0))
    assert kinds(broker) == []
    assert server.call(lambda exchange: exchange.balances.total("XXBT")) == Decimal("0.0098")


def test_moving_its_stop_moves_nothing(venue: tuple[KrakenServer, Any]) -> None:
    _, broker = venue
    stop = broker._submit_order(order("sell", "market", custom_params={"stopLossPrice": 88_000.0}))
    broker._modify_order(stop, stop_price=89_000.0)
    assert [raw["info"]["descr"]["price"] for raw in broker._pull_broker_all_orders()] == ["88000.0"]


def test_a_foreign_order_stops_its_reading(venue: tuple[KrakenServer, Any]) -> None:
    server, broker = venue
    server.by_hand("AddOrder", pair="XBTUSD", type="sell", ordertype="trailing-stop", volume="0.001", price="+1%")
    (raw,) = broker._pull_broker_all_orders()
    with pytest.raises(ValueError, match="trailing"):
        broker._parse_broker_order(raw, "s")
