"""Which profile an account of a balance trades with, where profiles are picked by balance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from config.errors import Refusal

CENT = Decimal("0.01")


def profile_of(balance_usd: float, bounds: Mapping[str, float]) -> str:
    """The profile with the highest lower bound that a balance reaches; a bound belongs to its profile.

    Parameters
    ----------
    balance_usd : float
    bounds : mapping of str to float
        Profiles and their lower bounds, USD.

    Raises
    ------
    Refusal
        The balance is below the lowest bound, or no number.
    """
    if not math.isfinite(balance_usd):
        raise Refusal("the balance is not known, so no profile can be picked for it")
    reached = {bound: name for name, bound in bounds.items() if balance_usd >= bound}
    if not reached:
        least = min(bounds.values())
        lacking = (Decimal(str(least)) - Decimal(str(balance_usd))).quantize(CENT, ROUND_CEILING)
        raise Refusal(
            f"a balance of {dollars(balance_usd)} is below ${least:g}, the least that is traded: fees and the venue's "
            f"minimum orders would eat it; deposit at least ${lacking}"
        )
    return reached[max(reached)]


def range_of(name: str, bounds: Mapping[str, float]) -> tuple[float, float | None]:
    """From which balance on, and below which, a profile is picked; None is no upper end."""
    low = bounds[name]
    return low, min((bound for bound in bounds.values() if bound > low), default=None)


def selected(name: str, balance_usd: float) -> str:
    """What the log says of a choice."""
    return f"Auto-selected {name.upper()} mode for {dollars(balance_usd)} balance"


def dollars(balance_usd: float) -> str:
    """A balance with its cents, rounded down: one below a bound is not shown as the bound."""
    return f"${Decimal(str(balance_usd)).quantize(CENT, ROUND_FLOOR)}"
