"""Whatever is sent, the answer is Kraken's: a result or a refusal, and the account adds up afterwards."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.account import UUID, Account
from tests.brokers.rehearsal.kraken.market import Wire, served

VALUES: list[Any] = [
    "", "0", "-1", "+1", "1", "0.001", "90000", "+1%", "-1%", "1e400", "1e-400", "nan", "inf", "-inf", "²", "९", "1_0",
    "true", "None", "buy", "sell", "market", "limit", "stop-loss", "stop-loss-limit", "trailing-stop", "take-profit",
    "XXBTZUSD", "XBTUSD", "post", "viqc", "fcib", "GTD", "IOC", UUID, "x" * 900, "9" * 900, "2026-11-28T19:00:10Z",
    "2026-11-28T19:00:10", "OAAAAA-BBBBB-CCCCCC", None, True, 1, 1.5, [], ["a"], [{}], {"a": 1},
]  # fmt: skip
NAMES = [
    "pair", "type", "ordertype", "volume", "price", "price2", "oflags", "timeinforce", "starttm", "expiretm",
    "deadline", "trigger", "userref", "cl_ord_id", "leverage", "reduce_only", "validate", "close[ordertype]",
    "close[price]", "close[price2]", "txid", "order_qty", "limit_price", "trigger_price", "post_only", "orders",
    "cl_ord_ids", "timeout", "start", "end", "ofs", "trades", "closetime", "asset", "since", "interval", "count",
]  # fmt: skip
GOOD: dict[str, Any] = {"pair": "XXBTZUSD", "type": "buy", "ordertype": "limit", "volume": "0.001", "price": "80000"}


@pytest.mark.parametrize("seed", range(3))
def test_private_methods_take_anything(seed: int) -> None:
    random, account = Random(seed), Account(balances={"XBT": 1})
    methods = {**account.trading.methods(), **account.telling.methods()}
    seen: Counter[str] = Counter()
    for _ in range(3_000):
        method = random.choice(list(methods))
        given = {name: random.choice(VALUES) for name in random.sample(NAMES, random.randint(0, 4))}
        if random.random() < 0.6:
            given = {**GOOD, **given}
        if random.random() < 0.3 and account.exchange.orders:
            given["txid"] = random.choice(list(account.exchange.orders))
        try:
            methods[method](given)
            seen["done"] += 1
        except KrakenError as error:
            assert str(error).startswith("E")
            seen["refused"] += 1
        account.wait(random.choice([0, 1, 60]))
    assert seen["done"] > 500
    assert seen["refused"] > 500
    assert account.cash >= 0


def test_public_methods_and_bodies_take_anything() -> None:
    random = Random(1)
    with served() as server:
        wire = Wire(server)
        for method in ("Time", "SystemStatus", "Assets", "AssetPairs", "Ticker", "OHLC", "Depth", "Trades"):
            for _ in range(25):
                given = {name: random.choice(VALUES) for name in ("pair", "asset", "since", "interval", "count")}
                if random.random() < 0.8:
                    given["pair"] = "XBTUSD"
                answer = wire.public(method, **given)
                assert answer["error"] == [] or answer["error"][0].startswith("E"), (method, given, answer)
        for body in (
            "",
            "[]",
            "{",
            "null",
            '{"nonce": 1}',
            '{"nonce": {}}',
            "\udcff",
            "nonce=1&nonce=2",
            "&&&=",
            "[" * 50_000,
        ):
            for json in (True, False):
                raw = body.encode("utf-8", "surrogateescape")
                answer = wire.send("AddOrder", raw.decode("latin-1"), "1", json)
                assert answer["error"][0].startswith("E")
        assert wire.private("Balance")["error"] == []
