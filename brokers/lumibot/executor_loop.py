"""Lumibot's loop sleeps until there is something to do; by itself it looks whether there is, many times a second.

Events and iterations come when they came before, or sooner.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

JOB = "OTIM"
"""Lumibot's name for the job that iterates."""
TICKS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "t": timedelta(minutes=1)}
"""How far apart Lumibot looks whether an iteration is due, by the unit of the pace; hours and days need no count."""


class CalmLoop:
    """Takes the polling out of one executor of Lumibot's, before its loop begins.

    Its thread for events waits for one instead of looking every tenth of a second. Its scheduler wakes when the next
    iteration is due instead of counting the seconds until then, in each of which Lumibot would value the account.

    Parameters
    ----------
    executor : lumibot.strategies.strategy_executor.StrategyExecutor
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._add_event, self._iterate = executor.add_event, executor._on_trading_iteration
        self._set_up = executor._setup_live_trading_scheduler
        executor.check_queue_stop_event = _WakingEvent(executor._queue_wakeup)
        executor.add_event, executor.check_queue = self._add, self._handle_events
        executor._on_trading_iteration = self._iterate_and_wait
        executor._setup_live_trading_scheduler = self._begin

    def _add(self, name: str, payload: Any) -> None:
        self._add_event(name, payload)
        self._executor._queue_wakeup.set()

    def _handle_events(self) -> None:
        """Hand over events as they come; SMART_LIMIT orders, which would need looks in between, are refused."""
        executor = self._executor
        while not executor.check_queue_stop_event.is_set():
            executor.process_queue()
            executor._queue_wakeup.wait()
            executor._queue_wakeup.clear()

    def _begin(self) -> None:
        """Begin a session: the first iteration is due at the next tick."""
        self._set_up()
        if (job := self._executor.scheduler.get_job(JOB)) is not None:
            job.modify(next_run_time=job.trigger.get_next_fire_time(None, datetime.now(UTC)))

    def _iterate_and_wait(self) -> None:
        try:
            self._iterate()
        finally:
            self._wait_until_due()

    def _wait_until_due(self) -> None:
        """Leave out the ticks at which Lumibot would only count."""
        executor = self._executor
        # The next tick iterates whatever the count, if as many as that have been left out before it.
        left_out = executor.cron_count_target - executor.cron_count - 1
        tick = TICKS.get(str(executor.strategy.sleeptime)[-1].lower())
        scheduler = executor.scheduler
        job = None if scheduler is None else scheduler.get_job(JOB)
        if left_out < 1 or tick is None or job is None:
            return
        # At the end of the trader the job goes.
        with contextlib.suppress(KeyError):
            job.modify(next_run_time=job.next_run_time.astimezone(UTC) + left_out * tick)
            executor.cron_count += left_out


class _WakingEvent(threading.Event):
    """An event that wakes whoever waits for another one."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def set(self) -> None:
        super().set()
        self._other.set()
