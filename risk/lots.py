"""From money to tradable quantities: what an amount buys, and what to sell when a position is too big."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from risk.model import floor_lot

Lot = Annotated[float, Field(gt=0, description="smallest tradable quantity, in shares or coins")]

# Slack of every comparison with a limit: 2/5 computed as 0.4000000000000001 is not above 0.40.
EPSILON = 1e-9


def affordable(usd: float, price: float, lot: float = 1.0) -> float:
    """Whole lots that an amount buys.

    Parameters
    ----------
    usd : float
        Amount in USD; nothing is bought for a negative one.
    price : float
        Price of one share in USD.
    lot : float, default=1
        Smallest tradable quantity.

    Returns
    -------
    float
        Quantity in shares, 0 where amount or price is not a usable number.
    """
    if not (math.isfinite(price) and price > 0):
        return 0
    return floor_lot(usd / price, lot)


def trim_quantity(held: float, keep: float, lot: float = 1.0) -> float:
    """Whole lots to give up so that at most ``keep`` remain; one lot always stays.

    A cap that cannot be met in whole lots must not turn into a liquidation, so a position of a
    single lot is left alone however heavy it is.

    Parameters
    ----------
    held : float
        Shares held, without sign.
    keep : float
        Most shares that may remain.
    lot : float, default=1
        Smallest tradable quantity.

    Returns
    -------
    float
        Quantity in shares, 0 where there is nothing to trim or a number is unusable.
    """
    if not math.isfinite(held - keep):
        return 0
    wanted = math.ceil((held - keep) / lot - EPSILON) * lot
    return floor_lot(min(wanted, held - lot), lot)
