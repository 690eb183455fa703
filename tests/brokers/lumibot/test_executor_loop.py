"""Lumibot's loop without its polling: nothing comes later than by itself, and nothing wakes in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lumibot.strategies import Strategy
from lumibot.strategies.strategy_executor import StrategyExecutor

from brokers.lumibot.executor_loop import JOB, CalmLoop
from tests.brokers.alpaca_venue import STRATEGY, Scene

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Idle(Strategy):
    """Decides nothing and notes its calls."""

    def initialize(self) -> None: ...

    def on_trading_iteration(self) -> None:
        self.parameters["iterations"].append(datetime.now(UTC))

    def on_new_order(self, order: Any) -> None:
        self.parameters["told"].set()


@pytest.fixture
def strategy() -> Iterator[Idle]:
    told = {"iterations": [], "told": threading.Event()}
    strategy = Idle(Scene(market="24/7").broker, name=STRATEGY, budget=None, parameters=told)
    strategy._executor._trace_stats = lambda *_: {}
    # Its jobs are called here, one by one.
    strategy._executor.ensure_scheduler().start(paused=True)
    yield strategy
    strategy._executor.gracefully_exit()


def begun(strategy: Idle, pace: str) -> Any:
    """The executor at the beginning of a session; an iteration is due at the next tick."""
    strategy.sleeptime = pace
    CalmLoop(strategy._executor)
    strategy._executor._setup_live_trading_scheduler()
    return strategy._executor


def next_run(executor: Any) -> datetime:
    found = executor.scheduler.get_job(JOB).next_run_time
    assert isinstance(found, datetime)
    return found.astimezone(UTC)


@pytest.mark.parametrize("took_s", [0, 1, 7, 13, 14, 15, 40])
def test_the_next_iteration_comes_at_the_tick_at_which_lumibot_s_count_would_be_full(
    strategy: Idle, monkeypatch: pytest.MonkeyPatch, took_s: int
) -> None:
    def iterate(executor: Any) -> None:
        executor.cron_count = executor._seconds_to_sleeptime_count(took_s, "s")

    monkeypatch.setattr(StrategyExecutor, "_on_trading_iteration", iterate)
    executor = begun(strategy, "15S")
    tick = next_run(executor)
    executor._on_trading_iteration()
    # Lumibot counts one at each tick and iterates at the one that makes it fifteen, but at none before the next.
    ticks = max(1, 15 - took_s)
    assert next_run(executor) == tick + (ticks - 1) * SECOND
    assert executor.cron_count + 1 >= executor.cron_count_target


@pytest.mark.parametrize(
    ("pace", "later"), [("15S", 14 * SECOND), ("1S", 0 * SECOND), ("5M", 4 * MINUTE), ("1H", 0 * SECOND)]
)
def test_an_iteration_is_left_out_at_no_tick_at_which_it_is_due(strategy: Idle, pace: str, later: timedelta) -> None:
    executor = begun(strategy, pace)
    tick = next_run(executor)
    executor._on_trading_iteration()
    assert next_run(executor) == tick + later
    executor._on_trading_iteration()
    assert len(strategy.parameters["iterations"]) == 2, "each call that is scheduled iterates"


def test_by_itself_lumibot_looks_in_between(strategy: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an upgrade of Lumibot's ends this, ``CalmLoop`` is to be looked at again."""
    strategy.sleeptime = "15S"
    executor = strategy._executor
    executor._setup_live_trading_scheduler()
    tick = next_run(executor)
    executor._on_trading_iteration()
    assert (next_run(executor), executor.cron_count, executor.cron_count_target) == (tick, 0, 15)
    timeouts: list[float] = []

    def noted(timeout: float) -> None:
        timeouts.append(timeout)
        executor.check_queue_stop_event.set()

    monkeypatch.setattr(executor._queue_wakeup, "wait", noted)
    executor.check_queue()
    assert timeouts[0] <= 0.5


def test_a_closed_market_is_looked_at_again_after_a_pace(strategy: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = begun(strategy, "15S")
    tick = next_run(executor)
    monkeypatch.setattr(executor.broker, "is_market_open", lambda: False)
    executor._on_trading_iteration()
    assert next_run(executor) == tick + 14 * SECOND
    assert strategy.parameters["iterations"] == []


def test_a_session_begins_with_the_next_tick(strategy: Idle) -> None:
    executor = begun(strategy, "15S")
    executor._on_trading_iteration()
    assert next_run(executor) > datetime.now(UTC) + 10 * SECOND
    executor._setup_live_trading_scheduler()
    assert next_run(executor) <= datetime.now(UTC) + SECOND


def test_an_iteration_that_ends_after_the_scheduler_is_nobody_s_error(strategy: Idle) -> None:
    executor = begun(strategy, "15S")
    executor.scheduler.remove_all_jobs()
    executor._on_trading_iteration()
    executor.scheduler = None
    executor._on_trading_iteration()


def test_events_are_handled_as_they_come_and_nobody_looks_in_between(strategy: Idle) -> None:
    executor = begun(strategy, "15S")
    strategy._first_iteration = executor.broker._first_iteration = False
    waits: list[tuple[Any, ...]] = []
    wait = executor._queue_wakeup.wait

    def noted(*timeout: Any, **named: Any) -> bool:
        waits.append((timeout, named))
        return bool(wait(*timeout, **named))

    executor._queue_wakeup.wait = noted
    thread = threading.Thread(target=executor.check_queue)
    thread.start()
    executor.add_event(executor.NEW_ORDER, {"order": object()})
    assert strategy.parameters["told"].wait(5)
    executor.check_queue_stop_event.set()
    thread.join(5)
    assert not thread.is_alive()
    assert all(wait == ((), {}) for wait in waits)
    assert 1 <= len(waits) <= 3
