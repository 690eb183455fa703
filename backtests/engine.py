"""Runs a strategy over a table of bars with Lumibot's own loop and returns what it did."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from queue import SimpleQueue
from typing import Any

import pandas as pd
from lumibot.strategies import Strategy
from lumibot.traders import Trader

from backtests.interruption import Interruption, RunInterrupted
from backtests.replay.meter import BarMeter
from backtests.run_result import RunResult
from brokers.backtest.broker import BarFillBroker
from brokers.backtest.source import CausalPandasData
from config import Settings
from config.errors import Refusal
from config.process.silence import without_log_lines
from config.process.terminal import draws
from market.bars import BarTable

VALUES_BETWEEN_COLLECTIONS = 50_000
"""New ones after which the garbage collector looks for cycles; Python's own 700 suit programs that keep less."""


def run_table(
    strategy_class: type[Strategy],
    settings: Settings,
    table: BarTable,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    submit: bool = True,
    progress: bool = False,
    interruption: Interruption | None = None,
) -> RunResult:
    """Backtest on a table of bars.

    Parameters
    ----------
    strategy_class : type
        ``CombinedStrategy`` or a subclass.
    table : BarTable
        With the history before ``start`` that features warm up on.
    start, end : Timestamp
        First and last bar (by its opening time) that is decided on.
    submit : bool, default=True
        False decides and records, and sends nothing.
    progress : bool, default=False
        Show a bar on standard error, if that is a terminal.
    interruption : Interruption, optional
        Asked at every bar whether the run is to end there.

    Raises
    ------
    Refusal
        If no bar lies in the window.
    """
    window = table.opens_at[(table.opens_at >= start) & (table.opens_at <= end)]
    if window.empty:
        raise Refusal(f"{table.source}: no bars between {start} and {end}; choose --start and --end inside the data")
    source = CausalPandasData(table, window[0].to_pydatetime(), window[-1].to_pydatetime(), show_progress_bar=False)
    return run_source(
        strategy_class, settings, source, len(window), submit=submit, progress=progress, interruption=interruption
    )


def run_source(
    strategy_class: type[Strategy],
    settings: Settings,
    source: Any,
    bars: int,
    *,
    submit: bool = True,
    progress: bool = False,
    interruption: Interruption | None = None,
) -> RunResult:
    """Backtest on any Lumibot backtesting source; ``bars`` is the expected number, for the progress bar."""
    begun = time.perf_counter()
    broker = BarFillBroker(source)
    start, end = source.datetime_start, source.datetime_end
    with (
        # Lumibot logs per fill; a run says what it did in its files.
        without_log_lines(),
        _patient_collector(),
        BarMeter(
            total=bars, unit="bar", desc="backtest", disable=None if progress and draws() else True, leave=False
        ) as meter,
    ):
        interruption = interruption or Interruption()

        def on_bar(bars: int) -> None:
            interruption.check()
            meter.update(bars)

        broker.on_bar = on_bar
        strategy = strategy_class(
            broker,
            name=strategy_class.__name__,
            budget=settings.account.budget_usd,
            parameters={"settings": settings, "submit": submit},
            backtesting_start=_plain(start),
            backtesting_end=_plain(end),
            benchmark_asset=None,
            analyze_backtest=False,
            include_cash_positions=True,
            save_logfile=False,
        )
        # Lumibot's statistics rows list every position at every bar; they only feed its own analysis.
        strategy._executor._trace_stats = lambda *_: {}
        # A backtest has no scheduler; Lumibot would import its library to find that out, in every iteration.
        strategy._executor.get_next_ap_scheduler_run_time = lambda: None
        # Asked several times an iteration whether they have anything to say, which they have not, see _quiet.
        strategy.logger = logging.getLogger("lumibot.strategies")
        # The loop asks them several times an iteration, in one thread.
        strategy._executor.queue, strategy._executor.priority_queue = SimpleQueue(), SimpleQueue()
        trader = Trader(backtest=True, quiet_logs=True)
        # Lumibot takes Ctrl-C for itself, ends its loop, and leaves a run that looks complete.
        trader._stop_pool = interruption.ask
        trader.add_strategy(strategy)
        try:
            trader.run_all(show_plot=False, show_tearsheet=False, save_tearsheet=False, show_indicators=False)
        except Exception:
            # What ended the run is on the executor, see below; Lumibot reports another exception of it.
            if not interruption.asked:
                raise
        finally:
            # Lumibot keeps the exception of a failed run on its executor and reports another.
            failure = getattr(strategy._executor, "exception", None)
            if failure is not None and not isinstance(failure, RunInterrupted):
                raise failure
    return RunResult(strategy.record, broker.bars, strategy, time.perf_counter() - begun, interruption.name)


def _plain(moment: datetime) -> datetime:
    return moment.to_pydatetime() if isinstance(moment, pd.Timestamp) else moment


@contextmanager
def _patient_collector() -> Iterator[None]:
    """A run's record only grows: looking through it and all that is imported at every 700 values finds no garbage.

    Lumibot leaves some cycles behind, so they are still looked for, less often.
    """
    often = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(VALUES_BETWEEN_COLLECTIONS, *often[1:])
    try:
        yield
    finally:
        gc.set_threshold(*often)
        gc.unfreeze()
