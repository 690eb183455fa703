"""The numbers of one rehearsed Kraken account, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.kraken.reference.listings import FeeTier, Listings

UNLIMITED = "none"
FOREVER = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class KrakenSettings:
    """What the account has, pays and may ask.

    Parameters
    ----------
    cash_usd : Decimal, default=1000
        Opening balance of ZUSD.
    balances : mapping
        Opening balances of other assets by any of their names: coins, flexible balances (``USD.F``, ``XBT.F``), which
        are spent like the asset they belong to, and locked ones (``SOL.S``), which are only shown.
    seed : int, default=0
        All ids are drawn from it.
    tier : {"starter", "intermediate", "pro", "none"}, default="starter"
        Whose limits of calls and orders are in force; ``none`` counts and never refuses.
    fees : tuple of FeeTier, optional
        The account's own fees, in place of everybody's.
    volume_usd : Decimal, default=0
        Volume of 30 days at the start, which decides about the fees.
    stops_hold : bool, default=True
        Whether an order that waits for its trigger price holds what it would spend.
    small_closes : bool, default=False
        Whether a fill below the pair's minimums gets its closing order all the same.
    release_delay : timedelta, default=250 ms
        How long after a cancel the coins it held come back.
    spread_ticks : int, default=1
        How many ticks bid and ask lie from the last price.
    price_every : timedelta, default=1 minute
        As in :class:`VenueSettings`.
    """

    cash_usd: Decimal = Decimal(1_000)
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    seed: int = 0
    tier: str = "starter"
    fees: tuple[FeeTier, ...] = ()
    volume_usd: Decimal = Decimal(0)
    stops_hold: bool = True
    small_closes: bool = False
    release_delay: timedelta = field(default=timedelta(milliseconds=250))
    spread_ticks: int = 1
    price_every: timedelta = field(default=timedelta(minutes=1))

    def of_the_venue(self) -> VenueSettings:
        """What the venue's core has to know."""
        return VenueSettings(
            cash_usd=self.cash_usd,
            seed=self.seed,
            multiplier=Decimal(1),
            release_delay=self.release_delay,
            stops_hold=self.stops_hold,
            gtc_life=FOREVER,
            price_every=self.price_every,
        )


def fee_tier(settings: KrakenSettings, listed: Listings, volume: Decimal) -> tuple[FeeTier, FeeTier | None]:
    """The fees at a volume, and the next lower ones; None where there are none."""
    table = settings.fees or listed.fees
    at = max(n for n, tier in enumerate(table) if tier.volume <= max(volume, table[0].volume))
    return table[at], table[at + 1] if at + 1 < len(table) else None
