"""How far an entry may be trusted, learnt from what became of the strategy's own earlier ones.

A logistic regression over readings at the last bar before each entry, whose probability is calibrated on trades later
than those that fitted it. It is a function of the book and the market alone: what it learns from are the trades that
are closed in the book, and what it reads of them lies in the market's past, so that it cannot know a later bar.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from config.schema import MetaModel as MetaModelConfig
from market.market import Market
from risk.model import Book, ClosedTrade

KEPT_FITS = 8
LEAST_OF_EACH = 5
"""Wins and losses, of each, that both parts of the trades must hold."""


class MetaModel:
    """Scales sizes between a half and all, once enough trades are closed.

    Parameters
    ----------
    config : MetaModelConfig
    """

    def __init__(self, config: MetaModelConfig) -> None:
        self.config = config
        # What was learnt from the same trades and readings before: nothing that a decision depends on.
        self._fits: OrderedDict[bytes, _Fit | None] = OrderedDict()

    def needs(self) -> Sequence[str]:
        """Feature columns that it reads, and the history that holds past entries."""
        return (*self.config.features, f"history_{self.config.history_bars}")

    def multiplier(self, market: Market, book: Book, symbol: str) -> float:
        """Share of its size that an entry in a symbol may have, 0.5 to 1; 1 where nothing is known of it."""
        probability = self.probability(market, book, symbol)
        if math.isnan(probability):
            return 1.0
        half, full = self.config.half_at, self.config.full_at
        share = (probability - half) / (full - half) if full > half else float(probability >= full)
        return 0.5 + 0.5 * min(1.0, max(0.0, share))

    def probability(self, market: Market, book: Book, symbol: str) -> float:
        """Calibrated probability that an entry now makes a profit; NaN while too little is known."""
        fit = self._fit(market, book)
        reading = self._reading(market, market.row, symbol)
        if fit is None or not np.isfinite(reading).all():
            return math.nan
        return fit.probability(reading)

    def _fit(self, market: Market, book: Book) -> _Fit | None:
        trades = [t for t in book.closed_trades if t.role == "entry"]
        if len(trades) < self.config.min_trades:
            return None
        # Trades since the last round number wait for the next one: a model of today is that of yesterday.
        trades = trades[: len(trades) - len(trades) % self.config.refit_trades]
        readings, won = self._examples(market, trades)
        if len(won) < self.config.min_trades:
            return None
        key = readings.tobytes() + won.tobytes()
        if key not in self._fits:
            self._fits[key] = fitted(readings, won, self.config.train_share)
            if len(self._fits) > KEPT_FITS:
                self._fits.popitem(last=False)
        return self._fits[key]

    def _examples(self, market: Market, trades: Sequence[ClosedTrade]) -> tuple[np.ndarray, np.ndarray]:
        """Readings before each entry and whether it won, in the order of closing, where the bars are still there."""
        found = [(self._reading(market, market.row_before(t.opened), t.symbol), t.pnl > 0) for t in trades]
        known = [(reading, won) for reading, won in found if np.isfinite(reading).all()]
        if not known:
            return np.empty((0, len(self.config.features))), np.empty(0, dtype=bool)
        return np.array([reading for reading, _ in known]), np.array([won for _, won in known], dtype=bool)

    def _reading(self, market: Market, row: int, symbol: str) -> np.ndarray:
        return np.array([market.value_at(row, name, symbol) for name in self.config.features])


class _Fit:
    """A fitted and calibrated model."""

    def __init__(self, model: Any, calibration: Any) -> None:
        self._model, self._calibration = model, calibration

    def probability(self, reading: np.ndarray) -> float:
        score = self._model.decision_function(reading[np.newaxis, :])
        return float(self._calibration.predict_proba(score[:, np.newaxis])[0, 1])


def fitted(readings: np.ndarray, won: np.ndarray, train_share: float) -> _Fit | None:
    """Fit on the first part of the trades, calibrate on the rest; None where a part holds too few wins or losses.

    Parameters
    ----------
    readings : ndarray of float, shape (trades, features)
        In the order of closing.
    won : ndarray of bool, shape (trades,)
    train_share : float
        Part that fits; the calibration is Platt's, a logistic regression of what happened on the model's score.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    cut = int(len(won) * train_share)
    for part in (won[:cut], won[cut:]):
        if min(int(part.sum()), int((~part).sum())) < LEAST_OF_EACH:
            return None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, solver="lbfgs"))
    model.fit(readings[:cut], won[:cut])
    scores = model.decision_function(readings[cut:])
    calibration = LogisticRegression(solver="lbfgs").fit(scores[:, np.newaxis], won[cut:])
    return _Fit(model, calibration)
