"""Lets an entry pass only near a price at which much was traded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.model import Book, Proposal, Verdict


def buckets(price: np.ndarray | float, bucket_frac: float) -> np.ndarray:
    """Number of the price bucket: each is wider than the one below by ``bucket_frac``; prices above 0."""
    numbers: np.ndarray = np.floor(np.log(price) / np.log1p(bucket_frac))
    return numbers


def levels(close: np.ndarray, volume: np.ndarray, bucket_frac: float, node_multiple: float) -> np.ndarray:
    """Buckets whose volume is above ``node_multiple`` times that of the average bucket.

    Parameters
    ----------
    close, volume : ndarray of float, shape (bars,)
        Closes above 0 and what was traded in their bars.

    Returns
    -------
    ndarray of float
        Bucket numbers, ascending. The average is over buckets that hold a close.
    """
    number, place = np.unique(buckets(close, bucket_frac), return_inverse=True)
    traded = np.bincount(place, weights=volume)
    found: np.ndarray = number[traded > node_multiple * traded.mean()]
    return found


class VolumeProfile(RiskModule):
    """Refuses an entry far from every level of the last sessions' volume profile; without volume each one passes.

    The profile weighs the closes of the last ``days`` sessions, the newest bar included, with their bars'
    volumes: twenty closes on daily bars, every bar's on intraday ones. A symbol without that many sessions
    has no levels and is refused. Where a source reports no volume there is nothing to judge by and the
    entry passes, with a note in the inputs and one of the run. Hedges pass.

    Parameters
    ----------
    days : int
        Sessions in the profile.
    bucket_frac : float
        Width of a price bucket as a fraction of the price.
    node_multiple : float
        A bucket with more than this multiple of the average bucket's volume is a level.
    near_buckets : int
        Distance from a level up to which an entry is near it.
    """

    name = "volume_profile"
    remedy = "a price nearer to a level at which much was traded, or more sessions of history"

    class Config(ModuleConfig):
        """Settings of ``VolumeProfile``."""

        days: int = Field(ge=1, description="sessions in the profile")
        bucket_frac: float = Field(ge=0.0001, le=0.1, description="width of a price bucket, fraction of the price")
        node_multiple: float = Field(gt=0, description="volume of a level over the average bucket's")
        near_buckets: int = Field(ge=0, description="distance from a level, in buckets")

        @property
        def rows(self) -> str:
            return f"session_rows_{self.days}"

    config: Config

    def needs(self) -> Sequence[str]:
        return (self.config.rows,)

    def without_volume(self) -> str:
        return "lets every entry pass"

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        if proposal.role == "hedge":
            return self.keep(proposal)
        config, symbol = self.config, proposal.symbol
        rows = market.value(config.rows, symbol)
        if not (rows >= 1 and 0 < proposal.price < np.inf):
            return self.refuse(proposal, f"VOLUME_PROFILE: fewer than {config.days} sessions of history")
        k = market.index[symbol]
        close, mark, volume = (market.window(name, int(rows))[:, k] for name in ("close", "mark", "volume"))
        # A bar at odds with itself does not mark, and is no trade to count.
        traded = (close == mark) & (close > 0) & (close < np.inf) & (volume > 0) & (volume < np.inf)
        if not traded.any():
            return self.keep(proposal, note="no volume reported")
        found = levels(close[traded], volume[traded], config.bucket_frac, config.node_multiple)
        if not len(found):
            return self.refuse(proposal, f"VOLUME_PROFILE: no level in {config.days} sessions", levels=0)
        away = found - buckets(proposal.price, config.bucket_frac)
        nearest = float(away[np.argmin(np.abs(away))])
        inputs = {"levels": len(found), "nearest_buckets": nearest}
        if abs(nearest) <= config.near_buckets:
            return self.keep(proposal, **inputs)
        where = "above" if nearest > 0 else "below"
        code = f"VOLUME_PROFILE: nearest level {abs(nearest):.0f} buckets {where}, at most {config.near_buckets}"
        return self.refuse(proposal, code, **inputs)
