"""Interest on idle cash in a backtest, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from backtests.reports.metrics import curve_metrics, excess_returns, session_closes
from tests.brokers.harness import FREE, daily_table, minute_table, run, send

QUIET = (100.0, 101.0, 99.0, 100.0)
A_DAY = 0.0001
PAYS = FREE.model_copy(update={"cash_interest_frac": A_DAY * 365})


def cash_of(done) -> list[float]:
    return [row.cash for row in done.record.equity]


def test_each_calendar_day_pays_and_a_weekend_counts_three_of_them():
    done = run(daily_table(X=[QUIET] * 7), {}, fills=PAYS)
    # Monday to Friday, then Monday and Tuesday.
    growth = [1, 1, 1, 1, 1, 3, 1]
    expected = [10_000.0]
    for days in growth[1:]:
        expected.append(round(expected[-1] * (1 + A_DAY * days), 6))
    assert cash_of(done) == pytest.approx(expected, abs=1e-6)
    assert done.record.interest == pytest.approx(expected[-1] - 10_000)


def test_what_is_invested_earns_none():
    done = run(daily_table(X=[QUIET] * 4), {1: send(60, "buy")}, fills=PAYS)
    # Until Tuesday's opening all is idle, from then on 4,000 and the first day's 1.00.
    assert cash_of(done) == pytest.approx([10_000, 4_001, 4_001.4001, 4_001.80024], abs=1e-4)


def test_the_proceeds_of_a_short_sale_earn_none():
    done = run(daily_table(X=[QUIET] * 3), {0: send(50, "sell_short")}, fills=PAYS)
    assert cash_of(done) == pytest.approx([15_000, 15_001, 15_002.0001], abs=1e-4)


def test_bars_within_a_session_pay_nothing_and_without_a_rate_none_do():
    done = run(minute_table(30, [[QUIET] * 3, [QUIET] * 2]), {}, fills=PAYS)
    assert cash_of(done) == pytest.approx([10_000] * 3 + [10_001] * 2)
    assert run(daily_table(X=[QUIET] * 7), {}).record.interest == 0


def test_run_and_benchmark_are_charged_for_the_same_days():
    """A bar's day ends at midnight; the benchmark is led by its first open, the run by a moment before its close."""
    ends = pd.date_range("2023-01-02", periods=4, freq="D", tz="America/New_York")
    for first in (ends[:1] - pd.Timedelta(days=1), ends[:1] - pd.Timedelta(microseconds=1)):
        closes = pd.Series([100.0] * 5, index=first.append(ends))
        assert excess_returns(closes, 0.365) == pytest.approx([0, -0.001, -0.001, -0.001])


def test_ratios_are_over_what_cash_earns():
    days = pd.bdate_range("2023-01-02", periods=300, tz="America/New_York") + pd.Timedelta(hours=16)
    done = run(daily_table(X=[QUIET] * 300), {}, fills=FREE.model_copy(update={"cash_interest_frac": 0.05}))
    idle = curve_metrics(session_closes(done.record), 252, 0.05)
    assert done.record.interest > 0 and idle["total_return"] > 0.05
    assert (idle["sharpe"], idle["sortino"]) == (None, None), "cash has no excess return"
    moves = pd.Series([1.002, 0.999] * 150, index=days).cumprod() * 100
    free, charged = curve_metrics(moves), curve_metrics(moves, 252, 0.04)
    assert free["sharpe"] is not None and charged["sharpe"] is not None
    # Cash is credited for the calendar days between two sessions, three of them over a weekend.
    excess = [
        one / other - 1 - 0.04 * (day.date() - before.date()).days / 365
        for one, other, day, before in zip(moves[1:], moves, days[1:], days, strict=False)
    ]
    assert charged["sharpe"] == pytest.approx(np.mean(excess) / np.std(excess, ddof=1) * math.sqrt(252))
    assert free["sharpe"] == pytest.approx(moves.pct_change().mean() / moves.pct_change().std() * math.sqrt(252))
    assert free["total_return"] == charged["total_return"]
