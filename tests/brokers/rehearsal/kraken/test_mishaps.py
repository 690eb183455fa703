"""Lost, late and false answers, slow cancels, races: the client is told one thing and another is true."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.serving.network_faults import Mishap
from tests.brokers.rehearsal.kraken.account import UUID, Account
from tests.brokers.rehearsal.kraken.market import later, set_price, trading
from tests.brokers.rehearsal.market import wait_for

BUY = ("BTC/USD", "limit", "buy", 0.001, 80_000)


def known(client: Any) -> list[str]:
    """Orders of the client's id that the venue has, open or ended."""
    by_id = {"clientOrderId": UUID}
    found = [*client.fetch_open_orders(params=by_id), *client.fetch_closed_orders(params=by_id)]
    return [order["status"] for order in found]


@pytest.mark.parametrize(
    ("mishap", "taken"),
    [
        (Mishap.DROP_BEFORE, False), (Mishap.DROP_AFTER, True), (Mishap.TIMEOUT_AFTER, True),
        (Mishap.SERVER_ERROR, False), (Mishap.HANG_AFTER, True), (Mishap.HANG_BEFORE, False),
    ],
)  # fmt: skip
def test_an_order_whose_answer_is_lost_is_found_by_its_id(mishap: Mishap, taken: bool) -> None:
    with trading() as (server, client):
        client.load_markets()
        client.timeout = 700
        server.faults.strike(mishap, path="AddOrder")
        with pytest.raises(ccxt.NetworkError):
            client.create_order(*BUY, {"clientOrderId": UUID})
        client.timeout = 5_000
        assert known(client) == (["open"] if taken else [])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("EService:Busy", ccxt.ExchangeNotAvailable), ("EGeneral:Internal error", ccxt.ExchangeNotAvailable),
        ("EService:Timeout", ccxt.ExchangeError), ("EGeneral:Temporary lockout", ccxt.DDoSProtection),
        ("EGeneral:Permission denied", ccxt.PermissionDenied), ("ETrade:User Locked", ccxt.AccountSuspended),
    ],
)  # fmt: skip
@pytest.mark.parametrize("taken", [False, True])
def test_every_error_can_be_said_of_an_order_that_was_taken_or_not(
    text: str, error: type[Exception], taken: bool
) -> None:
    with trading() as (server, client):
        client.load_markets()
        server.faults.strike(Mishap.TIMEOUT_AFTER if taken else Mishap.SERVER_ERROR, path="AddOrder", text=text)
        with pytest.raises(error, match=text):
            client.create_order(*BUY, {"clientOrderId": UUID})
        assert known(client) == (["open"] if taken else [])


def test_an_order_can_be_taken_long_after_its_client_gave_up() -> None:
    with trading() as (server, client):
        client.load_markets()
        server.faults.strike(Mishap.PROCESSED_LATE, path="AddOrder", seconds=20)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            client.create_order(*BUY, {"clientOrderId": UUID})
        assert known(client) == []
        later(server, seconds=21)
        assert known(client) == ["open"]


def test_but_not_after_its_deadline() -> None:
    with trading() as (server, client):
        client.load_markets()
        server.faults.strike(Mishap.PROCESSED_LATE, path="AddOrder", seconds=20)
        deadline = (server.now + timedelta(seconds=5)).isoformat().replace("+00:00", "Z")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            client.create_order(*BUY, {"clientOrderId": UUID, "deadline": deadline})
        later(server, seconds=21)
        assert known(client) == []


def test_a_slow_answer_comes_all_the_same() -> None:
    with trading() as (server, client):
        client.load_markets()
        server.faults.strike(Mishap.HANG_AFTER, path="AddOrder", seconds=0.3)
        began = time.monotonic()
        client.create_order(*BUY)
        assert time.monotonic() - began >= 0.3


def test_what_is_kept_back_is_overtaken_and_its_nonce_is_old() -> None:
    with trading() as (server, client):
        client.load_markets()
        client.timeout = 300
        server.faults.strike(Mishap.HANG_BEFORE, path="AddOrder", seconds=2.0)
        with pytest.raises(ccxt.RequestTimeout):
            client.create_order(*BUY, {"clientOrderId": UUID})
        client.timeout = 5_000
        client.fetch_balance()
        wait_for(lambda: server.log[-1].path == "/0/private/AddOrder")
        assert known(client) == []
        assert [entry.path for entry in server.log if getattr(entry.payload, "refusal", None)] == [
            "/0/private/AddOrder"
        ]


def test_a_cancel_takes_its_time_and_a_fill_can_win() -> None:
    faults = FaultPlan(cancel_delay_frac=1.0, cancel_delay_s=(2.0, 2.0))
    account = Account(faults)
    order = account.add("buy", "limit", "0.001", price="89000")
    assert account.cancel(order) == {"count": 1, "pending": True}
    assert account.status(order) == "open"
    account.price("88000")
    told = account.told(order)
    assert (told["status"], told["reason"]) == ("closed", None)
    account.wait(5)
    assert account.status(order) == "closed"


def test_an_accepted_cancel_can_find_the_order_filled() -> None:
    account = Account(FaultPlan(cancel_race_frac=1.0), balances={"XBT": "0.001"})
    stop = account.add("sell", "stop-loss", "0.001", price="85000")
    assert account.cancel(stop) == {"count": 1}
    assert account.status(stop) == "closed"
    assert account.told(stop)["misc"] == "stopped"
    assert account.coins() == 0


def test_a_part_fills_and_the_rest_waits() -> None:
    faults = FaultPlan(seed=5, partial_fill_frac=1.0, partial_pause=timedelta(seconds=30))
    with trading(venue_faults=faults) as (server, client):
        order = client.create_order("BTC/USD", "limit", "buy", 0.01, 89_000)["id"]
        set_price(server, "88000")
        first = client.fetch_order(order)
        assert first["status"] == "open"
        assert 0 < first["filled"] < 0.01
        later(server, seconds=29)
        assert client.fetch_order(order)["filled"] == first["filled"]
        faults.partial_fill_frac = 0.0
        set_price(server, "88000")
        later(server, seconds=2)
        assert client.fetch_order(order)["status"] == "closed"
        trades = client.fetch_my_trades("BTC/USD")
        assert len(trades) == 2
        assert sum(Decimal(str(trade["amount"])) for trade in trades) == Decimal("0.01")
