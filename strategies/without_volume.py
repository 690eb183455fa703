"""A note about symbols whose bars have no volume, and what the signals and rules that read it do there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from config.reading.error_messages import some
from market.feature_registry import reads_volume
from market.features import FeatureTable
from risk.interface import RiskModule
from strategies.pipeline import Pipeline
from strategies.signals.base import Signal

LACKING_FROM = 0.1
"""Share of a symbol's bars from which on it is told: in a single bar there may well have been no trade."""


def without_volume(
    features: FeatureTable, pipeline: Pipeline, start: pd.Timestamp, end: pd.Timestamp
) -> tuple[str, ...]:
    """A note about traded symbols without volume, where something that is on reads it.

    Parameters
    ----------
    features : FeatureTable
    pipeline : Pipeline
    start, end : Timestamp
        First and last bar that is decided on.
    """
    parts: list[Signal | RiskModule] = [*pipeline.signals, *pipeline.chain]
    readers = [f"{part.name} {told}" for part in parts if (told := _told(part))]
    if not readers:
        return ()
    rows = slice(max(0, features.bars.row_closed_at(start)), features.bars.row_closed_at(end) + 1)
    there = np.isfinite(features.columns["close"][rows])
    lacking = (there & ~(features.columns["volume"][rows] > 0)).sum(axis=0)
    bars = there.sum(axis=0)
    columns = [
        k
        for k, symbol in enumerate(features.bars.symbols)
        if symbol in pipeline.universe and lacking[k] and lacking[k] >= LACKING_FROM * bars[k]
    ]
    if not columns:
        return ()
    # A feature of every symbol that is asked about; one that has no value of it is not entered.
    barred = ["nothing is entered, as vwap has no value"] if {"vwap", "bars_above_vwap"} & {*pipeline.needs()} else []
    symbols = some([features.bars.symbols[k] for k in columns])
    return (
        f"{lacking[columns].sum():,} of {bars[columns].sum():,} bars of {symbols} have no volume; there "
        f"{', '.join([*readers, *barred])}",
    )


def _told(part: Signal | RiskModule) -> str:
    """What a signal or rule does without volume, in its own words where it has some; empty where it reads none."""
    if (said := part.without_volume()) is not None:
        return said
    names = [name.removeprefix("ta.") for name in part.needs() if reads_volume(name)]
    return f"reads {' and '.join(dict.fromkeys(names))} without one" if names else ""
