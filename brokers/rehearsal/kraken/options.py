"""Options of the rehearsed Kraken as they are written on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from brokers.rehearsal.kraken.reference.listings import FeeTier, listings
from brokers.rehearsal.kraken.settings import UNLIMITED, KrakenSettings
from config.errors import Refusal

SWITCHES = {"true": True, "false": False}


def kraken_settings(
    cash: Decimal, seed: int, balances: Sequence[str], fees: str | None, tier: str, stops_hold: str, small_closes: str
) -> KrakenSettings:
    """The account that was asked for.

    Parameters
    ----------
    cash : Decimal
        USD.
    seed : int
    balances : sequence of str
        Each an asset and an amount, ``XBT.F=0.0002``.
    fees : str, optional
        Maker and taker in per cent, ``0.40/0.80``; by default those that are listed.
    tier : str
        Whose limits are in force.
    stops_hold, small_closes : str
        ``true`` or ``false``.

    Raises
    ------
    Refusal
        One of them can't be what it is.
    """
    tiers = (*listings().limits, UNLIMITED)
    if tier not in tiers:
        raise Refusal(f"--tier {tier} is none of Kraken's; give one of {', '.join(tiers)}")
    return KrakenSettings(
        cash_usd=cash,
        balances=dict(_balance(text) for text in balances),
        seed=seed,
        tier=tier,
        fees=() if fees is None else (_fees(fees),),
        stops_hold=_switch("stops-hold", stops_hold),
        small_closes=_switch("small-closes", small_closes),
    )


def _balance(text: str) -> tuple[str, Decimal]:
    name, _, written = text.partition("=")
    amount, coin = _number(written), listings().coin(name.upper())
    if coin is None or amount is None:
        known = ", ".join(coin.altname for coin in listings().coins.values())
        raise Refusal(f"--balance {text} is no balance; write ASSET=AMOUNT such as XBT.F=0.0002 with one of {known}")
    return coin.key, amount


def _fees(text: str) -> FeeTier:
    parts = [_number(part) for part in text.split("/")]
    if len(parts) != 2 or any(part is None or part >= 100 for part in parts):
        raise Refusal(f"--fees {text} are no fees; give maker and taker in per cent, such as 0.25/0.40")
    return FeeTier(Decimal(0), parts[0] or Decimal(0), parts[1] or Decimal(0))


def _switch(name: str, text: str) -> bool:
    if text not in SWITCHES:
        raise Refusal(f"--{name} {text} is no switch; give true or false")
    return SWITCHES[text]


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and number >= 0 else None
