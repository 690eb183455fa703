"""What Kraken trades: pairs with their steps, minimums and fees, and the names of assets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from brokers.network.figures import amount

NAMES = {"XBT": "BTC", "XDG": "DOGE"}
"""Kraken's own names of what everybody else calls otherwise."""
SPENDABLE = ".F"
"""Balances that earn and can be spent through the asset itself."""
NO_COINS = frozenset({"FEE", "KFEE"})
FINEST = 8
"""Decimals of a volume, the most that Kraken has."""
HUNDRED = Decimal(100)
ONLINE, UNLISTED = "online", "no longer listed"
USD = "USD"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair as AssetPairs has it.

    ``key`` is the name that answers are keyed by, ``altname`` the one that orders carry, ``symbol`` the one used here.
    ``tick`` and ``lot`` are the steps of price and volume, ``ordermin`` the least volume and ``costmin`` the least
    price times volume, USD. ``maker`` and ``taker`` are fees of the first tier, fractions of 1. Of one that Kraken does
    not list any more the terms are those of before.
    """

    key: str
    altname: str
    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    ordermin: Decimal
    costmin: Decimal
    maker: Decimal
    taker: Decimal
    status: str

    @property
    def online(self) -> bool:
        return self.status == ONLINE

    @property
    def listed(self) -> bool:
        return self.status != UNLISTED

    def least(self, price: Decimal) -> Decimal:
        """The smallest volume of an order at a price: by volume and by cost, in whole steps."""
        if price <= 0 or not self.costmin:
            return self.ordermin
        steps = (self.costmin / price / self.lot).to_integral_value(rounding="ROUND_CEILING")
        return max(self.ordermin, steps * self.lot)


class Pairs:
    """Every pair, found by any of its names; ``all`` are those that are listed.

    Parameters
    ----------
    pairs : iterable of Pair
    assets : mapping of str to str
        Plain names of assets by Kraken's.
    gone : iterable of Pair, optional
        Pairs that are not listed any more: orders and coins of theirs may be there.
    """

    def __init__(self, pairs: Iterable[Pair], assets: Mapping[str, str], gone: Iterable[Pair] = ()) -> None:
        self.all = tuple(pairs)
        self.assets = assets
        listed = {pair.symbol for pair in self.all}
        self.gone = tuple(replace(pair, status=UNLISTED) for pair in gone if pair.symbol not in listed)
        every = (*self.gone, *self.all)
        self._by_symbol = {pair.symbol: pair for pair in every}
        names = ((name, pair) for pair in every for name in (pair.key, pair.altname))
        self._by_name: dict[str, Pair] = dict(names)

    def of(self, symbol: str) -> Pair | None:
        """The pair that is called so here."""
        return self._by_symbol.get(symbol)

    def named(self, name: str) -> Pair | None:
        """The pair that Kraken calls so, by key or altname."""
        return self._by_name.get(name)

    def guessed(self, symbol: str) -> Pair | None:
        """A pair against USD that was listed before anybody here looked; None if Kraken knows no such coin.

        Its steps and minimums are not known: the finest stand for them, so that nothing that rests looks too small.
        """
        base, _, quote = symbol.partition("/")
        asset = next((name for name, plain in self.assets.items() if NAMES.get(plain, plain) == base), None)
        if quote != USD or asset is None:
            return None
        lot, none = Decimal(1).scaleb(-FINEST), Decimal(0)
        plain = self.assets[asset]
        return Pair(asset + USD, plain + USD, symbol, base, USD, lot, lot, lot, none, none, none, UNLISTED)

    def symbol_of(self, name: str) -> str:
        """What a pair against USD would be called here, by Kraken's name of it; empty where it is none."""
        known = self.assets.keys() | self.assets.values()
        bases = (name.removesuffix(quote) for quote in (f"Z{USD}", USD) if name.endswith(quote))
        return next((f"{self.coin(base)}/{USD}" for base in bases if base in known), "")

    def coin(self, asset: str) -> str:
        """An asset's name here: XXBT and XBT.F are BTC and BTC.F."""
        plain = self.assets.get(asset, asset)
        root, dot, kind = plain.partition(".")
        return f"{NAMES.get(root, root)}{dot}{kind}"


def pairs_of(answer: Mapping[str, Any], assets: Mapping[str, Any]) -> Pairs:
    """Pairs and assets as listed; a pair that cannot be read is left out and told."""
    named = {name: row.get("altname") for name, row in assets.items() if isinstance(row, Mapping)}
    names = {str(name): str(named.get(name) or name) for name in assets}
    blank = Pairs((), names)
    found = []
    for key, row in answer.items():
        try:
            found.append(_pair(str(key), row, blank))
        except (LookupError, ValueError, ArithmeticError, TypeError, AttributeError) as error:
            log.warning("the pair %s cannot be read and is left out: %r", key, error)
    return Pairs(found, names)


def _pair(key: str, row: Mapping[str, Any], names: Pairs) -> Pair:
    base, quote = names.coin(str(row["base"])), names.coin(str(row["quote"]))
    tick = amount(row, "tick_size") or Decimal(1).scaleb(-int(row["pair_decimals"]))
    lot = Decimal(1).scaleb(-int(row["lot_decimals"]))
    ordermin = amount(row, "ordermin")
    if ordermin <= 0 or tick <= 0:
        raise ValueError(f"ordermin {ordermin}, tick {tick}")
    return Pair(
        key=key,
        altname=str(row["altname"]),
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        tick=tick,
        lot=lot,
        ordermin=ordermin,
        costmin=amount(row, "costmin"),
        maker=_first(row.get("fees_maker") or row["fees"]),
        taker=_first(row["fees"]),
        status=str(row.get("status") or ONLINE),
    )


def _first(fees: Any) -> Decimal:
    """The fee of the first tier, a fraction of 1."""
    return Decimal(str(fees[0][1])) / HUNDRED
