"""Limits how many positions move with a candidate, whatever their sector labels say."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from market.market import Market
from risk.interface import ModuleConfig, RiskModule
from risk.limit_usage import Remedy
from risk.lots import EPSILON
from risk.model import Book, Proposal, Verdict


def correlations(candidate: np.ndarray, others: np.ndarray, min_bars: int) -> np.ndarray:
    """Pearson correlation of one return series with several, over the bars each pair has in common.

    Parameters
    ----------
    candidate : ndarray of float, shape (bars,)
        Returns, NaN where missing.
    others : ndarray of float, shape (bars, symbols)
        Returns, NaN where missing.
    min_bars : int
        Pairs with fewer common returns are not judged.

    Returns
    -------
    ndarray of float, shape (symbols,)
        In [-1, 1]; NaN for a pair that is too short or doesn't move.
    """
    common = np.isfinite(candidate)[:, None] & np.isfinite(others)
    count = common.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(common, candidate[:, None], 0.0)
        y = np.where(common, others, 0.0)
        x = np.where(common, x - x.sum(axis=0) / count, 0.0)
        y = np.where(common, y - y.sum(axis=0) / count, 0.0)
        xx, yy = (x * x).sum(axis=0), (y * y).sum(axis=0)
        result = (x * y).sum(axis=0) / np.sqrt(xx * yy)
    # Returns that differ by rounding alone have a correlation too, and it means nothing.
    moves = np.minimum(xx, yy) > count * EPSILON**2
    judged = (count >= min_bars) & moves & np.isfinite(result)
    return np.where(judged, np.clip(result, -1.0, 1.0), np.nan)


class CorrelationCap(RiskModule):
    """Refuses an entry when too many positions already move with it.

    Returns are simple returns of the marks, signed by side, so that a short against a long of the
    same kind counts as the offset it is. A pair with too little common history, or one that doesn't
    move, is not judged and is named in the verdict's inputs: counting it as alike would keep every
    newly listed symbol out for three months; the sector and notional caps still hold for it. Hedges
    neither count nor are refused.

    Parameters
    ----------
    bars : int
        Returns that are compared.
    min_bars : int
        Common returns a pair needs to be judged.
    max_correlation : float
        A position correlated above this is alike the candidate.
    max_positions : int
        Refused once this many positions are alike.
    """

    name = "correlation_cap"
    remedy = "a position that moves with it has to be closed, or risk.modules.correlation_cap.max_positions raised"

    class Config(ModuleConfig):
        """Settings of ``CorrelationCap``."""

        bars: int = Field(ge=2, description="returns that are compared, in bars")
        min_bars: int = Field(ge=2, description="common returns below which a pair is not judged, in bars")
        max_correlation: float = Field(gt=0, lt=1, description="correlation above which two positions are alike")
        max_positions: int = Field(ge=1, description="positions alike the candidate from which on it is refused")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_bars > self.bars:
                raise ValueError("correlation_cap needs min_bars <= bars: else no pair is ever judged")
            return self

    config: Config

    @classmethod
    def remedy_for(cls, verdict: Verdict, price: float) -> Remedy:
        alike = verdict.inputs.get("alike")
        return Remedy(f"one of {', '.join(alike)} has to be closed" if alike else cls.remedy)

    def review(self, proposal: Proposal, book: Book, market: Market) -> Verdict:
        """Compare the candidate with every other held or accepted entry."""
        config = self.config
        others = [s for s, role in book.exposures() if role == "entry" and s != proposal.symbol]
        # No reading can refuse before max_positions others are there, so none is computed.
        if proposal.role == "hedge" or len(others) < config.max_positions:
            return self.keep(proposal)

        values = self._correlations(proposal, others, book, market)
        alike = {s: round(c, 4) for s, c in values.items() if c > config.max_correlation}
        inputs = {"alike": alike, "not_judged": [s for s in others if s not in values]}
        if len(alike) < config.max_positions:
            return self.keep(proposal, **inputs)
        listed = ", ".join(f"{s} {c:.2f}" for s, c in sorted(alike.items(), key=lambda item: -item[1]))
        code = f"CORRELATION_CAP: {len(alike)}/{config.max_positions} above {config.max_correlation:.2f} ({listed})"
        return self.refuse(proposal, code, **inputs)

    def _correlations(self, proposal: Proposal, others: list[str], book: Book, market: Market) -> dict[str, float]:
        """Signed correlation by symbol, only of the pairs that can be judged."""
        known = [s for s in others if s in market.index]
        if proposal.symbol not in market.index or not known or market.empty:
            return {}
        columns = [market.index[s] for s in (proposal.symbol, *known)]
        marks = market.window("mark", self.config.bars + 1)[:, columns]
        with np.errstate(invalid="ignore", divide="ignore"):
            returns = marks[1:] / marks[:-1] - 1.0
        values = correlations(returns[:, 0], returns[:, 1:], self.config.min_bars)
        sides = [book.positions[s].side if s in book.positions else book.pending[s].side for s in known]
        signed = (c if side == proposal.side else -c for c, side in zip(values, sides, strict=True))
        return {s: float(c) for s, c in zip(known, signed, strict=True) if np.isfinite(c)}
