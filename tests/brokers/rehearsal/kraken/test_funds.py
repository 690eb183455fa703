"""What open orders hold, what can be spent, and how balances are told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.kraken.errors import KrakenError
from brokers.rehearsal.kraken.reference.listings import FeeTier
from tests.brokers.rehearsal.kraken.account import Account, refusal


def test_buys_hold_their_cost_and_the_fee() -> None:
    account = Account(cash_usd=Decimal(100))
    account.add("buy", "limit", "0.001", price="80000")
    assert account.balance() == ("100.0000", "80.2000")
    assert refusal(account, ordertype="limit", price="80000", volume="0.0003") == "EOrder:Insufficient funds"
    all_of_it = Account(cash_usd=Decimal("90.36"))
    assert refusal(all_of_it, volume="0.001") == "EOrder:Insufficient funds"
    enough = Account(cash_usd=Decimal("90.3602"))
    enough.add("buy", "market", "0.001")
    assert Decimal(0) <= enough.cash < Decimal("0.001")


def test_a_waiting_stop_holds_the_coins() -> None:
    account = Account(balances={"XBT": "0.001"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    assert account.balance("XXBT") == ("0.0010000000", "0.0010000000")
    assert refusal(account, side="sell", ordertype="limit", price="95000") == "EOrder:Insufficient funds"
    account.cancel(stop)
    assert stop not in account.open()
    assert refusal(account, side="sell", ordertype="limit", price="95000") == "EOrder:Insufficient funds"
    assert account.balance("XXBT")[1] == "0.0010000000"
    account.wait(0.25)
    assert account.balance("XXBT")[1] == "0.0000000000"
    account.add("sell", "limit", "0.001", price="95000")


def test_or_it_does_not_and_whoever_comes_first_sells() -> None:
    account = Account(balances={"XBT": "0.001"}, stops_hold=False)
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    target = account.add("sell", "limit", "0.001", price="95000")
    assert account.balance("XXBT") == ("0.0010000000", "0.0010000000")
    account.walk("95100")
    assert account.status(target, stop) == "closed open"
    account.price("84000")
    told = account.told(stop)
    assert (told["status"], told["vol_exec"], told["reason"]) == ("canceled", "0.00000000", "Insufficient funds")
    assert account.coins() == 0


def test_a_stop_finds_no_coins_that_a_resting_sell_holds() -> None:
    account = Account(balances={"XBT": "0.001"}, stops_hold=False)
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    target = account.add("sell", "limit", "0.0004", price="95000")
    account.price("84000")
    assert account.status(stop, target) == "canceled open"
    assert account.coins() == Decimal("0.001")


@pytest.mark.parametrize("stops_hold", [True, False])
def test_a_waiting_buy_holds_money_or_does_not(stops_hold: bool) -> None:
    account = Account(stops_hold=stops_hold)
    stop = account.add("buy", "stop-loss", "0.01", price="95000")
    assert account.balance()[1] == ("953.8000" if stops_hold else "0.0000")
    if not stops_hold:
        account.add("buy", "market", "0.005")
        account.price("96000")
        assert account.told(stop)["reason"] == "Insufficient funds"


def test_coins_of_a_cancelled_order_can_come_back_late() -> None:
    account = Account(FaultPlan(late_release_frac=1.0, late_release=timedelta(seconds=5)), balances={"XBT": "0.001"})
    account.cancel(account.add("sell", "stop-loss", "0.001", price="85000"))
    account.wait(5)
    assert account.balance("XXBT")[1] == "0.0010000000"
    account.wait(0.25)
    assert account.balance("XXBT")[1] == "0.0000000000"


def test_what_earns_can_be_spent() -> None:
    account = Account(cash_usd=Decimal(10), balances={"USD.F": 90, "XBT.F": "0.0005"})
    assert (account.balance()[0], account.balance("USD.F")[0]) == ("10.0000", "90.0000")
    order = account.add("buy", "limit", "0.0005", price="80000")
    assert (account.balance(), account.balance("USD.F")[0]) == (("40.1000", "40.1000"), "59.9000")
    account.cancel(order)
    account.add("buy", "market", "0.001")
    spent = Decimal("90.00010") + Decimal("0.36000")
    assert Decimal(account.balance()[0]) + Decimal(account.balance("USD.F")[0]) == Decimal("9.6399")
    assert account.cash == 100 - spent
    account.add("sell", "market", "0.0015")
    assert account.balance("XBT.F")[0] == "0.0000000000"
    assert Decimal(account.balance()[0]) > 100
    assert account.balance("USD.F")[0] == "9.6399"


def test_what_is_locked_or_dust_is_told_and_no_more() -> None:
    account = Account(balances={"SOL.S": "1.5", "XDG": "0.000031", "KFEE": 100})
    told: Any = account.telling.balance({})
    assert (told["SOL.S"], told["XXDG"], told["KFEE"]) == ("1.50000000", "0.00003100", "100.00")
    assert refusal(account, side="sell", pair="SOLUSD", volume="1") == "EOrder:Insufficient funds"
    assert refusal(account, side="sell", pair="XDGUSD", volume="0.000031") == "EOrder:Order minimum not met"


def test_coins_and_money_that_come_and_go_elsewhere() -> None:
    account = Account(balances={"XBT": "0.001"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    account.exchange.balances.move("XBT", Decimal("-0.001"))
    account.exchange.balances.move("USD", Decimal(-900))
    assert (account.coins(), account.cash) == (0, 100)
    account.price("84000")
    assert account.told(stop)["reason"] == "Insufficient funds"
    account.exchange.balances.move("ETH", Decimal(2))
    account.add("sell", "market", "2", "XETHZUSD")
    for name, amount in (("XBT", -1), ("USD", -1_000_000), ("NO", 1), ("SOL.S", 1)):
        with pytest.raises(KrakenError, match="Unknown asset"):
            account.exchange.balances.move(name, Decimal(amount))


def test_the_worth_of_it_all() -> None:
    account = Account(balances={"XBT": "0.01", "USD.F": 5, "SOL.S": 3})
    told: Any = account.telling.trade_balance({})
    assert told["eb"] == "1905.0000"


def test_fees_fall_with_what_is_traded() -> None:
    account = Account(cash_usd=Decimal(50_000))

    def fee() -> tuple[str, str, str, str]:
        told: Any = account.telling.trade_volume({"pair": "XXBTZUSD"})
        taker, maker = told["fees"]["XXBTZUSD"], told["fees_maker"]["XXBTZUSD"]
        return taker["fee"], maker["fee"], taker["nextvolume"], told["volume"]

    assert fee() == ("0.4000", "0.2500", "10000.0000", "0.0000")
    account.add("buy", "market", "0.1")
    assert account.cash == 50_000 - Decimal("9000.01") * Decimal("1.004")
    account.add("buy", "market", "0.1")
    assert fee() == ("0.3500", "0.2000", "50000.0000", "18000.0200")
    before = account.cash
    account.add("buy", "market", "0.1")
    assert before - account.cash == Decimal("9000.01") + Decimal("31.50004")


def test_an_account_with_fees_of_its_own() -> None:
    account = Account(fees=(FeeTier(Decimal(0), Decimal("0.40"), Decimal("0.80")),), volume_usd=Decimal(20_000))
    told: Any = account.telling.trade_volume({"pair": "XXBTZUSD,ETHUSD"})
    assert told["fees"]["XETHZUSD"]["fee"] == "0.8000"
    assert told["fees_maker"]["XXBTZUSD"] == {
        "fee": "0.4000", "minfee": "0.4000", "maxfee": "0.4000", "nextfee": None, "nextvolume": None,
        "tiervolume": "0.0000",
    }  # fmt: skip
    assert account.told(account.add())["fee"] == "0.72000"
