"""The exchange's states, and the timer that cancels everything."""

from __future__ import annotations

import ccxt
import pytest

from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.account import Account, refusal
from tests.brokers.rehearsal.kraken.market import trading


def test_only_cancels() -> None:
    account = Account(balances={"XBT": "0.01"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    account.exchange.set_status("cancel_only")
    assert refusal(account) == "EService:Market in cancel_only mode"
    with pytest.raises(KrakenError, match="cancel_only"):
        account.amend(stop, trigger_price="86000")
    account.price("80000")
    assert account.status(stop) == "open"
    assert account.cancel(stop) == {"count": 1}


def test_no_order_is_matched_until_it_is_online_again() -> None:
    account = Account(balances={"XBT": "0.01"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    account.exchange.set_status("cancel_only")
    account.price("80000")
    account.exchange.set_status("online")
    assert account.told(stop)["price"] == "79999.9"


def test_only_posts() -> None:
    account = Account()
    account.exchange.set_status("post_only")
    assert refusal(account, ordertype="limit", price="80000") == "EService:Market in post_only mode"
    account.add("buy", "limit", "0.001", price="80000", oflags="post")


def test_one_pair_alone() -> None:
    account = Account()
    account.exchange.pair_status["XETHZUSD"] = "cancel_only"
    assert refusal(account, pair="XETHZUSD", volume="0.01") == "EService:Market in cancel_only mode"
    account.add()


def test_maintenance_answers_nothing_private() -> None:
    with trading() as (server, client):
        client.load_markets()
        server.call(lambda exchange: exchange.set_status("maintenance"))
        assert client.fetch_status()["status"] == "maintenance"
        for method in ("BalanceEx", "OpenOrders", "CancelAll", "AddOrder"):
            with pytest.raises(ccxt.ExchangeNotAvailable, match="EService:Unavailable"):
                getattr(client, f"privatePost{method}")()
        server.call(lambda exchange: exchange.set_status("online"))
        client.fetch_balance()
    with pytest.raises(ValueError, match="no status"):
        Account().exchange.set_status("closed")


def test_the_timer_cancels_protective_stops_too() -> None:
    account = Account(balances={"XBT": "0.01"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    account.trading.cancel_all_after({"timeout": "60"})
    account.wait(59)
    account.trading.cancel_all_after({"timeout": "60"})
    account.wait(59)
    assert account.status(stop) == "open"
    account.wait(1)
    assert account.status(stop) == "canceled"
    assert account.told(stop)["reason"] == "Cancel all orders after timer"
    again = account.add("sell", "stop-loss", "0.001", price="85000")
    account.trading.cancel_all_after({"timeout": "60"})
    account.trading.cancel_all_after({"timeout": "0"})
    account.wait(600)
    assert account.status(again) == "open"


def test_and_so_does_the_engines_return_from_maintenance() -> None:
    account = Account(balances={"XBT": "0.01"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    account.trading.cancel_all_after({"timeout": "3600"})
    account.exchange.set_status("maintenance")
    account.exchange.set_status("online")
    assert account.status(stop) == "canceled"


def test_the_timer_runs_out_at_its_time_however_late_it_is_noticed() -> None:
    account = Account()
    order = account.add("buy", "limit", "0.001", price="80000")
    account.trading.cancel_all_after({"timeout": "60"})
    account.price("70000", seconds=3600)
    told = account.told(order)
    assert (told["status"], told["closetm"] - told["opentm"]) == ("canceled", 60.0)
