"""Runs the pipeline over a table of bars without Lumibot's loop; what comes out is the same, order for order."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from backtests.interruption import Interruption, RunInterrupted
from backtests.replay.broker import ReplayBroker, ReplayOrders
from backtests.replay.clock import iteration_times
from backtests.replay.meter import BarMeter
from backtests.replay.scores import TableEnsemble
from backtests.run_result import RunResult
from brokers.backtest.opening import wire
from config import Settings
from config.errors import Refusal
from config.process.silence import without_log_lines
from config.process.terminal import draws
from market.bars import BarTable
from market.market import Market
from risk.model import Book, Plan
from strategies.idle_settings import settings_without_effect
from strategies.run_notes import fit_of_rules


class ReplayRun:
    """One run of the combined strategy, with the attributes that readers of a Lumibot run use.

    Parameters
    ----------
    settings : Settings
    table : BarTable
        With the history before ``start`` that features warm up on.
    start, end : Timestamp
        First and last bar (by its opening time) that is decided on.
    submit : bool, default=True
        False decides and records, and sends nothing.
    dividends : mapping, optional
        USD a share, by row of the ex-date and symbol, for prices that do not hold them.
    columns : dict of str to ndarray, optional
        Features of this table known from earlier runs; new ones are added to it.
    brief : bool, default=False
        Leave out decisions that no order and no trade follows from, for trials whose decisions nobody reads.

    Raises
    ------
    Refusal
        If no bar lies in the window, or the settings do not fit the bars.
    """

    def __init__(
        self,
        settings: Settings,
        table: BarTable,
        start: pd.Timestamp,
        end: pd.Timestamp,
        *,
        submit: bool = True,
        dividends: Mapping[int, Mapping[str, float]] | None = None,
        columns: dict[str, Any] | None = None,
        brief: bool = False,
    ) -> None:
        self.times = iteration_times(table, start, end)
        if not self.times:
            raise Refusal(
                f"{table.source}: no bars between {start} and {end}; choose --start and --end inside the data"
            )
        self.settings = settings
        self.table = table
        self.broker = broker = ReplayBroker(self.times[0], float(settings.account.budget_usd))
        account = wire(
            broker, broker, ReplayOrders(), settings, table, dividends or {}, self.times[-1], submit, columns=columns
        )
        self.desk, self.feed, self.pipeline = account.desk, account.feed, account.pipeline
        self.record = account.record
        self.notes = (*account.notes, *settings_without_effect(settings))
        self._fit_told = brief
        self.pipeline.brief = brief
        eligible = np.array([symbol in self.pipeline.universe for symbol in table.symbols], dtype=bool)
        self.pipeline.ensemble = TableEnsemble(self.pipeline.ensemble, self.feed.features, eligible)
        self.book: Book | None = None
        self.plan: Plan | None = None

    @property
    def cash(self) -> float:
        """Cash of the account, USD."""
        return self.broker.cash

    def run(self) -> None:
        """Decide and match from the first bar to the last."""
        broker, desk = self.broker, self.desk
        for now in self.times:
            broker.match_before(now)
            broker.datetime = now
            self.book = desk.reconcile()
            self.plan = self.decide(now, self.book)
            self.desk.execute(self.plan)
            broker.match_now()

    def decide(self, now: datetime, book: Book) -> Plan:
        """One iteration's plan."""
        market = self.feed.snapshot()
        self._tell_of_fit(market, book)
        return self.pipeline.decide(market, book)

    def _tell_of_fit(self, market: Market, book: Book) -> None:
        """Once, at the first readings: what the rules can do little with on this account and these symbols."""
        if not self._fit_told and not market.empty:
            self._fit_told = True
            self.notes = (*self.notes, *fit_of_rules(self.pipeline, market, book.equity))


def replay(
    settings: Settings,
    table: BarTable,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    submit: bool = True,
    progress: bool = False,
    interruption: Interruption | None = None,
    dividends: Mapping[int, Mapping[str, float]] | None = None,
    columns: dict[str, Any] | None = None,
    brief: bool = False,
) -> RunResult:
    """Backtest on a table of bars, see ``ReplayRun``; ``progress`` shows a bar on a terminal's standard error.

    ``interruption`` is asked at every bar whether the run is to end there.

    Raises
    ------
    Refusal
        If no bar lies in the window, or the settings do not fit the bars.
    """
    begun = time.perf_counter()
    interruption = interruption or Interruption()
    with undisturbed():
        run = ReplayRun(settings, table, start, end, submit=submit, dividends=dividends, columns=columns, brief=brief)
        shown = None if progress and draws() else True
        with BarMeter(total=len(run.times), unit="bar", desc="backtest", disable=shown, leave=False) as meter:

            def on_bar(bars: int) -> None:
                interruption.check()
                meter.update(bars)

            run.broker.on_bar = on_bar
            with suppress(RunInterrupted):
                run.run()
    return RunResult(run.record, table, run, time.perf_counter() - begun, interruption.name)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Around a run: what it has to say is in its files, and its values need no garbage collector."""
    with without_log_lines(), _without_collector():
        yield


@contextmanager
def _without_collector() -> Iterator[None]:
    """A run makes hundreds of thousands of values and no cycles: looking for some takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # What the run leaves counts as old at once: as young it would be searched as soon as the collector is on.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
