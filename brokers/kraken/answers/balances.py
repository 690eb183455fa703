"""Kraken's balances as positions and an account: what earns is folded in, what is dust is kept apart."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any

from brokers.kraken.answers.pairs import NO_COINS, SPENDABLE, USD, Pairs
from brokers.network.figures import NOTHING, amount, required
from brokers.quantities import DUST_USD, MATTERS_USD
from brokers.venue_values import VenuePosition, VenuePositions
from config.values.symbols import is_money

NEGLIGIBLE_FRAC = Decimal("0.01")
"""Of a pair's least volume, which is worth some dollars: so little of a coin changes no sum, whatever its price."""

NONE: Mapping[str, Decimal] = MappingProxyType({})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Balance:
    """What there is of one asset; ``held`` is what orders hold of it."""

    total: Decimal = NOTHING
    held: Decimal = NOTHING

    @property
    def available(self) -> Decimal:
        return max(NOTHING, self.total - self.held)


@dataclass(frozen=True, slots=True)
class Balances:
    """Balances by the asset's name here; ``locked`` are those that cannot be spent, ``complete`` as for positions."""

    spendable: dict[str, Balance]
    locked: dict[str, Decimal] = field(default_factory=dict)
    complete: bool = True

    @property
    def cash(self) -> Decimal:
        return self.spendable.get(USD, Balance()).total

    @property
    def coins(self) -> dict[str, Balance]:
        return {name: there for name, there in self.spendable.items() if name != USD and there.total > 0}


def balances_of(answer: Mapping[str, Any], pairs: Pairs) -> Balances:
    """BalanceEx: ``X.F`` counts as X, other kinds are locked, fee credits are no coins."""
    totals, locked, complete = dict[str, Balance](), dict[str, Decimal](), True
    for asset, row in answer.items():
        name = pairs.coin(str(asset))
        if name in NO_COINS or asset in NO_COINS:
            continue
        try:
            total, held = required(row, "balance"), amount(row, "hold_trade")
            # An account with a credit line can spend more than its balance; what it owes is not its own.
            total -= amount(row, "credit_used")
        except (ValueError, AttributeError) as error:
            leave_out(str(asset), repr(error))
            complete = False
            continue
        root = name.removesuffix(SPENDABLE)
        if "." in root:
            locked[root] = locked.get(root, NOTHING) + total
            continue
        before = totals.get(root, Balance())
        totals[root] = Balance(before.total + total, before.held + held)
    return Balances(totals, locked, complete)


def positions_of(
    balances: Balances,
    pairs: Pairs,
    prices: Mapping[str, Decimal],
    ours: Mapping[str, Decimal] = NONE,
    *,
    dust: bool = False,
) -> VenuePositions:
    """Coins as positions, against USD; other money is none, and told apart.

    What is ``ours`` of other money, by the symbol of its pair, was bought before it counted as money: it is a position
    like any other until it is sold.

    What cannot be sold, by volume or by worth, is dust and no position, unless ``dust`` asks for it. A coin without a
    price is one all the same: what is not known must not be missing. So is what an order holds, which sells it, and
    what is worth too much for dust: Kraken may raise a pair's least volume above what was bought before.
    """
    found: dict[str, VenuePosition] = {}
    money: dict[str, Decimal] = {}
    for coin, balance in balances.coins.items():
        symbol, there = f"{coin}/{USD}", balance
        if is_money(symbol):
            bought = min(balance.total, max(NOTHING, ours.get(symbol, NOTHING)))
            if bought < balance.total:
                money[coin] = balance.total - bought
            if not bought:
                continue
            there = Balance(bought, max(NOTHING, bought - balance.available))
        price, pair = prices.get(symbol, NOTHING), pairs.of(symbol)
        worth = there.total * price
        small = pair is not None and there.total < pair.ordermin and not there.held and worth < MATTERS_USD
        if not dust and (small or (price > 0 and worth < DUST_USD)):
            continue
        found[symbol] = VenuePosition(
            symbol=symbol,
            quantity=there.total,
            available=there.available,
            price=price,
            market_value=worth if price > 0 else None,
            lot=None if pair is None else pair.lot,
        )
    return VenuePositions(found, balances.complete, money)


def equity_of(balances: Balances, pairs: Pairs, prices: Mapping[str, Decimal]) -> Decimal:
    """Cash and what the coins and other money are worth in USD.

    Coins that cannot be traded are not counted: locked ones, and those without a pair against USD. Nor is a trace of a
    coin that has no price.

    Raises
    ------
    ValueError
        A balance cannot be read, or a coin with a pair has no price: the sum without it would look like a loss.
    """
    if not balances.complete:
        raise ValueError("a balance cannot be read")
    total = balances.cash
    for coin, there in balances.coins.items():
        symbol = f"{coin}/{USD}"
        if symbol in prices:
            total += there.total * prices[symbol]
        elif (pair := pairs.of(symbol)) is not None and there.total >= pair.ordermin * NEGLIGIBLE_FRAC:
            raise ValueError(f"{symbol} has no price{'' if pair.listed else ', Kraken no longer lists it'}")
    return total


@cache
def leave_out(asset: str, why: str) -> None:
    """Say of a balance that it cannot be read; once."""
    log.warning("the balance of %s at Kraken cannot be read: %s", asset, why)
