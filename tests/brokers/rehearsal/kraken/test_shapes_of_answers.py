"""Every answer has the keys and the types of the example that Kraken's documentation gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.rehearsal.kraken.account import UUID, Account
from tests.brokers.rehearsal.kraken.market import Wire, served
from tests.brokers.rehearsal.kraken.recorded import examples, needs_recordings
from tests.brokers.rehearsal.kraken.refusals import BY_FAULT, ERRORS

pytestmark = needs_recordings
SOMETIMES = frozenset({"trigger", "trades"})
"""Keys of orders that wait for a price, and of those whose trades were asked for."""
MAY_BE_NULL = frozenset({"refid", "userref", "cl_ord_id", "reason", "nextfee", "nextvolume"})


def alike(ours: Any, example: Any, where: str = "") -> None:
    """Same keys, same types, and numbers in text with as many decimals."""
    key = where.rsplit("/", 1)[-1]
    if key in MAY_BE_NULL and None in (ours, example):
        return
    assert type(ours) is type(example), (where, ours, example)
    if isinstance(ours, dict):
        assert ours.keys() == example.keys(), where
        for name in ours:
            alike(ours[name], example[name], f"{where}/{name}")
    elif isinstance(ours, list):
        for number, part in enumerate(ours):
            alike(part, example[min(number, len(example) - 1)], f"{where}/{number}")
    elif isinstance(ours, str) and "0" not in (ours, example) and both_numbers(ours, example):
        assert ("." in ours) == ("." in example), (where, ours, example)


def both_numbers(*texts: str) -> bool:
    return all(text.replace(".", "", 1).isdigit() for text in texts)


def some_alike(ours: Mapping[str, Any], shown: Mapping[str, Any], where: str) -> None:
    """Each of ours is like one of the examples."""
    assert ours, where
    for name, body in ours.items():
        always = body.keys() - SOMETIMES
        fitting = [example for example in shown.values() if example.keys() - SOMETIMES == always]
        assert fitting, (where, name, body.keys(), [example.keys() for example in shown.values()])
        alike({key: body[key] for key in always}, {key: fitting[0][key] for key in always}, where)
        for key in body.keys() & SOMETIMES:
            alike(body[key], next(example[key] for example in fitting if key in example), f"{where}/{key}")


def result(body: Mapping[str, Any]) -> Any:
    assert body["error"] == []
    return body["result"]


def test_public_answers() -> None:
    told = examples()
    with served() as server:
        wire = Wire(server)
        for name, query in (
            ("Time", {}), ("SystemStatus", {}), ("Assets", {}), ("AssetPairs", {}), ("Ticker", {"pair": "XXBTZUSD"}),
            ("OHLC", {"pair": "XXBTZUSD", "interval": "60"}), ("Depth", {"pair": "XXBTZUSD", "count": "2"}),
        ):  # fmt: skip
            path = f"GET /0/public/{name}" + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
            ours, example = result(wire.public(name, **query)), result(told[path]["body"])
            if name == "Assets":
                assert example.keys() <= ours.keys()
                ours = {key: ours[key] for key in example}
            alike(ours, example, path)
        assert len(result(wire.public("AssetPairs"))) == 4


def test_what_is_listed_is_what_the_examples_list() -> None:
    told = examples()
    with served() as server:
        wire = Wire(server)
        assert result(wire.public("AssetPairs")) == result(told["GET /0/public/AssetPairs"]["body"])
        ours = result(wire.public("Assets"))
        assert ours.pop("XXRP")["altname"] == "XRP", "listed beside what the examples have"
        assert {k: v for k, v in ours.items() if not k.endswith(".F")} | {
            k: ours[k] for k in ("XBT.F", "USD.F")
        } == result(told["GET /0/public/Assets"]["body"])


ORDERS: dict[str, dict[str, Any]] = {
    "limit": {"ordertype": "limit", "volume": "0.0002", "price": "89000"},
    "limit_with_close": {
        "ordertype": "limit", "volume": "0.0002", "price": "89000",
        "close": {"ordertype": "stop-loss", "price": "88110"},
    },
    "market": {"volume": "0.0002"},
    "stop_loss": {"side": "sell", "ordertype": "stop-loss", "volume": "0.0002", "price": "88000"},
    "stop_loss_limit": {
        "side": "sell", "ordertype": "stop-loss-limit", "volume": "0.0002", "price": "88000", "price2": "87500",
    },
    "take_profit": {"side": "sell", "ordertype": "take-profit", "volume": "0.0002", "price": "95000"},
    "trailing": {"side": "sell", "ordertype": "trailing-stop", "volume": "0.0002", "price": "+1%"},
    "validate": {"ordertype": "limit", "volume": "0.0002", "price": "89000", "validate": "true"},
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_each_kind_of_order_is_described_in_the_examples_words(name: str) -> None:
    account = Account(balances={"XBT": 1})
    body = result(examples()["POST /0/private/AddOrder"][name])
    ours = account.answer(**ORDERS[name])
    assert ours["descr"] == body["descr"]
    alike(ours, body, name)


def private(account: Account) -> dict[str, Any]:
    return {**account.trading.methods(), **account.telling.methods()}


def test_open_and_closed_orders_and_trades() -> None:
    told = examples()
    faults = FaultPlan(seed=1, partial_fill_frac=1.0, partial_pause=timedelta(hours=1))
    account = Account(faults, balances={"XBT": 1})
    entry = account.add(
        "buy", "limit", "0.002", price="89000", cl_ord_id=UUID, close={"ordertype": "stop-loss", "price": "88110"}
    )
    account.price("88999")
    faults.partial_fill_frac = 0.0
    account.add("sell", "stop-loss-limit", "0.0002", price="88000", price2="87500")
    account.add("sell", "trailing-stop", "0.0002", price="+1%")
    expiring = account.add("sell", "limit", "0.0001", price="95000", timeinforce="GTD", expiretm="+30")
    methods = private(account)
    shown = result(told["POST /0/private/OpenOrders"]["body"])["open"]
    ours = methods["OpenOrders"]({"trades": "true"})["open"]
    assert {body["descr"]["ordertype"] for body in ours.values()} == {
        "limit", "stop-loss", "stop-loss-limit", "trailing-stop",
    }  # fmt: skip
    some_alike(ours, shown, "open")
    made = account.closes_of(entry)
    assert made
    assert all(body["refid"] == entry for body in made.values())
    account.wait(31)
    account.cancel(entry)
    account.price("88000")
    closed = methods["ClosedOrders"]({})
    assert {body["status"] for body in closed["closed"].values()} == {"closed", "canceled", "expired"}
    example = result(told["POST /0/private/ClosedOrders"]["body"])
    assert closed.keys() == example.keys()
    some_alike(closed["closed"], example["closed"], "closed")
    assert account.told(expiring)["status"] == "expired"
    query = methods["QueryOrders"]({"txid": entry, "trades": "true"})
    some_alike(query, result(told["POST /0/private/QueryOrders"]["body"]), "query")
    trades = methods["TradesHistory"]({})
    example = result(told["POST /0/private/TradesHistory"]["body"])
    assert trades.keys() == example.keys()
    some_alike(trades["trades"], example["trades"], "trades")


def test_balances_fees_and_the_rest() -> None:
    told = examples()
    account = Account(balances={"XBT": "0.001", "XBT.F": "0.0002", "USD.F": "55", "SOL.S": "1.5", "XDG": "0.000031"})
    methods = private(account)
    account.add("buy", "limit", "0.0002", price="89000")
    example = result(told["POST /0/private/BalanceEx"]["body"])
    ours = methods["BalanceEx"]({})
    assert ours.keys() == example.keys()
    alike({"XXBT": ours["XXBT"]}, {"XXBT": example["XXBT"]}, "BalanceEx")
    for asset, line in ours.items():
        for part, text in line.items():
            assert len(text.split(".")[1]) == len(example[asset][part].split(".")[1]), (asset, part)
    alike(methods["TradeVolume"]({"pair": "XXBTZUSD"}), result(told["POST /0/private/TradeVolume"]["body"]), "volume")
    order = account.add("buy", "limit", "0.0002", price="89000")
    alike(
        methods["AmendOrder"]({"txid": order, "limit_price": "88000"}),
        result(told["POST /0/private/AmendOrder"]["body"]),
    )
    alike(methods["CancelOrder"]({"txid": order}), result(told["POST /0/private/CancelOrder"]["body"]))
    alike(methods["CancelAll"]({}), result(told["POST /0/private/CancelAll"]["body"]))
    timer = told["POST /0/private/CancelAllOrdersAfter"]
    alike(methods["CancelAllOrdersAfter"]({"timeout": "60"}), result(timer["body"]))
    alike(methods["CancelAllOrdersAfter"]({"timeout": "0"}), result(timer["off"]))
    assert methods["CancelAllOrdersAfter"]({"timeout": "0"})["triggerTime"] == "0"
    alike(methods["GetWebSocketsToken"]({}), result(told["POST /0/private/GetWebSocketsToken"]["body"]))
    account.exchange.life.faults.cancel_delay_frac = 1.0
    slow = account.add("buy", "limit", "0.0002", price="89000")
    assert methods["CancelOrder"]({"txid": slow}) == result(told["POST /0/private/CancelOrder"]["pending"])


def test_a_batch_tells_of_each_order() -> None:
    account = Account()
    orders = [
        {"type": "buy", "ordertype": "limit", "volume": "0.0002", "price": "89000"},
        {"type": "buy", "ordertype": "limit", "volume": "5", "price": "88000"},
    ]
    ours = account.trading.add_orders({"pair": "XXBTZUSD", "orders": orders})
    example = result(examples()["POST /0/private/AddOrderBatch"]["body"])
    alike(ours, example, "batch")
    listed: Any = ours["orders"]
    assert [part["descr"] for part in listed] == [part["descr"] for part in example["orders"]]
    assert listed[1]["error"] == example["orders"][1]["error"]


def test_every_documented_error_can_be_met() -> None:
    """Each text of the examples is one that this exchange says, by a rule or by a fault."""
    texts = {text for row in examples()["errors"] for text in row}
    assert texts <= set(ERRORS) | BY_FAULT
