"""What a Lumibot user does with the strategy: scripts, a Trader by hand, Lumibot's own defaults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime

import pandas as pd
import pytest
from lumibot.backtesting import BacktestingBroker, PandasDataBacktesting
from lumibot.traders import Trader

from backtests import embedded
from backtests.engine import run_table
from config import load
from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from strategies.combined import CombinedStrategy
from tests.lumibot_usage.scripts import END, MANY, PARAMETERS, QUIET, ROOT, START, SYMBOLS, backtest, frames, same


@pytest.mark.parametrize("zone", [None, NEW_YORK, "UTC"])
def test_a_plain_script_sends_the_orders_of_the_engine(ours, zone):
    same(backtest(pandas_data=frames(embedded.daily(), zone=zone)).record, ours)


def test_backtest_returns_lumibot_s_own_figures(ours):
    results = CombinedStrategy.backtest(
        PandasDataBacktesting, START, END,
        pandas_data=frames(embedded.daily()), parameters=PARAMETERS, benchmark_asset=None, **QUIET,
    )  # fmt: skip
    # Lumibot notes the value at each opening, so its last is that of the close before.
    assert results["total_return"] == pytest.approx(ours.equity[-2].equity / 100_000 - 1, abs=1e-4)


def test_settings_can_be_named_one_by_one_and_loaded_ones_decide_alone(ours):
    calm = backtest(parameters=PARAMETERS | {"set": MANY | {"selection.execute": 1, "universe.symbols": ["NVDA"]}})
    assert {o.symbol for o in calm.record.orders if o.role == "entry"} == {"NVDA"}
    loaded = backtest(parameters={"settings": load("active", overlays=[embedded.OVERLAY]), "profile": "swing"})
    same(loaded.record, ours)


@pytest.mark.parametrize("start", ["2023-06-01", "2023-06-01T11:30"], ids=["opening", "within a session"])
def test_intraday_frames_send_the_orders_of_the_engine(start):
    bars = embedded.intraday("2023-05-22", "2023-06-08")
    window = [datetime.fromisoformat(moment) for moment in (start, "2023-06-08")]
    settings = load("intraday", overlays=[embedded.OVERLAY])
    plain = CombinedStrategy.run_backtest(
        PandasDataBacktesting, *window,
        pandas_data=frames(bars, "minute"), parameters={"settings": settings}, benchmark_asset=None, **QUIET,
    )[1]  # fmt: skip
    table = to_table(bars, SYMBOLS, "embedded")
    expected = run_table(CombinedStrategy, settings, table, *(pd.Timestamp(day, tz=NEW_YORK) for day in window))
    assert len(expected.record.orders) > 10
    assert plain.record.orders == expected.record.orders
    assert plain.record.equity == expected.record.equity


def test_one_file_may_be_given_without_a_list(tmp_path, ours):
    path = tmp_path / "mine.yaml"
    path.write_text(embedded.OVERLAY.read_text())
    for config in (path, str(path)):
        same(backtest(parameters={"config": config}).record, ours)


def test_a_trader_by_hand(ours):
    source = PandasDataBacktesting(
        datetime_start=START, datetime_end=END, pandas_data=frames(embedded.daily()), show_progress_bar=False
    )
    strategy = CombinedStrategy(
        BacktestingBroker(source), name="by hand", budget=100_000, parameters=PARAMETERS, benchmark_asset=None,
        analyze_backtest=False,
    )  # fmt: skip
    trader = Trader(backtest=True, quiet_logs=True)
    trader.add_strategy(strategy)
    results = trader.run_all(show_plot=False, show_tearsheet=False, save_tearsheet=False, show_indicators=False)
    assert list(results) == ["by hand"]
    same(strategy.record, ours)


@pytest.mark.slow
def test_lumibot_s_defaults_need_no_network_and_make_a_real_tearsheet(empty_folder, ours):
    """Nothing is said of benchmark (SPY), treasury yield and reports: what most scripts do."""
    done = CombinedStrategy.run_backtest(
        PandasDataBacktesting, START, END, pandas_data=frames(embedded.daily()), parameters=PARAMETERS
    )[1]
    same(done.record, ours)
    assert {p.name for p in empty_folder.iterdir()} == {"logs"}
    (sheet,) = empty_folder.glob("logs/*_tearsheet.html")
    text = sheet.read_text()
    assert len(text) > 100_000 and embedded.COMPOSITE in text
    (figures,) = empty_folder.glob("logs/*_tearsheet_metrics.json")
    told = json.loads(figures.read_text())
    assert told["metadata"].get("status") != "unavailable"
    for name in ("trades.csv", "stats.csv", "settings.json", "tearsheet.csv"):
        assert len(list(empty_folder.glob(f"logs/*_{name}"))) == 1, name


# Runs in a process of its own, as Lumibot reads the cache folder when it is first imported.
YAHOO_AND_FILE = """
import sys
from datetime import datetime
from pathlib import Path
from backtests import embedded
from backtests.data import yahoo_cache
from backtests.reports.order_outcomes import with_outcomes
from backtests.reports.outputs import write_records
from config.process.environment import own_the_run
own_the_run()
from lumibot.backtesting import YahooDataBacktesting
from lumibot.tools.yahoo_helper import YahooHelper
from strategies.combined import CombinedStrategy
import live_trader

bars = embedded.daily()
bars = bars[bars.datetime <= "2023-06-30"]
bars.to_parquet("bars.parquet")
yahoo_cache.fill(bars)
for symbol in embedded.STOCKS:
    # Yahoo tells splits and has adjusted its prices for them already.
    frame = YahooHelper.check_pickle_file(symbol, "1d").data
    frame.loc[frame.index[::20], "Stock Splits"] = 4.0
    YahooHelper.dump_pickle_file(symbol, "1d", frame)
_, strategy = CombinedStrategy.run_backtest(
    YahooDataBacktesting, datetime(2021, 6, 1), datetime(2023, 7, 2, 12), benchmark_asset=None,
    parameters={"profile": "active", "config": [embedded.OVERLAY], "set": {"selection.min_confidence": 0.5}},
    analyze_backtest=False, show_progress_bar=False, quiet_logs=True,
)
# As the command line does: a decision ends with what the gate said of its order.
strategy.record.decisions = with_outcomes(strategy.record)
Path("yahoo").mkdir()
write_records(Path("yahoo"), strategy.record)
sys.exit(live_trader.main([
    "--backtest", "--data", "bars.parquet", "--config", str(embedded.OVERLAY), "--start", "2021-06-01",
    "--end", "2023-06-30", "--set", "selection.min_confidence=0.5", "--out", "file", "--quiet",
]))
"""


@pytest.mark.slow
def test_yahoo_and_a_file_with_the_same_bars_leave_the_same_files(tmp_path):
    """The window ends on a Sunday, the cache on the Friday before."""
    environment = {**os.environ, "LUMIBOT_CACHE_FOLDER": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", YAHOO_AND_FILE], check=False, cwd=tmp_path, env=environment, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("orders.csv", "trades.csv", "equity.csv", "decisions.jsonl"):
        expected = (tmp_path / "file" / name).read_text()
        assert expected.count("\n") > 20, name
        assert (tmp_path / "yahoo" / name).read_text() == expected, name
