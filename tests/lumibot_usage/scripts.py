"""Backtests as scripts of Lumibot's users make them, and the engine's own of the same year."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from lumibot.backtesting import PandasDataBacktesting
from lumibot.entities import Asset, Data

from backtests import embedded
from backtests.engine import run_table
from config import load
from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from strategies.combined import CombinedStrategy

ROOT = Path(__file__).parents[2]
SYMBOLS = (*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE)
START, END = datetime.fromisoformat("2022-01-01"), datetime.fromisoformat("2022-12-31")
PARAMETERS = {"profile": "active", "config": [embedded.OVERLAY]}
MANY = {"selection.min_confidence": 0.5}
"""Every condition that is just met may enter."""
QUIET = {"analyze_backtest": False, "save_stats_file": False, "show_progress_bar": False, "quiet_logs": True}
COLUMNS = ["open", "high", "low", "close", "volume"]


def frames(bars: pd.DataFrame, timestep: str = "day", zone: str | None = None) -> dict[Asset, Data]:
    """``pandas_data`` as a Lumibot script makes it."""
    found = {}
    for symbol, rows in bars.groupby("symbol", observed=True):
        frame = rows.set_index("datetime")[COLUMNS]
        asset = Asset(str(symbol))
        found[asset] = Data(asset, frame if zone is None else frame.tz_localize(zone), timestep=timestep)
    return found


def backtest(strategy: type[CombinedStrategy] = CombinedStrategy, **options: Any) -> Any:
    """A backtest in the style of Lumibot's documentation; returns the strategy that ran."""
    given = {"pandas_data": frames(embedded.daily()), "parameters": PARAMETERS, "benchmark_asset": None, **QUIET}
    return strategy.run_backtest(PandasDataBacktesting, START, END, **given | options)[1]


def engine(overrides: dict[str, Any]) -> Any:
    """The same year through the package's own engine; returns its record."""
    table = to_table(embedded.daily(), SYMBOLS, "embedded")
    window = [pd.Timestamp(day, tz=NEW_YORK) for day in (START, END)]
    settings = load("active", overrides=overrides, overlays=[embedded.OVERLAY])
    return run_table(CombinedStrategy, settings, table, *window).record


def same(record: Any, expected: Any) -> None:
    assert len(expected.orders) > 50
    assert record.orders == expected.orders
    assert record.equity == expected.equity
    assert repr(record.trades) == repr(expected.trades)
    assert [repr(d.verdicts) for d in record.decisions] == [repr(d.verdicts) for d in expected.decisions]
