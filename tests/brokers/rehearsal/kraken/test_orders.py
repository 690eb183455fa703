"""What each kind of order does, and what its answers tell."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.account import UUID, Account, refusal


def test_a_market_order_is_done_when_it_is_answered() -> None:
    account = Account()
    told = account.told(account.add("buy", "market", "0.001"))
    assert (told["status"], told["vol_exec"], told["price"]) == ("closed", "0.00100000", "90000.1")
    assert (told["cost"], told["fee"], told["reason"]) == ("90.00010", "0.36000", None)
    assert account.cash == Decimal(1_000) - Decimal("90.00010") - Decimal("0.36000")


def test_who_rests_makes_and_pays_less() -> None:
    account = Account()
    txid = account.add("buy", "limit", "0.001", price="89000", oflags="post")
    assert account.status(txid) == "open"
    assert account.balance() == ("1000.0000", "89.2225")
    account.walk("88000")
    told = account.told(txid)
    assert (told["price"], told["fee"], told["oflags"]) == ("89000.0", "0.22250", "post")
    (trade,) = account.exchange.trades.values()
    assert trade.maker
    assert account.balance() == ("910.7775", "0.0000")


def test_who_rests_gets_his_own_price_even_in_a_jump() -> None:
    account = Account(FaultPlan(seed=2, partial_fill_frac=1.0, partial_pause=timedelta(seconds=30)))
    resting = account.add("buy", "limit", "0.004", price="89000")
    account.price("80000")
    account.price("70000", seconds=31)
    assert len(account.told(resting)["trades"]) == 2
    assert {trade.price for trade in account.exchange.trades.values()} == {Decimal(89_000)}
    taker = Account()
    assert taker.told(taker.add("buy", "limit", "0.001", price="95000"))["price"] == "90000.1"


@pytest.mark.parametrize(
    ("side", "ordertype", "price", "untouched", "touched", "misc"),
    [
        ("sell", "stop-loss", "88000", "88000.1", "88000", "stopped"),
        ("buy", "stop-loss", "92000", "91999.9", "92000", "stopped"),
        ("sell", "take-profit", "92000", "91999.9", "92000", "touched"),
        ("buy", "take-profit", "88000", "88000.1", "88000", "touched"),
    ],
)
def test_what_waits_for_a_price(side: str, ordertype: str, price: str, untouched: str, touched: str, misc: str) -> None:
    account = Account(balances={"XBT": 1})
    txid = account.add(side, ordertype, "0.001", price=price)
    account.price(untouched)
    assert account.status(txid) == "open"
    account.price(touched)
    told = account.told(txid)
    assert (told["status"], told["misc"], told["trigger"]) == ("closed", misc, "last")
    assert told["price"] == f"{Decimal(touched) + (Decimal('0.1') if side == 'buy' else -Decimal('0.1'))}"


@pytest.mark.parametrize(("ordertype", "trigger", "limit"), [
    ("stop-loss-limit", "88000", "87900"), ("take-profit-limit", "92000", "92100"),
])  # fmt: skip
def test_what_is_triggered_may_rest_as_a_limit(ordertype: str, trigger: str, limit: str) -> None:
    account = Account(balances={"XBT": 1})
    txid = account.add("sell", ordertype, "0.001", price=trigger, price2=limit)
    beyond = "87000" if ordertype.startswith("stop") else "92000"
    account.price(beyond)
    told = account.told(txid)
    assert (told["status"], told["limitprice"]) == ("open", f"{limit}.0")
    account.walk("93000")
    assert account.status(txid) == "closed"
    (trade,) = account.exchange.trades.values()
    assert trade.maker
    assert trade.price == Decimal(limit)


def test_a_stop_above_the_market_sells_at_once() -> None:
    account = Account(balances={"XBT": 1})
    assert account.status(account.add("sell", "stop-loss", "0.001", price="95000")) == "closed"


def test_what_lumibot_takes_for_a_stop_is_a_market_order() -> None:
    account = Account(balances={"XBT": 1})
    assert account.status(account.add("sell", "market", "0.001", triggerPrice="88000")) == "closed"


def test_a_gap_executes_a_stop_beyond_its_price() -> None:
    account = Account(balances={"XBT": 1})
    txid = account.add("sell", "stop-loss", "0.001", price="88000")
    account.price("80000")
    assert account.told(txid)["price"] == "79999.9"


def test_trailing_stops_follow() -> None:
    account = Account(balances={"XBT": 1})
    txid = account.add("sell", "trailing-stop", "0.001", price="+1%")
    limited = account.add("sell", "trailing-stop-limit", "0.001", price="+1000", price2="+50")
    assert account.told(txid)["descr"]["price"] == "+1.0000%"
    account.price("100000")
    assert (account.told(txid)["stopprice"], account.told(limited)["stopprice"]) == ("99000.0", "99000.0")
    account.price("98999")
    assert account.status(txid, limited) == "closed closed"
    assert account.told(limited)["limitprice"] == "98950.0"


def test_an_order_by_cost_tells_its_volume_in_money() -> None:
    account = Account()
    txid = account.add("buy", "market", "20", oflags="viqc")
    told = account.told(txid)
    assert told["vol"] == "20.00000000"
    assert Decimal("19.99") < Decimal(told["cost"]) <= 20
    assert account.coins() == Decimal("0.00022222")


def test_what_must_execute_at_once_and_what_ends_in_time() -> None:
    account = Account()
    at_once = account.add("buy", "limit", "0.001", price="89000", timeinforce="IOC")
    assert account.status(at_once) == "canceled"
    ending = account.add("buy", "limit", "0.001", price="89000", timeinforce="GTD", expiretm="+60")
    account.wait(59)
    assert account.status(ending) == "open"
    account.wait(1)
    assert account.status(ending) == "expired"
    waiting = account.add("buy", "market", "0.001", starttm="+30")
    assert account.status(waiting) == "pending"
    account.wait(31)
    assert account.status(waiting) == "closed"


def test_validate_only_looks() -> None:
    account = Account()
    answer = account.answer("buy", "limit", "0.001", price="89000", validate="true")
    assert answer == {"descr": {"order": "buy 0.00100000 XBTUSD @ limit 89000.0"}}
    assert account.open() == {}
    assert refusal(account, volume="5", validate="true") == "EOrder:Insufficient funds"


def test_an_id_may_be_used_again_once_its_order_has_ended() -> None:
    account = Account()
    first = account.add("buy", "limit", "0.001", price="80000", cl_ord_id=UUID)
    assert refusal(account, side="buy", ordertype="limit", price="80000", cl_ord_id=UUID).endswith("not unique")
    account.trading.cancel_order({"cl_ord_id": UUID})
    second = account.add("buy", "limit", "0.001", price="80000", cl_ord_id=UUID)
    closed: Any = account.telling.closed_orders({"cl_ord_id": UUID})
    found: Any = account.telling.open_orders({"cl_ord_id": UUID})
    assert (list(closed["closed"]), list(found["open"])) == ([first], [second])
    assert account.telling.open_orders({"cl_ord_id": "another"}) == {"open": {}}


def test_orders_by_reference() -> None:
    account = Account()
    for price in ("80000", "81000"):
        account.add("buy", "limit", "0.001", price=price, userref="7")
    account.add("buy", "limit", "0.001", price="82000", userref="8")
    found: Any = account.telling.open_orders({"userref": "7"})
    assert len(found["open"]) == 2
    assert account.trading.cancel_order({"txid": "7"}) == {"count": 2}
    assert len(account.open()) == 1


def test_a_batch_and_its_cancel() -> None:
    account = Account()
    one = {"type": "buy", "ordertype": "limit", "volume": "0.001", "price": "80000"}
    two = {**one, "price": "81000", "close": {"ordertype": "stop-loss", "price": "79000"}}
    answers: Any = account.trading.add_orders({"pair": "XBTUSD", "orders": [one, two]})["orders"]
    names = [answer["txid"] for answer in answers]
    assert answers[1]["descr"]["close"] == "close position @ stop loss 79000.0"
    assert account.trading.cancel_orders({"orders": [*names, "OAAAAA-BBBBB-CCCCCC"]}) == {"count": 2}
    with pytest.raises(KrakenError, match="orders"):
        account.trading.add_orders({"pair": "XBTUSD", "orders": [one]})


def test_pages_of_what_has_ended() -> None:
    account = Account()
    for _ in range(60):
        account.cancel(account.add("buy", "limit", "0.001", price="80000"))
        account.wait(1)
    first: Any = account.telling.closed_orders({})
    rest: Any = account.telling.closed_orders({"ofs": "50"})
    assert (first["count"], len(first["closed"]), len(rest["closed"])) == (60, 50, 10)
    assert not first["closed"].keys() & rest["closed"].keys()
    times = [body["closetm"] for body in (*first["closed"].values(), *rest["closed"].values())]
    assert times == sorted(times, reverse=True)
    half: Any = account.telling.closed_orders({"start": str(times[30]), "end": str(times[0] * 1_000)})
    assert half["count"] == 30


def test_trades_by_time_and_by_id() -> None:
    account = Account()
    for _ in range(3):
        account.add("buy", "market", "0.001")
        account.wait(10)
    told: Any = account.telling.trades_history({})
    assert told["count"] == 3
    newest, *_, oldest = told["trades"]
    later: Any = account.telling.trades_history({"start": oldest})
    assert next(iter(later["trades"])) == newest
    assert later["count"] == 2
    assert account.telling.query_trades({"txid": oldest})[oldest] == told["trades"][oldest]


def test_foreign_orders_are_told_whatever_they_are() -> None:
    account = Account(balances={"XBT": 1})
    order = account.exchange.foreign_order("settle-position", "sell", "BTC/USD", Decimal("0.1"), Decimal("80000"))
    assert account.told(order.id)["descr"]["ordertype"] == "settle-position"
    assert account.cancel(order.id) == {"count": 1}
