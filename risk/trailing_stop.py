"""Follows a winning position with its stop."""

from __future__ import annotations

import math

from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.lots import EPSILON
from risk.model import Adjustment, Book, Position
from risk.policy_gate import round_to_tick, tick_of

# Of a tick: float noise below it neither moves a level to the next tick nor counts as a step.
NOISE = 1e-6


def tighter(position: Position, level: float) -> float | None:
    """The stop to move to, or None where that would not tighten the present one by at least a tick.

    Parameters
    ----------
    position : Position
        One without a stop of its own is never tightened.
    level : float
        Where the stop should lie, USD; rounded to a tick towards the market, so that rounding doesn't
        give away what the level locks.
    """
    if not 0 < level < math.inf:
        return None
    tick = tick_of(level)
    short = position.side == "sell_short"
    steps = level / tick
    if not math.isfinite(steps):
        return None
    stop = round_to_tick((math.floor(steps + NOISE) if short else math.ceil(steps - NOISE)) * tick)
    step = position.stop - stop if short else stop - position.stop
    return stop if stop > 0 and step >= tick * (1 - NOISE) else None


class TrailingStop(RiskModule):
    """Trails the stop of an entry, long or short, once its profit is large enough.

    Armed when the best price since the entry lies ``arm_r`` R beyond it, R being the distance from the
    entry to the initial stop. From then on the stop lies ``trail_r`` R behind the best price, which locks
    ``arm_r - trail_r`` R at least, and it only ever tightens. The best price is known when its bar has
    closed: a bar that both arms the stop and falls back through it leaves a level that the market has
    passed already, and the desk then closes at the market.

    Hedges belong to the hedger. A position without an initial stop or a best price is left alone.

    Parameters
    ----------
    arm_r : float
        Best price that arms the stop, in R beyond the entry.
    trail_r : float
        Distance of the stop behind the best price, in R.
    """

    name = "trailing_stop"

    class Config(ModuleConfig):
        """Settings of ``TrailingStop``."""

        arm_r: float = Field(ge=0, description="best price that arms the stop, in R beyond the entry")
        trail_r: float = Field(gt=0, description="distance of the stop behind the best price, in R")

    config: Config

    def manage(self, book: Book, market: Market) -> list[Adjustment]:
        """One tightening per armed position whose stop can move by a tick or more."""
        arm_r, trail_r = self.config.arm_r, self.config.trail_r
        adjustments = []
        for symbol, position in book.positions.items():
            risk, best, short = position.risk_per_share, position.best_price, position.side == "sell_short"
            if position.role != "entry" or not risk > 0:
                continue
            sign = -1 if short else 1
            best_r = sign * (best - position.entry_price) / risk
            if not best_r >= arm_r - EPSILON:
                continue
            stop = tighter(position, best - sign * trail_r * risk)
            if stop is not None:
                code = f"TRAILING_STOP: best price {best:.2f} at {best_r:+.2f}R, stop {trail_r:g}R behind it"
                inputs = {"best_price": best, "best_r": best_r, "risk_per_share": risk, "stop_before": position.stop}
                adjustments.append(
                    Adjustment(self.name, "tighten", symbol, code, stop=stop, short=short, inputs=inputs)
                )
        return adjustments
