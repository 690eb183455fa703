"""A small market of coins to serve, and clients to ask it with."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import ccxt
import pandas as pd
import requests

from brokers.rehearsal.kraken.auth import signature
from brokers.rehearsal.kraken.server import KrakenServer
from brokers.rehearsal.kraken.settings import KrakenSettings
from tests.brokers.rehearsal.kraken.account import PRICES, SATURDAY


def bars(symbols: tuple[str, ...] = tuple(PRICES), days: int = 40) -> pd.DataFrame:
    """Hourly bars that end on the day after Saturday; every hour moves half a per cent up and down and ends flat."""
    end = pd.Timestamp(SATURDAY).normalize() + pd.Timedelta(days=2)
    times = pd.date_range(end - pd.Timedelta(days=days), end, freq="h", inclusive="left")
    prices = {symbol: float(PRICES[symbol]) for symbol in symbols}
    return pd.concat(
        pd.DataFrame({"symbol": s, "datetime": times, "open": p, "high": p * 1.005, "low": p * 0.995, "close": p})
        for s, p in prices.items()
    ).assign(volume=8.0)


def served(**options: Any) -> KrakenServer:
    """A server whose clock stands on Saturday, 19:00 UTC; bars that are not given are traded at their four prices."""
    account = {"cash_usd": Decimal(1_000), "tier": "none", **options.pop("account", {})}
    if "data" not in options:
        account.setdefault("price_every", timedelta(0))
    account["balances"] = {name: Decimal(str(amount)) for name, amount in account.get("balances", {}).items()}
    account["cash_usd"] = Decimal(str(account["cash_usd"]))
    data = options.pop("data", None)
    return KrakenServer(
        bars() if data is None else data,
        **{"start": SATURDAY, "clock": "manual", "settings": KrakenSettings(**account), **options},
    )


class Client(ccxt.kraken):
    """ccxt's client, pointed to a server, with a nonce that rises and without its own waiting."""

    def __init__(self, server: KrakenServer, **options: Any) -> None:
        given = {"apiKey": server.key, "secret": server.secret, "enableRateLimit": False, "timeout": 5_000, **options}
        super().__init__(given)
        self.urls["api"] = {"public": server.url, "private": server.url}
        self._count = time.time_ns() // 1_000

    def nonce(self) -> int:
        self._count += 1
        return self._count


@contextmanager
def trading(**options: Any) -> Iterator[tuple[KrakenServer, Client]]:
    """A server and a client of it."""
    with served(**options) as server:
        yield server, Client(server)


class Wire:
    """Bare HTTP with the server's keys, as whoever does not use ccxt."""

    def __init__(self, server: KrakenServer) -> None:
        self._server = server
        self._session = requests.Session()
        self.nonce = time.time_ns()

    def public(self, method: str, **query: Any) -> dict[str, Any]:
        return dict(self._session.get(f"{self._server.url}/0/public/{method}", params=query, timeout=20).json())

    def private(self, method: str, body: str | None = None, json: bool = False, **parameters: Any) -> dict[str, Any]:
        """A signed request; ``body`` is sent as it is, with its own nonce in place of ``<ms>``."""
        self.nonce += 1
        text = (
            body.replace("<ms>", str(self.nonce))
            if body is not None
            else urlencode({"nonce": self.nonce, **parameters})
        )
        return self.send(method, text, str(self.nonce), json)

    def send(self, method: str, text: str, nonce: str, json: bool = False, **headers: str) -> dict[str, Any]:
        path = f"/0/private/{method}"
        signed = signature(base64.b64decode(self._server.secret), path, nonce, text.encode())
        kind = "application/json" if json else "application/x-www-form-urlencoded"
        sent = {"API-Key": self._server.key, "API-Sign": signed, "Content-Type": kind, **headers}
        answer = self._session.post(f"{self._server.url}{path}", data=text.encode(), headers=sent, timeout=20)
        return dict(answer.json())


def set_price(server: KrakenServer, price: str, symbol: str = "BTC/USD") -> None:
    """A jump of the price, now."""
    server.call(lambda exchange: exchange.on_quote(exchange.now, {symbol: Decimal(price)}))


def later(server: KrakenServer, **step: float) -> None:
    """Move the clock on."""
    server.advance_to(server.now + pd.Timedelta(**step).to_pytimedelta())
