"""Notes about rules in YAML and signals of other packages that never fired in a run, with what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from market.features import FeatureTable
from strategies.own_code import enlarging
from strategies.pipeline import Pipeline
from strategies.signals.base import Signal
from strategies.signals.rule import RuleSignal

MOST_READINGS = 4
"""Readings that a note tells of."""


class _EveryBar:
    """All bars of a window, one after the other, in the place of a market's symbols: what an expression is asked of."""

    def __init__(self, features: FeatureTable, rows: slice, eligible: np.ndarray) -> None:
        self._columns = features.columns
        self._rows, self._eligible = rows, eligible
        self.symbols = range((rows.stop - rows.start) * int(eligible.sum()))

    def values(self, name: str) -> np.ndarray:
        """The column at every bar of the window and every eligible symbol, in one row."""
        return self._columns[name][self._rows][:, self._eligible].ravel()

    def window(self, name: str, bars: int) -> np.ndarray:
        """The column a bar before and at every bar, shape ``(2, values)``."""
        column = self._columns[name][:, self._eligible].astype(float)
        before = np.vstack([np.full((1, column.shape[1]), np.nan), column[:-1]])
        return np.stack([before[self._rows].ravel(), column[self._rows].ravel()])


def never_fired(
    features: FeatureTable, pipeline: Pipeline, spoke: Iterable[str], start: pd.Timestamp, end: pd.Timestamp
) -> tuple[str, ...]:
    """Notes about rules and own signals that were silent at every bar that was decided on.

    Parameters
    ----------
    features : FeatureTable
    pipeline : Pipeline
    spoke : iterable of str
        Signals of which the run has decisions: they have fired.
    start, end : Timestamp
        First and last bar that is decided on.
    """
    known = set(spoke)
    # Of another package, it has been watched; ours are not told of, since their settings are bounded.
    asked = [
        signal
        for signal in pipeline.signals
        if signal.name not in known
        and (isinstance(signal, RuleSignal) or getattr(signal.scores, "spoke", None) is False)
    ]
    rows = slice(max(0, features.bars.row_closed_at(start)), features.bars.row_closed_at(end) + 1)
    eligible = np.array([symbol in pipeline.universe for symbol in features.bars.symbols], dtype=bool)
    if not asked or rows.stop <= rows.start or not eligible.any():
        return ()
    bars = _EveryBar(features, rows, eligible)
    usable = bars.values("usable")
    notes = []
    for signal in asked:
        # All that an expression asks of a market is here.
        if isinstance(signal, RuleSignal) and (signal.when.of(bars) & usable).any():  # type: ignore[arg-type]
            continue
        told = ", ".join(_readings(signal, bars, usable))
        notes.append(f"{signal.name} fired on 0 of {rows.stop - rows.start:,} bars" + (f"; {told}" if told else ""))
    return tuple(notes)


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
