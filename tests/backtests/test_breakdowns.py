"""Trades by group add up to all trades, and streaks are counted in order of the exits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backtests.reports.breakdowns import Streaks, by_exit, by_month, by_signal, by_symbol, streaks
from tests.backtests.sample import sample_record, sample_table

TRADES = sample_record(sample_table(200)).trades


@pytest.mark.parametrize("grouping", [by_symbol, by_signal, by_exit, by_month])
def test_groups_add_up(grouping) -> None:
    groups = grouping(TRADES)
    assert len(groups) > 1
    assert sum(group.trades for group in groups) == len(TRADES)
    assert sum(group.pnl for group in groups) == pytest.approx(sum(trade.pnl for trade in TRADES))
    assert grouping([]) == []


def test_figures_of_a_group() -> None:
    one, two, three = (replace(TRADES[0], symbol="X", pnl=pnl, r_multiple=r)
                       for pnl, r in ((30.0, 1.0), (-10.0, -0.5), (0.0, float("nan"))))  # fmt: skip
    (group,) = by_symbol([one, two, three])
    assert (group.trades, group.pnl, group.profit_factor) == (3, 20.0, 3.0)
    assert group.win_rate == pytest.approx(1 / 3)
    assert group.avg_r == pytest.approx(0.25)
    held = (one.exit_time - one.entry_time).total_seconds() / 86_400
    assert group.days_held == pytest.approx(held)
    (winner,) = by_symbol([one])
    assert winner.profit_factor is None


def test_months_stand_in_order_of_time_and_symbols_in_order_of_profit() -> None:
    months = [group.name for group in by_month(TRADES)]
    assert months == sorted(months)
    profits = [group.pnl for group in by_symbol(TRADES)]
    assert profits == sorted(profits, reverse=True)


def test_streaks() -> None:
    ordered = sorted(TRADES[:6], key=lambda trade: trade.exit_time)
    results = [replace(trade, pnl=pnl) for trade, pnl in zip(ordered, (1.0, 2.0, -1.0, 0.0, -3.0, 1.0), strict=True)]
    # Whatever the order they come in, and a trade without a profit is no winner.
    assert streaks(reversed(results)) == Streaks(winning=2, losing=3)
    assert streaks([]) == Streaks(0, 0)
