"""What a backtest read of every symbol at a moment: worked out from its own data, up to the last bar closed by then."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from functools import cache

import pandas as pd

from backtests.request import RunRequest
from backtests.run_data import data_for
from config.values.markets import NEW_YORK
from market.features import FeatureTable
from monitoring.rows import ReadingRow
from risk.model import Plan
from strategies.adapt_to_bars import decision_bars, fit
from strategies.readings import readings
from strategies.registry import build_pipeline


def run_readings(request: RunRequest) -> Callable[[datetime | None], list[ReadingRow]]:
    """A function that gives the readings at a moment (None: the end of the run), dated by the close of their bar.

    Parameters
    ----------
    request : RunRequest
        As the run was asked for; its data are loaded at the first question.
    """

    @cache
    def table() -> FeatureTable:
        data = data_for(request, request.settings, has_been=True)
        pipeline = build_pipeline(request.settings)
        bars = decision_bars(data.table, request.settings)
        return FeatureTable(bars, pipeline.needs(), request.settings.universe.sectors)

    @cache
    def at(moment: datetime | None) -> list[ReadingRow]:
        features = table()
        pipeline = build_pipeline(request.settings)
        fit(pipeline, features.bars, request.settings)
        when = pd.Timestamp(features.bars.closes_at[-1] if moment is None else moment).tz_convert(NEW_YORK)
        market = features.market_at(when)
        if market.empty:
            return []
        # What the book held is told by the decisions; here no book is known, so that no size is asked for.
        found = readings(pipeline, features, market, Plan(when), None)
        last = market.row == len(features.bars.closes_at) - 1
        closed = pd.Timestamp(features.bars.closes_at[market.row]).tz_convert(NEW_YORK)
        return [
            ReadingRow(closed, r.symbol, _known(r.close), _known(r.atr), r.status, _told(r.status, r.text, last))
            for r in found
        ]

    return at


def _told(status: str, text: str, last: bool) -> str:
    if status == "blocked" and last:
        return f"{text}; the run ends with it, an order would need the next one"
    return f"{text}; what the account held then is not looked at here" if status == "blocked" else text


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
