"""A live feed sees what a backtest on a file of the same bars sees, and in time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtests.data.bar_files import read_bars
from config import load
from market.bar_tables import to_table
from market.bars import FIELDS
from market.features import FeatureTable
from strategies.registry import build_pipeline
from tests.brokers.desk.feedside import DataVenue, Json, feed

RELATIVE = 1e-6
"""Recursive averages keep a rest of their seed (a share of 1e-8)."""
FASTEST_ITERATION_S = 0.3
FIRST, LAST = "2023-02-01", "2023-03-08"


@pytest.fixture(scope="module")
def frame(shared_data: Path) -> pd.DataFrame:
    bars = read_bars(shared_data / "bars_5min.parquet", end=LAST)
    return bars[bars["datetime"] >= pd.Timestamp(FIRST, tz="America/New_York")].reset_index(drop=True)


def as_sent(frame: pd.DataFrame) -> dict[str, list[Json]]:
    times = pd.DatetimeIndex(frame["datetime"]).tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = zip(frame["symbol"], times, *(frame[name] for name in FIELDS), strict=True)
    found: dict[str, list[Json]] = {}
    for symbol, *values in rows:
        found.setdefault(str(symbol), []).append(dict(zip("tohlcv", values, strict=True)))
    return found


@pytest.mark.shared
def test_features_equal_a_backtests_at_each_row(frame: pd.DataFrame) -> None:
    rows = as_sent(frame)
    needs = build_pipeline(load(profile="intraday")).needs()
    whole = FeatureTable(to_table(frame, list(rows), "file"), needs, {})
    venue = DataVenue(rows, "2023-03-07 09:31")
    live = feed(venue, list(rows), needs=needs)
    times = pd.date_range("2023-03-07 09:37", "2023-03-07 16:02", freq="25min")
    for now in [*times, *pd.date_range("2023-03-08 09:36", "2023-03-08 10:36", freq="20min")]:
        venue.at(str(now))
        market = live.snapshot()
        row = whole.bars.row_closed_at(pd.Timestamp(now, tz="America/New_York"))
        assert live.bars is not None
        assert live.bars.opens_at[-1] == whole.bars.opens_at[row]
        for name, column in whole.columns.items():
            np.testing.assert_allclose(
                market.values(name).astype(float), column[row].astype(float), rtol=RELATIVE, err_msg=f"{name} {now}"
            )
        for name in FIELDS:
            shown = market.window(name, 500)
            np.testing.assert_array_equal(shown, getattr(whole.bars, name)[row + 1 - len(shown) : row + 1])
    assert len(venue.asked) == len(times) + 4


@pytest.mark.shared
def test_an_iteration_of_34_symbols_is_fast(frame: pd.DataFrame) -> None:
    few = as_sent(frame)
    rows = {f"{symbol}{k}": bars for k in range(4) for symbol, bars in few.items()}
    symbols = list(rows)[:34]
    venue = DataVenue({symbol: rows[symbol] for symbol in symbols}, "2023-03-07 10:02")
    live = feed(venue, symbols, needs=build_pipeline(load(profile="intraday")).needs())
    live.snapshot()
    spent = []
    for now in ("10:07", "10:12", "10:17"):
        venue.at(f"2023-03-07 {now}")
        found = venue.bars(symbols, 5, venue.asked[-1][2])
        venue.bars = lambda *_, answer=found, **__: answer
        began = time.process_time()
        live.snapshot()
        spent.append(time.process_time() - began)
        del venue.bars
    assert min(spent) < FASTEST_ITERATION_S
