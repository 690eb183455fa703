"""What the rehearsed Kraken lists: assets, pairs, fees and limits, as its file says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import yaml

from brokers.rehearsal.core.model import Asset

FILE = Path(__file__).with_name("listings.yaml")
LOT_DECIMALS = 8
FLEXIBLE = ".F"
"""What the name of an asset ends with that earns and can be spent all the same."""


@dataclass(frozen=True, slots=True)
class Coin:
    """An asset: Kraken's name and its altname, the code that everybody else uses, the decimals of its balances."""

    key: str
    altname: str
    code: str
    decimals: int
    display_decimals: int
    collateral_value: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A market: its names at Kraken, its symbol inside (``BTC/USD``), decimals and minimums."""

    key: str
    altname: str
    wsname: str
    symbol: str
    base: Coin
    quote: Coin
    cost_decimals: int
    pair_decimals: int
    ordermin: Decimal
    costmin: Decimal
    tick: Decimal

    def asset(self, spread_ticks: int) -> Asset:
        """What the venue's core trades; bid and ask lie ``spread_ticks`` from the last price."""
        return Asset(
            self.key,
            self.symbol,
            self.base.code,
            "KRAKEN",
            lot=Decimal(1).scaleb(-LOT_DECIMALS),
            tick=self.tick,
            half_spread=self.tick * spread_ticks,
            money_step=Decimal(1).scaleb(-self.cost_decimals),
        )


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Maker and taker fee in per cent from a volume of 30 days on, USD."""

    volume: Decimal
    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an account may ask: see ``listings.yaml``."""

    rest: float
    rest_decay: float
    engine: float
    engine_decay: float
    open_orders: int


@dataclass(frozen=True, slots=True)
class Listings:
    """Assets and pairs by Kraken's name, the fees of everybody, the limits by name of the verification."""

    coins: Mapping[str, Coin]
    pairs: Mapping[str, Pair]
    fees: tuple[FeeTier, ...]
    limits: Mapping[str, Limits]

    def pair(self, name: str) -> Pair | None:
        """The pair of any of its names."""
        return next((p for p in self.pairs.values() if name in (p.key, p.altname, p.wsname, p.symbol)), None)

    def coin(self, name: str) -> Coin | None:
        """The asset of any of its names."""
        return next((c for c in self.coins.values() if name in (c.key, c.altname, c.code)), None)

    def spent_from(self, flexible: Coin) -> Coin | None:
        """The asset that a flexible balance is spent as; None if it is not flexible."""
        name = flexible.key.removesuffix(FLEXIBLE)
        return self.coin(name) if name != flexible.key else None

    def only(self, symbols: Iterable[str]) -> Listings:
        """The same with these pairs alone."""
        wanted = set(symbols)
        kept = {key: pair for key, pair in self.pairs.items() if pair.symbol in wanted}
        return Listings(self.coins, kept, self.fees, self.limits)


@cache
def listings() -> Listings:
    """All that the file lists."""
    told = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    coins = {key: Coin(key, **fields) for key, fields in told["assets"].items()}
    pairs = {}
    for key, given in told["pairs"].items():
        base, quote = coins[given["base"]], coins[given["quote"]]
        pairs[key] = Pair(
            key,
            given["altname"],
            given["wsname"],
            f"{base.code}/{quote.code}",
            base,
            quote,
            given["cost_decimals"],
            given["pair_decimals"],
            Decimal(given["ordermin"]),
            Decimal(given["costmin"]),
            Decimal(given["tick_size"]),
        )
    fees = tuple(FeeTier(*(Decimal(str(number)) for number in row)) for row in told["fees"])
    return Listings(coins, pairs, fees, {name: Limits(**fields) for name, fields in told["limits"].items()})
