"""What a reader must know of a run that its figures don't show: what was not there, and what could not happen."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from backtests.bar_checks import some
from strategies.features import FeatureTable
from strategies.pipeline import Pipeline


def without_benchmark(symbol: str) -> str:
    """The note of a run that is compared with nothing."""
    return f"no benchmark: the data hold no bars of {symbol}; name one with --benchmark"


def absent_symbols(missing: Iterable[str], pipeline: Pipeline) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing of the symbols that were to be traded, and notes about those that only rules look at."""
    missing = tuple(missing)
    helpers = [s for s in missing if s not in pipeline.universe and s in pipeline.symbols()]
    notes = (f"no bars of {some(helpers)}, which rules only watch or hedge with",) if helpers else ()
    return tuple(s for s in missing if s in pipeline.universe), notes


def out_of_reach(features: FeatureTable, pipeline: Pipeline, end: pd.Timestamp) -> tuple[str, ...]:
    """A note about features that no traded symbol had enough bars for, up to the last decision at ``end``."""
    names = features.too_long_for(pipeline.universe, features.bars.row_closed_at(end))
    if not names:
        return ()
    return (f"no symbol has enough history for {', '.join(names)}; give earlier bars or a shorter period",)
