"""A small account on real hourly bars, over the wire: the balance is the opening one less what the trades say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pandas as pd
import pytest

from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.rehearsal.kraken.market import Wire, served
from tests.conftest import SHARED_DATA

FILE = SHARED_DATA / "kraken_1h.parquet"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared/data")]
START, DAYS = datetime(2022, 6, 11, tzinfo=UTC), 4
"""Days in which BTC lost a third."""
CENT = Decimal("0.01")


class Trader:
    """Buys for $20 below the market, each fill behind a stop, and takes profit by itself."""

    def __init__(self, wire: Wire, seed: int) -> None:
        self.wire, self.random, self.seen = wire, Random(seed), Counter[str]()
        self.targets: dict[str, Decimal] = {}

    def ask(self, method: str, **parameters: Any) -> Any:
        answer = self.wire.private(method, **parameters)
        for text in answer["error"]:
            self.seen[text] += 1
        return answer.get("result")

    def step(self) -> None:
        last = Decimal(self.wire.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]["c"][0])
        orders: dict[str, Any] = self.ask("OpenOrders")["open"]
        stops = {name: body for name, body in orders.items() if body["refid"]}
        self.seen["stops seen"] += len(stops)
        for name, stop in stops.items():
            if last >= self.targets.setdefault(name, Decimal(stop["descr"]["price"]) * Decimal("1.02")):
                self.take_profit(name, stop, last)
        if not orders and self.random.random() < 0.7:
            self.enter(last)
        elif not stops and self.random.random() < 0.3:
            self.ask("CancelAll")

    def take_profit(self, name: str, stop: dict[str, Any], last: Decimal) -> None:
        self.seen["targets"] += 1
        self.ask("CancelOrder", txid=name)
        later = self.wire._server.now + timedelta(seconds=1)
        self.wire._server.advance_to(later)
        price = (last * Decimal("0.999")).quantize(Decimal("0.1"))
        self.ask("AddOrder", pair="XBTUSD", type="sell", ordertype="limit", volume=stop["vol"], price=price)

    def enter(self, last: Decimal) -> None:
        price = (last * Decimal("0.998")).quantize(Decimal("0.1"))
        stop = {"close[ordertype]": "stop-loss", "close[price]": (price * Decimal("0.99")).quantize(Decimal("0.1"))}
        volume = (20 / price).quantize(Decimal("1e-8"))
        entry = self.ask("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume=volume, price=price, **stop)
        self.seen["entries"] += entry is not None


def all_trades(wire: Wire) -> list[dict[str, Any]]:
    trades: list[dict[str, Any]] = []
    while page := wire.private("TradesHistory", ofs=len(trades))["result"]["trades"]:
        trades += page.values()
    return trades


def test_days_of_real_bars() -> None:
    bars = pd.read_parquet(FILE)
    window = (bars["datetime"] >= START - timedelta(days=31)) & (bars["datetime"] < START + timedelta(days=DAYS))
    faults = FaultPlan(seed=3, partial_fill_frac=0.3, partial_pause=timedelta(minutes=5))
    with served(data=bars[window], start=START, venue_faults=faults, account={"cash_usd": 50}) as server:
        wire = Wire(server)
        trader = Trader(wire, seed=1)
        for step in range(1, DAYS * 24 * 2):
            server.advance_to(START + timedelta(minutes=30 * step))
            trader.step()
        trader.ask("CancelAll")
        server.advance_to(server.now + timedelta(seconds=1))
        trades = all_trades(wire)
        balance = wire.private("BalanceEx")["result"]
    assert trader.seen["entries"] > 12
    assert trader.seen["targets"] > 1
    assert sum(trade["ordertype"] == "stop-loss" for trade in trades) > 2
    assert sum(trade["maker"] for trade in trades) > 8
    cash, coins = Decimal(50), Decimal(0)
    for trade in trades:
        sign = 1 if trade["type"] == "buy" else -1
        cash -= sign * Decimal(trade["cost"]) + Decimal(trade["fee"])
        coins += sign * Decimal(trade["vol"])
    assert abs(Decimal(balance["ZUSD"]["balance"]) - cash) < CENT / 100
    assert abs(Decimal(balance["XXBT"]["balance"]) - coins) <= Decimal("1e-8")
    assert Decimal(balance["ZUSD"]["hold_trade"]) == 0
    assert balance["ZUSD"]["balance"] != "50.0000"
