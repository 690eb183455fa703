"""ccxt's own client trades on it, by every method that a broker built on it calls."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from brokers.rehearsal.kraken.errors import KrakenError
from brokers.rehearsal.kraken.server import KrakenServer
from tests.brokers.rehearsal.kraken.account import UUID
from tests.brokers.rehearsal.kraken.market import Client, later, served, set_price

BTC = "BTC/USD"


@pytest.fixture
def venue() -> Iterator[tuple[KrakenServer, Any]]:
    balances = {"XBT.F": "0.0002", "USD.F": 55, "SOL.S": "1.5", "XDG": "0.000031"}
    with served(account={"balances": balances}) as server:
        client = Client(server)
        client.load_markets()
        yield server, client


def test_markets_and_fees(venue: tuple[KrakenServer, Any]) -> None:
    _, client = venue
    assert sorted(client.symbols) == ["BTC/USD", "DOGE/USD", "ETH/USD", "SOL/USD"]
    market = client.market(BTC)
    assert (market["id"], market["altname"], market["active"]) == ("XXBTZUSD", "XBTUSD", True)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 1e-8)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.00005, 0.5)
    fee = client.fetch_trading_fee(BTC)
    assert (fee["maker"], fee["taker"]) == (0.0025, 0.004)
    assert client.fetch_status()["status"] == "ok"
    assert client.fetch_time() == 1_795_892_400_000


def test_prices_and_bars(venue: tuple[KrakenServer, Any]) -> None:
    server, client = venue
    ticker = client.fetch_ticker(BTC)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (89_999.9, 90_000.1, 90_000)
    assert (ticker["high"], ticker["low"]) == (90_450, 89_550)
    assert set(client.fetch_tickers([BTC, "ETH/USD"])) == {BTC, "ETH/USD"}
    book = client.fetch_order_book(BTC, 5)
    assert [len(book[side]) for side in ("bids", "asks")] == [5, 5]
    assert book["bids"][0][0] < book["asks"][0][0]
    bars = client.fetch_ohlcv(BTC, "1h")
    assert len(bars) == 720
    assert bars[-1][0] == 1_795_892_400_000
    since = client.fetch_ohlcv(BTC, "1h", since=1_795_892_400_000 - 5 * 3_600_000)
    assert [row[0] for row in since] == [row[0] for row in bars[-6:]]
    later(server, minutes=90)
    assert client.fetch_ohlcv(BTC, "1h")[-1][0] == 1_795_892_400_000 + 3_600_000
    assert client.fetch_trades(BTC, limit=3)[-1]["price"] in (90_000.0, 89_550.0, 90_450.0)


def test_balances(venue: tuple[KrakenServer, Any]) -> None:
    _, client = venue
    told = client.fetch_balance()
    assert {code: told["total"][code] for code in ("USD", "USD.F", "BTC.F", "SOL.S", "DOGE")} == {
        "USD": 1_000, "USD.F": 55, "BTC.F": 0.0002, "SOL.S": 1.5, "DOGE": 0.000031,
    }  # fmt: skip


def test_an_entry_with_its_stop_from_first_fill_to_target(venue: tuple[KrakenServer, Any]) -> None:
    server, client = venue
    entry = client.create_order(
        BTC,
        "limit",
        "buy",
        0.001,
        89_000.0,
        {"close": {"ordertype": "stop-loss", "price": "88110"}, "clientOrderId": UUID},
    )
    by_id = client.fetch_open_orders(params={"clientOrderId": UUID})
    assert [(order["id"], order["clientOrderId"]) for order in by_id] == [(entry["id"], UUID)]
    set_price(server, "88999")
    (stop,) = client.fetch_open_orders()
    assert (stop["info"]["refid"], stop["info"]["descr"]["ordertype"]) == (entry["id"], "stop-loss")
    assert (stop["stopLossPrice"], stop["amount"], stop["side"]) == (88_110.0, 0.001, "sell")
    balance = client.fetch_balance()["BTC"]
    assert (balance["total"], balance["used"]) == (0.001, 0.001)
    amended = client.private_post_amendorder({"txid": stop["id"], "trigger_price": "88500"})
    assert amended["result"]["amend_id"]
    assert client.fetch_order(stop["id"])["stopLossPrice"] == 88_500.0
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(BTC, "limit", "sell", 0.0012, 90_000)
    client.cancel_order(stop["id"])
    later(server, seconds=1)
    sold = client.create_order(BTC, "limit", "sell", 0.001, 88_900.0, {"timeInForce": "IOC"})
    done = client.fetch_order(sold["id"])
    assert (done["status"], done["filled"], done["average"]) == ("closed", 0.001, 88_998.9)
    assert client.fetch_open_orders() == []
    trades = client.fetch_my_trades(BTC)
    assert [(trade["side"], trade["takerOrMaker"]) for trade in trades] == [("buy", "maker"), ("sell", "taker")]
    spent = sum(
        (1 if trade["side"] == "sell" else -1) * Decimal(trade["info"]["cost"]) - Decimal(trade["info"]["fee"])
        for trade in trades
    )
    money = client.fetch_balance()["info"]["result"]
    total = Decimal(money["ZUSD"]["balance"]) + Decimal(money["USD.F"]["balance"])
    assert total == (1_055 + spent).quantize(Decimal("0.0001"), "ROUND_DOWN")


def test_a_stop_by_itself(venue: tuple[KrakenServer, Any]) -> None:
    server, client = venue
    client.create_order(BTC, "market", "buy", 0.001)
    stop = client.create_order(BTC, "market", "sell", 0.001, None, {"stopLossPrice": 88_000.5, "clientOrderId": UUID})
    assert stop["info"]["descr"]["order"] == "sell 0.00100000 XBTUSD @ stop loss 88000.5"
    client.edit_order(stop["id"], BTC, "market", "sell", 0.001, None, {"stopLossPrice": 89_000})
    assert client.fetch_order(stop["id"])["info"]["descr"]["price"] == "89000.0"
    set_price(server, "88900")
    assert client.fetch_order(stop["id"])["status"] == "closed"
    by_id = client.fetch_closed_orders(params={"clientOrderId": UUID})
    assert [order["info"]["misc"] for order in by_id] == ["stopped"]


def test_other_orders_and_their_ends(venue: tuple[KrakenServer, Any]) -> None:
    _, client = venue
    post = client.create_order(BTC, "limit", "buy", 0.001, 80_000, {"postOnly": True})
    with pytest.raises(ccxt.ExchangeError, match="Post only order"):
        client.create_order(BTC, "limit", "buy", 0.001, 91_000, {"postOnly": True})
    client.create_order(BTC, "limit", "buy", 0.001, 80_000, {"timeInForce": "GTD", "expiretm": "+60"})
    client.create_order("ETH/USD", "limit", "buy", 0.01, 2_000)
    trailing = client.create_order(BTC, "market", "buy", 0.001, None, {"trailingPercent": 1})
    assert trailing["info"]["descr"]["order"] == "buy 0.00100000 XBTUSD @ trailing stop +1.0000%"
    client.cancel_order(post["id"])
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(post["id"])
    batch = client.create_orders(
        [
            {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.0001, "price": price}
            for price in (70_000, 71_000)
        ]
    )
    assert len(client.fetch_open_orders()) == 5
    client.cancel_orders([order["id"] for order in batch], BTC)
    # A string where ccxt reads JSON without orjson.
    assert int(client.cancel_all_orders()[0]["info"]["result"]["count"]) == 3
    assert client.fetch_open_orders() == []
    client.cancel_all_orders_after(60_000)
    client.cancel_all_orders_after(0)
    found = client.fetch_orders_by_ids([order["id"] for order in batch], BTC)
    assert {order["status"] for order in found} == {"canceled"}
    bought = client.create_market_buy_order_with_cost(BTC, 20)
    assert client.fetch_order(bought["id"])["info"]["oflags"] == "viqc"
    assert int(client.private_post_getwebsocketstoken()["result"]["expires"]) == 900


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("NONE/USD", "market", "buy", 1), ccxt.BadSymbol),
        ((BTC, "limit", "buy", 1, 90_000), ccxt.InsufficientFunds),
        ((BTC, "limit", "buy", 0.00001, 90_000), ccxt.InvalidOrder),
        ((BTC, "limit", "buy", 0.0001, 100), ccxt.ExchangeError),
    ],
)
def test_errors_have_ccxts_classes(
    venue: tuple[KrakenServer, Any], arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        venue[1].create_order(*arguments)


def test_what_the_owner_does_by_hand_is_seen(venue: tuple[KrakenServer, Any]) -> None:
    server, client = venue
    answer: Any = server.by_hand("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.001")
    (trade,) = client.fetch_my_trades(BTC)
    assert trade["order"] == answer["txid"][0]
    foreign = server.by_hand("AddOrder", pair="XBTUSD", type="sell", ordertype="iceberg", volume="0.001", price="99000")
    assert client.private_post_openorders()["result"]["open"][foreign["txid"][0]]["descr"]["ordertype"] == "iceberg"
    with pytest.raises(KrakenError, match="Insufficient funds"):
        server.by_hand("AddOrder", pair="XBTUSD", type="sell", ordertype="market", volume="5")


def test_a_wrong_secret_opens_nothing(venue: tuple[KrakenServer, Any]) -> None:
    server, _ = venue
    with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
        Client(server, secret="bm90IHRoZSBzZWNyZXQ=").fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
        Client(server, apiKey="unknown").fetch_balance()
