"""Where an order fills inside one bar, pessimistic where the bar leaves it open. Pure arithmetic.

A bar tells four prices and no order among them. What is certain is used (an order marketable at the
open fills there); what is ambiguous goes against the strategy (stop before target). Slippage is
always paid, never earned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from config.schema import Fills

NEVER = math.nan
FOUR_DIGITS_FROM = 0.1


def fee(model: Fills, quantity: float, price: float, *, rested: bool = False) -> float:
    """What the venue charges for one execution, USD; less where it has a fee of its own for limits that rested."""
    maker = model.maker_fee_frac if rested else None
    frac = model.fee_frac if maker is None else maker
    return round(quantity * model.fee_per_share_usd + quantity * price * frac, 4)


class Kind(IntEnum):
    """Order types the backtest broker can match."""

    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    TRAIL = 4


@dataclass(slots=True)
class Ticket:
    """The matching engine's view of one working order: prices only, no book-keeping.

    ``triggered`` is set once a stop-limit has become a limit. ``mark`` is a trailing order's best
    price so far; ``trail`` its distance in USD, ``trail_frac`` as a fraction of ``mark``.
    """

    kind: Kind
    buy: bool
    limit: float = NEVER
    stop: float = NEVER
    trail: float = NEVER
    trail_frac: float = NEVER
    mark: float = NEVER
    triggered: bool = False


def slipped(price: float, buy: bool, bps: float) -> float:
    """A price made worse by ``bps`` for the side that trades: to a hundredth of a cent, and at least four digits."""
    worse = price * (1 + bps / 1e4) if buy else price * (1 - bps / 1e4)
    if worse >= FOUR_DIGITS_FROM or worse <= 0:
        return round(worse, 4)
    return round(worse, 3 - math.floor(math.log10(worse)))


def at_open(t: Ticket, open_: float, model: Fills) -> float:
    """Fill price of an order that is marketable at the bar's open; NaN if it is not."""
    if t.kind is Kind.MARKET:
        return slipped(open_, t.buy, model.market_slippage_bps)
    if t.kind is Kind.LIMIT or (t.kind is Kind.STOP_LIMIT and t.triggered):
        return _limit_reached(t, open_, open_, model)
    if t.kind is Kind.TRAIL:
        return _trail_at_open(t, open_, model)
    if (open_ >= t.stop) if t.buy else (open_ <= t.stop):
        return _stop_triggered(t, open_, model)
    return NEVER


def within(t: Ticket, high: float, low: float, close: float, model: Fills) -> float:
    """Fill price of a resting order reached between open and close; NaN if the bar doesn't reach it."""
    if t.kind is Kind.LIMIT or (t.kind is Kind.STOP_LIMIT and t.triggered):
        return _limit_reached(t, low if t.buy else high, t.limit, model)
    if t.kind is Kind.TRAIL:
        return _trail_within(t, high, low, close, model)
    if t.kind is not Kind.MARKET and ((high >= t.stop) if t.buy else (low <= t.stop)):
        return _stop_triggered(t, t.stop, model)
    return NEVER


def _limit_reached(t: Ticket, reach: float, price: float, model: Fills) -> float:
    if (reach > t.limit) if t.buy else (reach < t.limit):
        return NEVER
    worse = slipped(price, t.buy, model.limit_slippage_bps)
    # Slippage on a limit can eat the improvement of a gap, never the limit itself.
    return min(worse, t.limit) if t.buy else max(worse, t.limit)


def _stop_triggered(t: Ticket, price: float, model: Fills) -> float:
    if t.kind is Kind.STOP:
        return slipped(price, t.buy, model.stop_slippage_bps)
    # A stop-limit that triggers beyond its limit rests from the next bar on: this bar doesn't say in
    # which order its prices came.
    t.triggered = True
    return _limit_reached(t, price, price, model)


def _trail_level(t: Ticket) -> float:
    distance = t.trail if math.isnan(t.trail_frac) else t.mark * t.trail_frac
    return t.mark + distance if t.buy else t.mark - distance


def _trail_at_open(t: Ticket, open_: float, model: Fills) -> float:
    if math.isnan(t.mark):
        t.mark = open_
        return NEVER
    level = _trail_level(t)
    if (open_ >= level) if t.buy else (open_ <= level):
        return slipped(open_, t.buy, model.stop_slippage_bps)
    return NEVER


def _trail_within(t: Ticket, high: float, low: float, close: float, model: Fills) -> float:
    level = _trail_level(t)
    if (high >= level) if t.buy else (low <= level):
        return slipped(level, t.buy, model.stop_slippage_bps)
    t.mark = min(t.mark, low) if t.buy else max(t.mark, high)
    level = _trail_level(t)
    # The close is the one price that surely came after the new extreme.
    if (close >= level) if t.buy else (close <= level):
        return slipped(level, t.buy, model.stop_slippage_bps)
    return NEVER
