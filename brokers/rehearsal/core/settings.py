"""The numbers of a rehearsal venue, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """What the venue charges, lends and waits for.

    Parameters
    ----------
    cash_usd : Decimal, default=100000
        The account's opening balance.
    seed : int, default=0
        All ids are drawn from it, so the same calls give the same answers.
    half_spread_usd : Decimal, default=0.01
        Bid and ask lie this far below and above the last price.
    half_spread_frac : Decimal, default=0
        The same as a share of the price, in place of ``half_spread_usd`` where it is not zero.
    maker_fee_frac, taker_fee_frac : Decimal, default=0
        Fee of a fill as a share of its value; a limit order that has rested makes, anything else takes.
    price_every : timedelta, default=1 minute
        How often a bar of more than 15 minutes has another price; zero for its open, extremes and close alone.
    release_delay : timedelta, default=250 ms
        How long after a cancel the shares it held come back as available.
    stops_hold : bool, default=True
        Whether a stop that waits for its price holds what it would sell; other orders always do.
    gtc_life : timedelta, default=90 days
        Age at which good-till-cancelled orders are cancelled.
    margin_equity_usd : Decimal, default=2000
        Below it no margin and no shorts.
    multiplier : Decimal, default=2
        Buying power per dollar of equity, where margin is granted.
    initial_margin_frac, maintenance_margin_frac : Decimal, default=0.5 and 0.3
        Share of the gross market value that the account reports as bound.
    short_collar_frac : Decimal, default=0.03
        A short is valued this far above the ask when buying power is checked.
    minimum_notional_usd : Decimal, default=1
    default_page, largest_page : int, default=50 and 500
        Orders in one listing.
    """

    cash_usd: Decimal = Decimal(100_000)
    seed: int = 0
    half_spread_usd: Decimal = Decimal("0.01")
    half_spread_frac: Decimal = Decimal(0)
    maker_fee_frac: Decimal = Decimal(0)
    taker_fee_frac: Decimal = Decimal(0)
    price_every: timedelta = field(default=timedelta(minutes=1))
    release_delay: timedelta = field(default=timedelta(milliseconds=250))
    stops_hold: bool = True
    gtc_life: timedelta = field(default=timedelta(days=90))
    margin_equity_usd: Decimal = Decimal(2_000)
    multiplier: Decimal = Decimal(2)
    initial_margin_frac: Decimal = Decimal("0.5")
    maintenance_margin_frac: Decimal = Decimal("0.3")
    short_collar_frac: Decimal = Decimal("0.03")
    minimum_notional_usd: Decimal = Decimal(1)
    default_page: int = 50
    largest_page: int = 500
