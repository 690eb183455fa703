"""Notes about signals that had no effect in a run: that never fired, or whose score never was enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from market.features import FeatureTable
from strategies.ensemble import Ensemble
from strategies.own_code import enlarging
from strategies.pipeline import Pipeline
from strategies.signals.base import Signal
from strategies.signals.rule import LOWEST, RuleSignal, held

MOST_READINGS = 4
"""Readings that a note tells of."""


class _EveryBar:
    """All bars of a window, one after the other, in the place of a market's symbols: what an expression is asked of."""

    empty = False

    def __init__(self, features: FeatureTable, rows: slice, eligible: np.ndarray) -> None:
        self._columns = features.columns
        self.in_its_session = not features.bars.daily
        self._rows, self._eligible = rows, eligible
        self.count = rows.stop - rows.start
        self.symbols = range(self.count * int(eligible.sum()))

    def values(self, name: str) -> np.ndarray:
        """The column at every bar of the window and every eligible symbol, in one row."""
        return self._columns[name][self._rows][:, self._eligible].ravel()

    def with_any(self, chosen: np.ndarray) -> int:
        """The number of bars at which one of the symbols is chosen."""
        return int(chosen.reshape(self.count, -1).any(axis=1).sum())

    def window(self, name: str, bars: int) -> np.ndarray:
        """The column a bar before and at every bar, shape ``(2, values)``."""
        column = self._columns[name][:, self._eligible].astype(float)
        before = np.vstack([np.full((1, column.shape[1]), np.nan), column[:-1]])
        return np.stack([before[self._rows].ravel(), column[self._rows].ravel()])


def without_effect(
    features: FeatureTable, pipeline: Pipeline, spoke: Iterable[str], start: pd.Timestamp, end: pd.Timestamp
) -> tuple[str, ...]:
    """Notes about signals that proposed nothing: they were silent at every bar, or too weak at each.

    Parameters
    ----------
    features : FeatureTable
    pipeline : Pipeline
    spoke : iterable of str
        Signals of which the run has decisions: their score was enough.
    start, end : Timestamp
        First and last bar that is decided on.
    """
    known = set(spoke)
    asked = [signal for signal in pipeline.signals if signal.name not in known]
    rows = slice(max(0, features.bars.row_closed_at(start)), features.bars.row_closed_at(end) + 1)
    eligible = np.array([symbol in pipeline.universe for symbol in features.bars.symbols], dtype=bool)
    if not asked or rows.stop <= rows.start or not eligible.any():
        return ()
    bars = _EveryBar(features, rows, eligible)
    notes = (_told(signal, bars, pipeline.ensemble) for signal in asked)
    return tuple(note for note in notes if note)


def _told(signal: Signal, bars: _EveryBar, ensemble: Ensemble) -> str:
    """What is said of a signal that proposed nothing; empty where it had a score that counts, or nothing is known."""
    if isinstance(signal, RuleSignal):
        return _told_of_rule(signal, bars, ensemble)
    fired = f"{signal.name} fired"
    if hasattr(signal.scores, "highest"):
        # Of another package, it has been watched.
        highest = signal.scores.highest
        if highest is None:
            return ""
        return _too_weak(fired, highest, ensemble) if np.isfinite(highest) else _silent(signal, bars)
    if not vars(type(signal)).get("elementwise"):
        return ""
    scores = signal.scores(bars)  # type: ignore[arg-type]  # all that it asks of a market
    scores = scores[np.isfinite(scores)]
    # Ours are not told of where they never fire, since their settings are bounded.
    return _too_weak(fired, float(scores.max()), ensemble) if scores.size else ""


def _told_of_rule(signal: RuleSignal, bars: _EveryBar, ensemble: Ensemble) -> str:
    # All that an expression asks of a market is here.
    fires = signal.when.of(bars) & bars.values("usable")  # type: ignore[arg-type]  # as above
    if not fires.any():
        return _silent(signal, bars)
    often = f"{signal.name} fired on {bars.with_any(fires):,} of {bars.count:,} bars"
    scores = signal.score.of(bars)[fires]  # type: ignore[arg-type]  # as above
    scores = scores[np.isfinite(scores)]
    if not scores.size:
        return f"{often}, but its score, {signal.score.text}, had no value at any of them"
    highest = float(scores.max())
    weak = _too_weak(often, held(highest), ensemble)
    if weak and highest < LOWEST:
        weak += f"; {signal.score.text} was {highest:.4g} at most, and a rule's score is held at {LOWEST:g} or more"
    return weak


def _silent(signal: Signal, bars: _EveryBar) -> str:
    told = ", ".join(_readings(signal, bars, bars.values("usable")))
    return f"{signal.name} fired on 0 of {bars.count:,} bars" + (f"; {told}" if told else "")


def _too_weak(fired: str, highest: float, ensemble: Ensemble) -> str:
    least, setting = ensemble.counts_from
    if highest >= least:
        return ""
    return f"{fired}, but its score was {highest:.4g} at most, and an entry needs {least:g} ({setting})"


def _readings(signal: Signal, bars: _EveryBar, usable: np.ndarray) -> Iterator[str]:
    """What a signal read, from the least to the most, by the names that it has for it."""
    own = {name: name for name in signal.needs()}
    columns = signal.when.columns if isinstance(signal, RuleSignal) else own
    for name, column in list(columns.items())[:MOST_READINGS]:
        found = bars.values(column)[usable].astype(float)
        found = found[np.isfinite(found)]
        if len(found):
            yield f"{name} was between {found.min():.4g} and {found.max():.4g}"
        else:
            yield f"{name} had no value"


def enlarged(pipeline: Pipeline) -> tuple[str, ...]:
    """Notes about rules of other packages whose verdicts were above what was proposed."""
    reviews = (module.review for module in pipeline.chain)
    return tuple(
        enlarging(review.part, review.enlarged)  # type: ignore[attr-defined]  # it is guarded
        for review in reviews
        if getattr(review, "enlarged", 0)
    )
