"""Coins beside ours that are too few for an order: what was in the account before, and nobody's trade."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal

from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.ports import VenueRules
from brokers.quantities import DUST_USD, LOT_DIGITS, MATTERS_USD, NOTHING
from brokers.venue_errors import VenueError
from config.values.counting import COINS, unit_of


def is_dust(rules: VenueRules, symbol: str, quantity: Decimal, price: Decimal) -> bool:
    """Whether so many coins can be sold by nobody, or are worth less than a dollar."""
    if unit_of(symbol) != COINS or quantity <= 0:
        return False
    worth = quantity * price
    try:
        return worth < MATTERS_USD and (0 < worth < DUST_USD or quantity < rules.least(symbol, price))
    except VenueError:
        # The venue does not know the symbol any more.
        return False


def separate_dust(
    view: VenueSnapshot,
    total: Callable[[str], Decimal],
    rules: VenueRules,
    adopted: Collection[str] = (),
    by_hand: Callable[[str], Decimal] = lambda symbol: NOTHING,
) -> None:
    """Take coins that are dust beside those of the books out of a view's positions, and show them as its dust.

    Before ours were bought the venue showed them as no position; beside ours they are a part of one balance. Taken for
    a trade by hand they would keep ours from being sold until it is settled.

    Parameters
    ----------
    view : VenueSnapshot
    total : callable
        What the books have of a symbol, of ours and of hands.
    rules : VenueRules
    adopted : collection of str, optional
        Symbols in which all that there is is managed like our own.
    by_hand : callable, optional
        What the books have of a symbol for hands; sales by hand for more than that are for its dust, which is not free.
    """
    for symbol, there in tuple(view.positions.items()):
        booked = total(symbol) if unit_of(symbol) == COINS and symbol not in adopted else NOTHING
        dust = round(there.quantity - booked, LOT_DIGITS)
        if booked <= 0 or not is_dust(rules, symbol, dust, there.price):
            continue
        taken = min(dust, max(NOTHING, view.sold_by_hand(symbol) - by_hand(symbol)))
        worth = None if there.market_value is None else dust * there.price
        left = replace(
            there,
            quantity=there.quantity - dust,
            available=max(NOTHING, there.available - (dust - taken)),
            market_value=None if worth is None or there.market_value is None else there.market_value - worth,
        )
        view.positions = {**view.positions, symbol: left}
        view.dust = {**view.dust, symbol: replace(there, quantity=dust, available=dust, market_value=worth)}
