"""The replay engine and Lumibot's loop leave the same bytes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import live_trader
from backtests.checks.lookahead import check
from backtests.data.data_sets import load_data, window
from backtests.engine import run_table
from backtests.execution import chosen_strategy, execute
from backtests.replay.clock import iteration_times
from backtests.replay.engine import replay
from backtests.reports.outputs import write_records
from backtests.request import EMBEDDED_OVERLAY
from backtests.run_data import wants_intraday
from backtests.run_result import RunResult
from config import Refusal, load
from market.calendar import sessions_until
from strategies.combined import CombinedStrategy
from strategies.registry import build_pipeline
from tests.backtests.replay.tables import NEW_YORK, grid_of, table_on
from tests.conftest import SHARED_DATA

FILES = ("orders.csv", "trades.csv", "equity.csv", "decisions.jsonl")


def files_of(result: RunResult, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write_records(folder, result.record)
    return {name: (folder / name).read_bytes() for name in FILES}


def assert_same(one: RunResult, other: RunResult, folder: Path) -> None:
    ours, theirs = files_of(one, folder / "lumibot"), files_of(other, folder / "replay")
    for name in FILES:
        assert ours[name] == theirs[name], name
    for figure in (
        "slippage_cost",
        "fees",
        "turnover",
        "interest",
        "parked",
        "position_bars",
        "protected_bars",
        "halts",
        "began",
    ):
        assert getattr(one.record, figure) == getattr(other.record, figure), figure


def both(profile, data, start, end, sets=None):
    settings = load(profile, overrides=sets or {}, overlays=[EMBEDDED_OVERLAY] if data == "embedded" else [])
    symbols = list(dict.fromkeys([*build_pipeline(settings).symbols(), settings.universe.benchmark]))
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    found = load_data(str(data), symbols, first, last, intraday=wants_intraday(settings), seed=0)
    begins, ends = window(found, first, last)
    return [
        execute(found, CombinedStrategy, settings, begins, ends, engine=engine) for engine in ("lumibot", "replay")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "start", "end", "sets"),
    [
        ("active", "2020-01-02", "2020-12-31", {}),
        ("swing", "2018-07-02", "2018-12-31", {}),
        ("intraday", "2023-06-05", "2023-06-09", {}),
        ("bench", "2022-01-03", "2022-12-30", {"fills.fee_per_share_usd": 0.01, "fills.fee_frac": 0.001,
                                                "fills.cash_interest_frac": 0.04}),
        ("bench", "2022-01-03", "2022-09-30", {"fills.entry_rests": True, "fills.fee_frac": 0.004,
                                               "fills.maker_fee_frac": 0.0025}),
        ("active", "2019-01-03", "2020-12-30", {"risk.chain": ["rebalancer", "trailing_stop"],
                                               "signals.enabled": ["trend", "momentum", "mean_reversion"],
                                               "signals.ensemble.quorum": 2, "signals.ensemble.min_vote_score": 0.0,
                                               "exits.model": "atr"}),
        # A stock stands for a fund: parked in it, cash is sold for entries, and its stop is hit now and then.
        ("active", "2019-01-03", "2019-12-30", {"risk.chain": ["exposure_budget", "cash_buffer", "cash_sweep"],
                                               "risk.modules.cash_sweep.funds": ["GOOG"],
                                               "universe.symbols": ["AAPL", "AMZN", "META", "NFLX", "NVDA"]}),
    ],
)  # fmt: skip
def test_embedded_bars(profile, start, end, sets, tmp_path, monkeypatch):
    # The embedded bars hold no T-bill fund.
    monkeypatch.setattr("config.cross_checks.T_BILL_FUNDS", {"GOOG"})
    lumibot, replayed = both(profile, "embedded", start, end, sets)
    assert len(lumibot.record.orders) > 10 and len(lumibot.record.trades) > 2
    assert_same(lumibot, replayed, tmp_path)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(
    ("profile", "file", "start", "end"),
    [
        ("active", "daily_universe.parquet", "2018-01-01", "2024-12-31"),
        ("swing", "daily_universe.parquet", "2019-01-01", "2021-12-31"),
        ("intraday", "bars_5min.parquet", "2022-09-01", "2022-11-30"),
    ],
)
def test_real_bars(profile, file, start, end, tmp_path):
    lumibot, replayed = both(profile, SHARED_DATA / file, start, end)
    assert len(lumibot.record.trades) > 20
    assert_same(lumibot, replayed, tmp_path)


class Watched(CombinedStrategy):
    """Notes when it is called."""

    def on_trading_iteration(self):
        self.__dict__.setdefault("times", []).append(self.broker.datetime)
        super().on_trading_iteration()


@pytest.mark.parametrize(
    "kind", ["daily with holes", "5 minutes with holes", "hours", "extended", "around the clock"]
)  # fmt: skip
@pytest.mark.parametrize("cut", [(0.0, 1.0), (0.31, 0.77), (0.5, 0.505)])
def test_markets_that_are_not_whole(kind, cut, tmp_path):
    table = table_on(grid_of(kind))
    start, end = (table.opens_at[int(share * (len(table) - 1))] for share in cut)
    settings = load(
        "bench",
        overrides={
            "universe.symbols": list(table.symbols), "universe.benchmark": "AAA", "universe.sectors": {},
            "signals.modules.mean_reversion.oversold_rsi": 45.0, "risk.modules.overbought_exit.rsi_above": 55.0,
            "sizing.max_notional_frac": 0.2, "sizing.risk_frac": 0.1,
        },
    )  # fmt: skip
    lumibot = run_table(Watched, settings, table, start, end)
    times = iteration_times(table, start, end)
    assert [pd.Timestamp(t) for t in lumibot.strategy.times] == [pd.Timestamp(t) for t in times]
    assert cut[0] == 0.5 or len(lumibot.record.orders) > 0
    assert_same(lumibot, replay(settings, table, start, end), tmp_path)


def test_the_command_line_writes_the_same_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common = ["--backtest", "--quiet", "--no-report", "--start", "2022-03-01", "--end", "2022-06-30", "--engine"]
    assert [live_trader.main([*common, engine, "--out", engine]) for engine in ("lumibot", "replay")] == [0, 0]
    for name in FILES:
        assert (tmp_path / "lumibot" / name).read_bytes() == (tmp_path / "replay" / name).read_bytes(), name


def test_only_the_packages_own_decisions_are_replayed():
    request = type("Request", (), {"engine": "replay", "strategy": "their_own"})()
    with pytest.raises(Refusal, match="not the hooks of their_own; take --engine lumibot"):
        chosen_strategy(request)


def test_a_window_without_bars_is_refused():
    table = table_on(grid_of("hours"))
    with pytest.raises(Refusal, match="no bars between"):
        replay(load("bench"), table, pd.Timestamp("2030-01-01", tz=NEW_YORK), pd.Timestamp("2030-02-01", tz=NEW_YORK))


def session_grid(days: int, minutes: int) -> pd.DatetimeIndex:
    """Whole regular sessions."""
    count = 390 // minutes
    return pd.DatetimeIndex(
        [
            pd.Timestamp(f"{day:%Y-%m-%d} 09:30", tz=NEW_YORK) + pd.Timedelta(minutes=minutes * n)
            for day in sessions_until(pd.Timestamp("2023-06-30"), days)
            for n in range(count)
        ]
    )


ON_DAYS = {
    "universe.symbols": ["AAA", "BBB", "CCC"], "universe.benchmark": "AAA", "selection.only_a_plus": False,
    "pace.windows": ["10:30", "15:45"], "selection.min_confidence": 0.5, "selection.execute": 1,
    "signals.enabled": ["momentum", "mean_reversion"], "signals.modules.momentum.min_volume_ratio": 0.5,
    "signals.modules.mean_reversion.oversold_rsi": 48.0, "exits.model": "atr",
    "risk.chain": ["exposure_budget", "cash_buffer", "rebalancer", "trailing_stop"],
    "risk.modules.trailing_stop.arm_r": 0.5,
}  # fmt: skip


def test_decisions_on_days_filled_on_shorter_bars(tmp_path):
    """Swing as it runs live: the days that are over, read at two times of the day, with fills on the bars after."""
    table, settings = table_on(session_grid(70, 15)), load("swing", overrides=ON_DAYS)
    begins, ends = table.opens_at[26 * 30], table.opens_at[-1]
    lumibot = run_table(CombinedStrategy, settings, table, begins, ends)
    replayed = replay(settings, table, begins, ends)
    assert_same(lumibot, replayed, tmp_path)
    entries = [order for order in lumibot.record.orders if order.role == "entry" and order.status == "filled"]
    assert len(entries) > 5
    assert {f"{order.time:%H:%M}" for order in entries} == {"10:30", "15:45"}
    assert {order.filled_time for order in entries} == {order.time for order in entries}, "at the opening of that bar"
    inside = {f"{trade.exit_time:%H:%M}" for trade in lumibot.record.trades if trade.exit_reason in ("stop", "target")}
    assert len(inside) > 3, "stops and targets act within the day"
    features = lumibot.strategy.feed.features
    assert features.bars.daily and len(features.bars) == 70
    by_time = {decision.time: decision for decision in lumibot.record.decisions}
    for moment, decision in by_time.items():
        yesterday = features.market_at(pd.Timestamp(moment))
        assert decision.proposal.price == yesterday.value("close", decision.proposal.symbol)
        assert features.bars.session[yesterday.row] == features.bars.opens_at.searchsorted(moment) - 2, (
            "and no later day"
        )
    assert any("decided on the days that are over, at 10:30 and 15:45" in note for note in lumibot.strategy.notes)


def test_nothing_that_is_decided_on_days_depends_on_later_bars():
    table, settings = table_on(session_grid(60, 15)), load("swing", overrides=ON_DAYS)
    begins, ends = table.opens_at[26 * 30], table.opens_at[-1]
    found = check(
        lambda bars: replay(settings, bars, begins, min(ends, bars.opens_at[-1])), table, begins, ends, cuts=6
    )
    assert found.clean, found.leaks
    assert found.decisions > 20 and found.features > 10_000


def test_bars_of_another_length_than_was_asked_for_are_refused():
    settings = load("active", overrides={"universe.symbols": ["AAA", "BBB", "CCC"], "pace.bars": 5})
    table = table_on(session_grid(5, 15))
    with pytest.raises(Refusal, match=r"--set: pace.bars is 5, the bars are of 15 minutes"):
        replay(settings, table, table.opens_at[0], table.opens_at[-1])
