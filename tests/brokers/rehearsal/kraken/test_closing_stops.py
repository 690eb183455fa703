"""Each fill makes an order of its own that closes it, known by ``refid``."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.rehearsal.kraken.account import UUID, Account

STOP = {"ordertype": "stop-loss", "price": "85000"}


def filled_in_parts(volume: str = "0.01", **settings: Any) -> tuple[Account, str]:
    """An entry that filled in several parts, seconds apart."""
    faults = FaultPlan(seed=2, partial_fill_frac=1.0, partial_pause=timedelta(seconds=10))
    account = Account(faults, **settings)
    entry = account.add("buy", "limit", volume, price="89000", close=STOP, cl_ord_id=UUID)
    account.price("88990")
    assert account.told(entry)["status"] == "open"
    for _ in range(3):
        account.wait(10)
    faults.partial_fill_frac = 0.0
    account.wait(10)
    assert account.status(entry) == "closed"
    return account, entry


def test_each_part_is_protected_from_the_moment_it_fills() -> None:
    faults = FaultPlan(seed=2, partial_fill_frac=1.0, partial_pause=timedelta(hours=1))
    account = Account(faults)
    entry = account.add("buy", "limit", "0.01", price="89000", close=STOP)
    assert account.closes_of(entry) == {}
    account.price("88990")
    told, (stop,) = account.told(entry), account.closes_of(entry).values()
    assert told["status"] == "open"
    assert Decimal(0) < Decimal(told["vol_exec"]) < Decimal("0.01")
    assert (stop["vol"], stop["refid"], stop["cl_ord_id"]) == (told["vol_exec"], entry, None)
    assert stop["descr"]["order"] == f"sell {told['vol_exec']} XBTUSD @ stop loss 85000.0"
    assert account.balance("XXBT")[1] == f"{Decimal(stop['vol']):.10f}"


def test_every_part_has_a_stop_of_its_size_and_all_of_them_sell() -> None:
    account, entry = filled_in_parts(small_closes=True)
    fills = [account.exchange.trades[name] for name in account.told(entry)["trades"]]
    stops = account.closes_of(entry)
    assert len(fills) > 2
    assert [Decimal(stop["vol"]) for stop in stops.values()] == [fill.qty for fill in fills]
    account.price("84999")
    assert set(account.status(*stops).split()) == {"closed"}
    assert {account.told(stop)["misc"] for stop in stops} == {"stopped"}
    assert account.coins() == 0
    assert account.open() == {}
    assert not any(order.parent in stops for order in account.exchange.orders.values())


def test_the_move_that_fills_an_entry_can_also_stop_it_out() -> None:
    account = Account()
    entry = account.add("buy", "limit", "0.001", price="89000", close=STOP)
    account.walk("84000")
    (stop,) = account.closes_of(entry).values()
    assert (stop["status"], stop["price"]) == ("closed", "84999.9")


@pytest.mark.parametrize("small_closes", [False, True])
def test_a_fill_below_the_minimum_is_protected_or_not(small_closes: bool) -> None:
    faults = FaultPlan(seed=4, partial_fill_frac=1.0, partial_pause=timedelta(seconds=1))
    account = Account(faults, small_closes=small_closes)
    entry = account.add("buy", "limit", "0.0002", price="89000", close=STOP)
    for _ in range(40):
        account.price("88990")
    fills = [account.exchange.trades[name].qty for name in account.told(entry)["trades"]]
    small = [qty for qty in fills if qty < Decimal("0.00005")]
    assert small
    stops = account.closes_of(entry)
    assert len(stops) == (len(fills) if small_closes else len(fills) - len(small))


def test_a_cancelled_entry_leaves_the_stops_of_what_it_filled() -> None:
    faults = FaultPlan(seed=2, partial_fill_frac=1.0, partial_pause=timedelta(hours=1))
    account = Account(faults)
    entry = account.add("buy", "limit", "0.01", price="89000", close=STOP)
    account.price("88990")
    account.cancel(entry)
    assert account.told(entry)["status"] == "canceled"
    assert account.told(entry)["reason"] == "User requested"
    (stop,) = account.closes_of(entry)
    assert account.status(stop) == "open"


@pytest.mark.parametrize(
    ("close", "descr", "worked"),
    [
        ({"ordertype": "limit", "price": "95000"}, "close position @ limit 95000.0", "95100"),
        ({"ordertype": "take-profit", "price": "95000"}, "close position @ take profit 95000.0", "95000"),
        (
            {"ordertype": "stop-loss-limit", "price": "85000", "price2": "84900"},
            "close position @ stop loss 85000.0 -> limit 84900.0",
            "84950",
        ),
        (
            {"ordertype": "take-profit-limit", "price": "95000", "price2": "94900"},
            "close position @ take profit 95000.0 -> limit 94900.0",
            "95000",
        ),
    ],
)
def test_other_kinds_of_closes(close: dict[str, str], descr: str, worked: str) -> None:
    account = Account()
    answer = account.answer("buy", "market", "0.001", close=close)
    assert answer["descr"]["close"] == descr
    (name,) = account.closes_of(answer["txid"][0])
    assert account.status(name) == "open"
    account.price(worked)
    assert account.status(name) == "closed"
    assert account.coins() == 0


def test_a_fee_in_coins_leaves_too_little_for_the_stop() -> None:
    account = Account()
    entry = account.add("buy", "market", "0.001", oflags="fcib", close=STOP)
    assert account.status(entry) == "closed"
    assert account.coins() == Decimal("0.001") * (1 - Decimal("0.004"))
    assert account.closes_of(entry) == {}
    in_money = Account()
    entry = in_money.add("buy", "market", "0.001", oflags="fciq", close=STOP)
    assert len(in_money.closes_of(entry)) == 1
    assert in_money.coins() == Decimal("0.001")
