"""Random streams of requests, prices and mishaps: whatever is sent, money, coins and fees add up to the trades."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.model import TERMINAL
from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.account import Account

STEPS = 400
PAIRS = {"XXBTZUSD": ("BTC/USD", "XXBT", 1), "XETHZUSD": ("ETH/USD", "XETH", 2), "XDGUSD": ("DOGE/USD", "XXDG", 7)}
START = {"XXBTZUSD": 90_000.0, "XETHZUSD": 3_000.0, "XDGUSD": 0.2}
CASH = Decimal("500.4321")
CLOSE = {"XXBT": Decimal("0.002"), "XETH": Decimal("0.05"), "XXDG": Decimal("500.5")}
EXACT = Decimal("1e-8")


class Stream:
    """One random client and a random market."""

    def __init__(self, seed: int, **settings: Any) -> None:
        faults = FaultPlan(
            seed, partial_fill_frac=0.4, cancel_race_frac=0.2, cancel_delay_frac=0.3, cancel_delay_s=(0.5, 120),
            late_release_frac=0.2, replace_refused_frac=0.1, partial_pause=timedelta(seconds=20),
        )  # fmt: skip
        self.random = Random(seed)
        self.prices = dict(START)
        self.said: Counter[str] = Counter()
        self.account = Account(faults, cash_usd=CASH, balances=dict(CLOSE) | {"USD.F": "20"}, seed=seed, **settings)
        self.ended: dict[str, Any] = {}

    def near(self, pair: str, percent: float) -> str:
        return f"{self.prices[pair] * (1 + percent / 100):.{PAIRS[pair][2]}f}"

    def some_order(self) -> str:
        known = list(self.account.open() or self.account.exchange.orders)
        return self.random.choice(known) if known else "OAAAAA-BBBBB-CCCCCC"

    def order(self) -> dict[str, Any]:
        random = self.random
        pair, side = random.choice(list(PAIRS)), random.choice(["buy", "buy", "sell"])
        worth = random.choice([0.3, 6, 20, 60, 400])
        given: dict[str, Any] = {"pair": pair, "volume": f"{worth / self.prices[pair]:.8f}", "side": side}
        given["ordertype"] = kind = random.choice(
            [
                "market",
                "limit",
                "limit",
                "stop-loss",
                "take-profit",
                "stop-loss-limit",
                "trailing-stop",
                "take-profit-limit",
            ]
        )
        if kind == "trailing-stop":
            given["price"] = "+1%"
        elif kind != "market":
            given["price"] = self.near(pair, random.uniform(-2, 2))
            given["price2"] = self.near(pair, random.uniform(-2, 2))
        if kind == "limit":
            given["oflags"] = random.choice(["", "post", "fciq"])
            given["timeinforce"] = random.choice(["GTC", "GTC", "IOC"])
        elif side == "buy" and kind == "market":
            given["oflags"] = random.choice(["", "fcib", "fciq"])
        if side == "buy" and random.random() < 0.6:
            given["close"] = {"ordertype": "stop-loss", "price": self.near(pair, random.uniform(-3, -0.5))}
        return given

    def step(self) -> None:
        account, random = self.account, self.random
        pair, name = random.choice(list(PAIRS)), self.some_order()
        own = account.exchange.terms[name].pair.key if name in account.exchange.terms else pair
        action = random.choice(
            [
                lambda: account.answer(**self.order()),
                lambda: account.answer(**self.order()),
                lambda: account.answer(**self.order()),
                lambda: account.cancel(name),
                lambda: account.amend(name, trigger_price=self.near(own, random.uniform(-3, 1))),
                lambda: account.amend(name, limit_price=self.near(own, random.uniform(-2, 2))),
                lambda: account.amend(name, order_qty=f"{random.uniform(0, 30) / self.prices[own]:.8f}"),
                lambda: account.trading.edit_order({"txid": name, "price": self.near(own, -1)}),
                lambda: account.trading.cancel_all({}) if random.random() < 0.1 else None,
            ]
        )
        try:
            action()
        except KrakenError as error:
            self.said[str(error).partition(":")[2].partition(":")[0]] += 1
        self.prices[pair] *= 1 + random.gauss(0, 0.012)
        move = account.price if random.random() < 0.3 else account.walk
        move(self.near(pair, 0), PAIRS[pair][0], seconds=random.choice([0, 1, 30, 300]))


def check(stream: Stream) -> None:
    account = stream.account
    exchange = account.exchange
    told: dict[str, Any] = {}
    for offset in range(0, len(exchange.trades), 50):
        page: Any = account.telling.trades_history({"ofs": str(offset)})
        told |= page["trades"]
    assert told.keys() == exchange.trades.keys()
    cash, coins = CASH + 20, dict(CLOSE)
    by_order: dict[str, list[Any]] = {}
    for name, trade in told.items():
        order = exchange.orders[trade["ordertxid"]]
        sign = 1 if trade["type"] == "buy" else -1
        coin = PAIRS[trade["pair"]][1]
        cash -= sign * Decimal(trade["cost"])
        coins[coin] += sign * Decimal(trade["vol"])
        if order.fee_in_units:
            coins[coin] -= (Decimal(trade["fee"]) / Decimal(trade["price"])).quantize(EXACT)
        else:
            cash -= Decimal(trade["fee"])
        rate = Decimal("0.0025") if trade["maker"] else Decimal("0.004")
        places = exchange.terms[order.id].pair.cost_decimals
        assert abs(Decimal(trade["fee"]) - Decimal(trade["cost"]) * rate) <= Decimal(1).scaleb(-places), name
        by_order.setdefault(order.id, []).append(trade)
    assert abs(account.cash - cash) <= EXACT
    assert account.cash >= 0
    for key, amount in coins.items():
        assert abs(account.coins(key) - amount) <= EXACT
        assert account.coins(key) >= 0
    check_balances(account)
    check_orders(stream, by_order)


def check_balances(account: Account) -> None:
    lines: Any = account.telling.balance_ex({})
    money = Decimal(lines["ZUSD"]["balance"]) + Decimal(lines["USD.F"]["balance"])
    assert abs(money - account.cash) < Decimal("0.0002")
    for line in lines.values():
        assert 0 <= Decimal(line["hold_trade"]) <= Decimal(line["balance"])


def check_orders(stream: Stream, by_order: dict[str, list[Any]]) -> None:
    account = stream.account
    for txid, order in account.exchange.orders.items():
        body, trades = account.told(txid), by_order.get(txid, [])
        for key, part in (("vol_exec", "vol"), ("cost", "cost"), ("fee", "fee")):
            assert abs(Decimal(body[key]) - sum((Decimal(t[part]) for t in trades), Decimal(0))) <= EXACT, (txid, key)
        assert Decimal(body["vol_exec"]) <= Decimal(body["vol"]) or body["status"] == "canceled"
        if body["status"] == "closed":
            assert body["vol_exec"] == body["vol"]
        if order.status in TERMINAL:
            assert stream.ended.setdefault(txid, body) == body
        made = [o for o in account.exchange.orders.values() if o.parent == txid]
        assert sum((account.born[o.id] for o in made), Decimal(0)) <= Decimal(body["vol_exec"])
        assert len(made) <= len(trades)


@pytest.mark.parametrize("stops_hold", [True, False])
@pytest.mark.parametrize("small_closes", [True, False])
def test_random_streams(stops_hold: bool, small_closes: bool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        stream = Stream(seed, stops_hold=stops_hold, small_closes=small_closes)
        for step in range(STEPS):
            stream.step()
            if step % 80 == 79:
                check(stream)
        events = stream.account.events
        seen += Counter(event.kind for event in events) + stream.said
        exchange = stream.account.exchange
        seen["closes"] += sum(order.parent is not None for order in exchange.orders.values())
        seen["triggered"] += sum(order.triggered for order in exchange.orders.values())
        seen["fee in coins"] += sum(order.fee_in_units and order.filled_qty > 0 for order in exchange.orders.values())
        seen["maker"] += sum(trade.maker for trade in exchange.trades.values())
        seen["edited"] += sum(terms.reason == "Order replaced" for terms in exchange.terms.values())
        seen["no funds at the trigger"] += sum(
            terms.reason == "Insufficient funds" for terms in exchange.terms.values()
        )
    expected = {
        "fill": 150, "partial_fill": 50, "canceled": 50, "closes": 30, "triggered": 50, "fee in coins": 5, "maker": 20,
        "edited": 5, "Insufficient funds": 20, "Order minimum not met": 20, "Post only order": 3, "Unknown order": 10,
        "order_cancel_rejected": 5,
    }  # fmt: skip
    if not stops_hold:
        expected["no funds at the trigger"] = 2
    assert {name: seen[name] for name, least in expected.items() if seen[name] < least} == {}, seen
