"""The figures of a run against hand-computed values."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from backtests.reports.metrics import curve_metrics, growth, max_drawdown, metrics, session_closes
from brokers.record import EquityRow, RunRecord, TradeRecord
from market.trading_day import use_day_of
from tests.backtests.sample import sample_record, sample_table

NEW_YORK = ZoneInfo("America/New_York")
NAMES = [
    "trades", "win_rate", "avg_win", "avg_loss", "avg_r", "profit_factor", "max_drawdown", "sharpe", "sortino", "cagr",
    "exposure", "turnover", "slippage_cost", "fees", "rejected", "resized", "protected_share",
]  # fmt: skip


def rows(*equity: float, hours: float = 24, first: datetime | None = None) -> list[EquityRow]:
    first = first or datetime(2024, 1, 2, 16, tzinfo=NEW_YORK)
    return [
        EquityRow(first + timedelta(hours=hours * k), value, value / 2, value * 0.4, value * 0.1, 2)
        for k, value in enumerate(equity)
    ]


def trade(pnl: float, r_multiple: float) -> TradeRecord:
    moment = datetime(2024, 1, 2, 16, tzinfo=NEW_YORK)
    return TradeRecord(
        "AAPL", "buy", 10, moment, 100, moment, 101, 95, 115, 2, None, pnl, r_multiple, "target", "trend", 80
    )  # fmt: skip


def test_names_are_those_of_the_summary() -> None:
    assert list(metrics(RunRecord(initial_equity=100.0))) == NAMES


def test_trades() -> None:
    record = RunRecord(
        initial_equity=1000.0, trades=[trade(300, 3), trade(-100, -1), trade(-50, math.nan), trade(0, 0)]
    )
    figures = metrics(record)
    assert figures["trades"] == 4
    assert figures["win_rate"] == 0.25
    assert figures["avg_win"] == 300
    assert figures["avg_loss"] == -75
    assert figures["avg_r"] == pytest.approx(2 / 3)
    assert figures["profit_factor"] == 2


def test_without_losers_the_profit_factor_is_undefined() -> None:
    figures = metrics(RunRecord(initial_equity=1000.0, trades=[trade(300, 3)]))
    assert figures["profit_factor"] is None
    assert figures["avg_loss"] is None


def test_an_empty_run_has_no_figures_but_counts() -> None:
    figures = metrics(RunRecord(initial_equity=1000.0))
    assert {name for name, value in figures.items() if value is not None} == {
        "trades", "slippage_cost", "fees", "rejected", "resized", "max_drawdown",
    }  # fmt: skip


def test_ratios_by_hand() -> None:
    # Session returns of +1 %, -1 % and +2 %: mean 0.02/3, deviation with one degree of freedom.
    record = RunRecord(initial_equity=100.0, equity=rows(101.0, 99.99, 101.9898, hours=24 * 50))
    deviation = math.sqrt(((0.01 - 0.02 / 3) ** 2 + (-0.01 - 0.02 / 3) ** 2 + (0.02 - 0.02 / 3) ** 2) / 2)
    figures = metrics(record)
    assert figures["sharpe"] == pytest.approx(0.02 / 3 / deviation * math.sqrt(252))
    assert figures["sortino"] == pytest.approx(0.02 / 3 / (0.01 / math.sqrt(3)) * math.sqrt(252))
    assert figures["max_drawdown"] == pytest.approx(0.01)
    assert figures["exposure"] == pytest.approx(0.5)


def test_ratios_agree_with_quantstats() -> None:
    stats = pytest.importorskip("quantstats_lumi.stats")
    rng = np.random.default_rng(1)
    closes = pd.Series(
        100 * np.cumprod(1 + rng.normal(0.001, 0.01, 300)), index=pd.bdate_range("2023-01-02", periods=300)
    )
    returns = closes.pct_change().dropna()
    figures = curve_metrics(closes)
    assert figures["sharpe"] == pytest.approx(stats.sharpe(returns, periods=252))
    assert figures["sortino"] == pytest.approx(stats.sortino(returns, periods=252))
    assert figures["max_drawdown"] == pytest.approx(-stats.max_drawdown(closes))


def test_sessions_are_closed_by_their_last_bar() -> None:
    first = datetime(2024, 1, 2, 10, tzinfo=NEW_YORK)
    record = RunRecord(initial_equity=100.0, equity=rows(101, 102, 103, 104, 105, hours=6, first=first))
    # 10:00, 16:00 and 22:00 of the first day, 04:00 and 10:00 of the second.
    assert session_closes(record).tolist() == [100.0, 103.0, 105.0]


def test_a_bar_that_closes_at_midnight_ends_its_day() -> None:
    first = datetime(2024, 1, 2, 12, tzinfo=NEW_YORK)
    record = RunRecord(initial_equity=100.0, equity=rows(101, 102, 103, hours=12, first=first))
    assert session_closes(record).tolist() == [100.0, 102.0, 103.0]


def test_drawdown_counts_from_the_initial_equity_and_within_a_session() -> None:
    first = datetime(2024, 1, 2, 10, tzinfo=NEW_YORK)
    record = RunRecord(initial_equity=100.0, equity=rows(80, 100, hours=1, first=first))
    assert metrics(record)["max_drawdown"] == pytest.approx(0.2)


def test_drawdown_of_nothing() -> None:
    assert max_drawdown(np.array([])) is None
    assert max_drawdown(np.array([100.0, 110.0])) == 0


def test_growth_per_year() -> None:
    assert growth(100, 121, 2) == pytest.approx(0.1)
    assert growth(100, 0, 2) is None
    assert growth(100, 110, 0) is None
    assert growth(1, 1e9, 0.001) is None


def test_turnover_is_per_year_and_per_equity() -> None:
    record = RunRecord(initial_equity=100.0, equity=rows(100, 100, hours=365.25 * 12), turnover=300.0)
    # Half a year by the clock on the wall; daylight saving takes an hour of it.
    assert metrics(record)["turnover"] == pytest.approx(6.0, rel=1e-3)


def test_a_year_counts_from_the_opening_of_the_first_bar_as_the_benchmark_s_does() -> None:
    opening = datetime(2024, 1, 2, 9, 30, tzinfo=NEW_YORK)
    record = RunRecord(initial_equity=100.0, began=opening, equity=rows(105, 110, hours=24 * 100), turnover=100.0)
    benchmark = pd.Series([100.0, 105, 110], index=[opening, *(row.time for row in record.equity)])
    figures = metrics(record)
    assert figures["cagr"] == curve_metrics(benchmark)["cagr"] != metrics(replace(record, began=None))["cagr"]
    assert figures["turnover"] == pytest.approx(100 / 107.5 * 365.25 * 24 / (24 * 100 + 6.5 - 1))


def test_nothing_is_stated_per_year_of_less_than_a_quarter() -> None:
    for days, stated in ((88, False), (92, True)):
        opening = datetime(2024, 1, 2, 16, tzinfo=NEW_YORK)
        record = RunRecord(
            initial_equity=100.0, began=opening, equity=rows(101, 99, 104, hours=12 * days), turnover=9.0
        )
        figures = metrics(record)
        assert {figures[name] is not None for name in ("sharpe", "sortino", "cagr", "turnover")} == {stated}
        benchmark = curve_metrics(session_closes(record))
        assert {benchmark[name] is not None for name in ("sharpe", "sortino", "cagr")} == {stated}
        assert benchmark["total_return"] == pytest.approx(0.04)


def test_a_flat_curve_has_no_ratios() -> None:
    figures = metrics(RunRecord(initial_equity=100.0, equity=rows(100, 100, 100, hours=24 * 50)))
    assert figures["sharpe"] is None and figures["sortino"] is None
    assert figures["max_drawdown"] == 0 and figures["cagr"] == 0


def test_decisions_are_counted_by_outcome() -> None:
    record = sample_record(sample_table())
    figures = metrics(record)
    assert figures["rejected"] == sum(d.final_quantity == 0 for d in record.decisions)
    assert figures["resized"] == sum(0 < d.final_quantity < d.proposed_quantity for d in record.decisions)
    assert figures["protected_share"] == 0.998


def test_exposure_adds_up_what_is_long_and_what_is_short() -> None:
    one = replace(rows(1000.0)[0], long_exposure=-100.0, inverse_exposure=0.0, gross_exposure=500.0)
    assert metrics(RunRecord(initial_equity=1000.0, equity=[one]))["exposure"] == 0.5
    # Of rows that were read back only the two are known.
    assert metrics(RunRecord(initial_equity=1000.0, equity=[replace(one, gross_exposure=None)]))["exposure"] == 0.1


def test_sessions_end_where_the_market_s_days_do() -> None:
    """A bar that closes at 20:00 in New York ends UTC's day there, not New York's."""
    hourly = rows(*map(float, range(100, 148)), hours=1, first=datetime(2024, 1, 2, 20, tzinfo=NEW_YORK))
    record = RunRecord(initial_equity=99.0, equity=hourly)
    use_day_of("UTC")
    try:
        in_utc = session_closes(record).tolist()
    finally:
        use_day_of("America/New_York")
    assert session_closes(record).tolist() == [99.0, 104.0, 128.0, 147.0]
    # 19:00 in New York is UTC's midnight: the first bar, an hour later, is of the day that begins there.
    assert in_utc == [99.0, 123.0, 147.0]
