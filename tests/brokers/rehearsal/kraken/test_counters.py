"""The two counters: of REST calls by key, of the matching engine by pair."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from brokers.rehearsal.kraken.account.counters import AMEND, CANCEL, EDIT, cost
from brokers.rehearsal.kraken.auth import new_keys
from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.account import SATURDAY, Account
from tests.brokers.rehearsal.kraken.market import Client, Wire, later, served, trading

TABLE = {
    AMEND: {0: 4, 5: 3, 10: 2, 15: 1, 45: 1, 90: 1, 300: 1},
    EDIT: {0: 7, 5: 6, 10: 5, 15: 3, 45: 2, 90: 1, 300: 1},
    CANCEL: {0: 8, 5: 6, 10: 5, 15: 4, 45: 2, 90: 1, 300: 0},
}


@pytest.mark.parametrize("action", TABLE)
def test_what_an_action_costs_by_the_orders_age(action: str) -> None:
    for age, expected in TABLE[action].items():
        assert cost(action, SATURDAY, SATURDAY + timedelta(seconds=age)) == expected, age


@pytest.mark.parametrize(("tier", "calls", "after_ten_seconds"), [("starter", 15, 3), ("pro", 20, 10)])
def test_so_many_calls_at_once_and_more_with_time(tier: str, calls: int, after_ten_seconds: int) -> None:
    with served(account={"tier": tier}) as server:
        wire = Wire(server)

        def allowed() -> int:
            count = 0
            while wire.private("OpenOrders")["error"] == []:
                count += 1
            return count

        assert allowed() == calls
        assert wire.private("OpenOrders") == {"error": ["EAPI:Rate limit exceeded"]}
        later(server, seconds=10)
        assert allowed() == after_ten_seconds
        assert server.call(lambda exchange: exchange.counters.rest[server.key].peak) <= calls


def test_trades_cost_two_and_orders_nothing() -> None:
    with served(account={"tier": "starter"}) as server:
        wire = Wire(server)
        for _ in range(7):
            assert wire.private("TradesHistory")["error"] == []
        order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.001", "price": "70000"}
        for _ in range(5):
            assert wire.private("AddOrder", **order)["error"] == []
        assert wire.private("TradesHistory") == {"error": ["EAPI:Rate limit exceeded"]}
        assert wire.private("BalanceEx")["error"] == []


def test_each_key_has_a_counter_of_its_own() -> None:
    key, secret = new_keys()
    with trading(account={"tier": "starter"}, other_keys={key: secret}) as (server, first):
        second: Any = Client(server, apiKey=key, secret=secret)
        for _ in range(15):
            first.fetch_balance()
        with pytest.raises(ccxt.DDoSProtection):
            first.fetch_balance()
        second.fetch_balance()


def test_the_engine_counts_each_pair() -> None:
    account = Account(tier="starter", cash_usd=Decimal(100_000))
    orders = [account.add("buy", "limit", "0.001", price="50000") for _ in range(4)]
    for order in orders:
        account.cancel(order)
    assert account.exchange.counters.engine["XXBTZUSD"].peak == 4 * (1 + 8)
    account.wait(60)
    for _ in range(6):
        account.cancel(account.add("buy", "limit", "0.001", price="50000"))
    with pytest.raises(KrakenError, match="EOrder:Rate limit exceeded"):
        account.cancel(account.add("buy", "limit", "0.001", price="50000"))
    account.add("buy", "limit", "0.01", "XETHZUSD", price="2000")
    assert account.exchange.counters.engine["XXBTZUSD"].refused == 1


def test_a_refused_order_counts_too() -> None:
    account = Account(tier="starter")
    for _ in range(60):
        with pytest.raises(KrakenError, match="Insufficient funds"):
            account.add("buy", "market", "1")
    with pytest.raises(KrakenError, match="Rate limit"):
        account.add("buy", "market", "0.0001")


def test_an_old_stop_is_moved_cheaply() -> None:
    account = Account(tier="starter", balances={"XBT": 1})
    stop = account.add("sell", "stop-loss", "0.001", price="80000")
    account.wait(15)
    counter = account.exchange.counters.engine["XXBTZUSD"]
    assert counter.level(account.exchange.now) == 0
    account.amend(stop, trigger_price="81000")
    assert counter.level(account.exchange.now) == 1
    account.amend(stop, trigger_price="82000")
    assert counter.level(account.exchange.now) == 1 + 4


def test_a_batch_is_cheaper_than_its_orders() -> None:
    account = Account(tier="starter", cash_usd=Decimal(100_000))
    one = {"type": "buy", "ordertype": "limit", "volume": "0.001", "price": "50000"}
    account.trading.add_orders({"pair": "XBTUSD", "orders": [one] * 10})
    assert account.exchange.counters.engine["XXBTZUSD"].peak == 6
