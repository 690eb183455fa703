"""Runs a strategy over a data set, by Lumibot's backtester or by the replay engine."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backtests.data.data_sets import YAHOO, DataSet
from backtests.replay.engine import replay
from backtests.request import Engine, RunRequest
from backtests.run_result import RunResult
from config import Settings
from config.errors import Refusal
from strategies.registry import strategy_class

REPLAYED = "combined"


def chosen_strategy(request: RunRequest) -> type[Any] | None:
    """The strategy's class; None for the replay engine, which needs no Lumibot and runs the package's own alone.

    Raises
    ------
    Refusal
        If the replay engine is asked for another strategy.
    """
    if request.engine == "lumibot":
        return strategy_class(request.strategy)
    if request.strategy != REPLAYED:
        raise Refusal(
            f"--engine replay: runs the decisions of strategy {REPLAYED}, not the hooks of {request.strategy}; "
            "take --engine lumibot"
        )
    return None


def execute(
    data: DataSet,
    chosen: type[Any] | None,
    settings: Settings,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    altered: bool = False,
    engine: Engine = "lumibot",
    **options: Any,
) -> RunResult:
    """Run on the source that the data came from: Yahoo's through Lumibot's own class, others from the table.

    ``altered`` tells that the table is no longer what the source itself would say. The replay engine takes the same
    bars and dividends.
    """
    if engine == "replay":
        dividends = {}
        if data.source == YAHOO and not altered:
            from backtests.yahoo_runs import yahoo_dividends

            dividends = yahoo_dividends(data.table, start.date(), end.date())
        return replay(settings, data.table, start, end, dividends=dividends, **options)
    # Imported here: the replay engine needs no Lumibot.
    from backtests.engine import run_source, run_table

    if chosen is None:
        raise ValueError("the Lumibot engine needs a strategy class")
    if data.source != YAHOO:
        return run_table(chosen, settings, data.table, start, end, **options)
    from backtests.yahoo_runs import preload, yahoo_source

    source = yahoo_source(start.date(), end.date())
    if altered:
        preload(source, data.table)
    sessions = int(((data.table.opens_at >= start) & (data.table.opens_at <= end)).sum())
    return run_source(chosen, settings, source, sessions, **options)
