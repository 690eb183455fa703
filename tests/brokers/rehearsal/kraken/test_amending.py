"""AmendOrder changes an order in its place, EditOrder puts another one there."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.account import UUID, Account


def held(**settings: object) -> tuple[Account, str]:
    """A coin behind a stop."""
    account = Account(balances={"XBT": "0.002"}, **settings)
    return account, account.add("sell", "stop-loss", "0.001", price="85000", cl_ord_id=UUID)


def test_a_stop_moves_and_keeps_its_ids() -> None:
    account, stop = held()
    answer = account.amend(stop, trigger_price="88000.5")
    assert str(answer["amend_id"]).startswith("T")
    told = account.told(stop)
    assert (told["descr"]["price"], told["cl_ord_id"], told["status"]) == ("88000.5", UUID, "open")
    account.price("88000.5")
    assert account.status(stop) == "closed"


def test_a_trigger_by_another_name_moves_nothing() -> None:
    account, stop = held()
    account.amend(stop, order_qty="0.001", triggerPrice="88000")
    assert account.told(stop)["descr"]["price"] == "85000.0"


def test_it_can_be_named_by_the_clients_id() -> None:
    account, stop = held()
    account.trading.amend_order({"cl_ord_id": UUID, "trigger_price": "86000"})
    assert account.told(stop)["descr"]["price"] == "86000.0"


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({"limit_price": "86000"}, "EGeneral:Invalid arguments:limit_price"),
        ({"trigger_price": "86000.05"}, "EOrder:Invalid price"),
        ({"order_qty": "0.003"}, "EOrder:Insufficient funds"),
        ({"order_qty": "0.00001"}, "EOrder:Order minimum not met"),
        ({"order_qty": "-1"}, "EGeneral:Invalid arguments:order_qty"),
    ],
)
def test_terms_that_it_cannot_have(terms: dict[str, str], text: str) -> None:
    account, stop = held()
    before = account.told(stop)
    with pytest.raises(KrakenError, match=text):
        account.amend(stop, **terms)
    assert account.told(stop) == before


def test_a_limit_that_must_not_execute_is_refused_where_it_would() -> None:
    account = Account()
    txid = account.add("buy", "limit", "0.001", price="80000", oflags="post")
    with pytest.raises(KrakenError, match="Post only order"):
        account.amend(txid, limit_price="91000")
    assert account.status(txid) == "open"
    free = account.add("buy", "limit", "0.001", price="80000")
    account.amend(free, limit_price="91000")
    assert account.status(free) == "closed"
    assert not next(iter(account.exchange.trades.values())).maker


def test_less_than_what_has_filled_ends_it() -> None:
    account = Account(FaultPlan(seed=2, partial_fill_frac=1.0))
    txid = account.add("buy", "limit", "0.01", price="89000")
    account.price("88990")
    filled = Decimal(account.told(txid)["vol_exec"])
    assert 0 < filled < Decimal("0.01")
    account.amend(txid, order_qty=f"{filled:f}")
    assert account.status(txid) == "canceled"


def test_an_amend_can_be_answered_and_not_done() -> None:
    account = Account(FaultPlan(replace_refused_frac=1.0), balances={"XBT": "0.002"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    assert "amend_id" in account.amend(stop, trigger_price="88000")
    assert account.told(stop)["descr"]["price"] == "85000.0"


def test_what_is_gone_cannot_be_amended() -> None:
    account, stop = held()
    account.cancel(stop)
    with pytest.raises(KrakenError, match="Unknown order"):
        account.amend(stop, trigger_price="86000")


def test_an_edit_makes_another_order() -> None:
    account, stop = held()
    answer = account.trading.edit_order({"txid": stop, "pair": "XBTUSD", "volume": "0.002", "price": "86000"})
    other = str(answer["txid"])
    assert (answer["status"], answer["originaltxid"], answer["orders_cancelled"]) == ("ok", stop, 1)
    assert account.status(stop, other) == "canceled open"
    assert account.told(other)["descr"]["order"] == "sell 0.00200000 XBTUSD @ stop loss 86000.0"
    assert account.told(stop)["reason"] == "Order replaced"
    with pytest.raises(KrakenError, match="Insufficient funds"):
        account.trading.edit_order({"txid": other, "volume": "0.003"})
    assert account.status(other) == "open"


def test_an_edited_order_can_execute_at_once() -> None:
    account = Account(balances={"XBT": "0.001"})
    target = account.add("sell", "limit", "0.001", price="95000")
    answer = account.trading.edit_order({"txid": target, "price": "89000"})
    assert account.status(str(answer["txid"])) == "closed"
    assert account.coins() == 0


def test_the_distance_of_a_trailing_stop_can_be_amended() -> None:
    account = Account(balances={"XBT": "0.001"})
    stop = account.add("sell", "trailing-stop", "0.001", price="+1%")
    account.amend(stop, trigger_price="+2%")
    told = account.told(stop)
    assert (told["descr"]["price"], told["stopprice"]) == ("+2.0000%", "88200.0")
    account.price("100000")
    assert account.told(stop)["stopprice"] == "98000.0"


def test_what_makes_or_was_made_by_another_order_cannot_be_edited() -> None:
    account = Account()
    entry = account.add("buy", "market", "0.001", close={"ordertype": "stop-loss", "price": "85000"})
    (stop,) = account.closes_of(entry)
    with pytest.raises(KrakenError, match="Unknown order"):
        account.trading.edit_order({"txid": stop, "price": "86000"})
