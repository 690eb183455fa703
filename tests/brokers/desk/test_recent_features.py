"""Features of a live feed: the values of a whole table, of which the newest rows are kept (SIG-1)."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from brokers.desk.data import recent_features
from brokers.desk.data.recent_features import RecentFeatures, RecentRows
from market.bars import PRICES, BarTable
from market.features import FeatureTable
from tests.backtests.test_parity import context

NAMES = (
    "rsi_14", "atr_14", "atr_mean_14_20", "adx_14", "ema_20", "higher_ema_5", "session_rows_3", "history_50", "mean_10",
    "roc_5", "high_10", "low_10", "mean_volume_20", "vwap", "session_bar", "bars_above_vwap", "bars_above_ema_9",
    "bars_aligned_5_9_20", "ta.sma_3",
)  # fmt: skip


@pytest.fixture(scope="module")
def table() -> BarTable:
    """Bars of several symbols, of which some are missing and one has no bars at all."""
    whole = context().table
    chance = np.random.default_rng(3)
    arrays = {name: getattr(whole, name)[:300].copy() for name in (*PRICES, "volume")}
    width = len(whole.symbols)
    missing = chance.random((300, width)) < 0.05
    missing[:, 0], missing[:, width - 1] = False, True
    for array in arrays.values():
        array[missing] = np.nan
    return replace(whole.head(300), **arrays)


@pytest.mark.parametrize("block", [1, 2, 64])
def test_a_decision_reads_the_same_values(table: BarTable, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_features, "BLOCK", block)
    monkeypatch.setattr(recent_features, "MOST_BYTES", 8 * 20 * len(table.symbols) * len(NAMES))
    whole, recent = FeatureTable(table, NAMES, {}), RecentFeatures(table, NAMES, {})
    at = table.closes_at[-1]
    theirs, ours = whole.market_at(at), recent.market_at(at)
    assert len(table.symbols) > 2 and ours.row == len(table) - 1
    for name in (*NAMES, "mark", "usable"):
        np.testing.assert_array_equal(ours.values(name), theirs.values(name), err_msg=name)
        np.testing.assert_array_equal(ours.window(name, 20), theirs.window(name, 20), err_msg=name)
        for symbol in table.symbols:
            np.testing.assert_array_equal(ours.value(name, symbol), theirs.value(name, symbol))
            assert recent.why_unusable(ours.row, symbol) == whole.why_unusable(theirs.row, symbol)
    kept = [column for column in recent.columns.values() if isinstance(column, RecentRows)]
    assert len(kept) == len(NAMES) and all(column._all is None for column in kept)
    # Earlier rows are there as well, for whoever reads them.
    for name in NAMES:
        np.testing.assert_array_equal(ours.window(name, 21), theirs.window(name, 21), err_msg=name)
        np.testing.assert_array_equal(ours.window(name, 1_000), theirs.window(name, 1_000), err_msg=name)
        for row in (0, 40, len(table) - 21, len(table) - 20):
            found = ours.value_at(row, name, table.symbols[0]), theirs.value_at(row, name, table.symbols[0])
            np.testing.assert_array_equal(*found)
    assert all(column._all is not None for column in kept)
    assert np.isfinite(theirs.value("rsi_14", table.symbols[0]))


def test_few_symbols_keep_every_row(table: BarTable) -> None:
    recent = RecentFeatures(table, NAMES, {})
    assert all(isinstance(column, np.ndarray) for column in recent.columns.values())
    whole = FeatureTable(table, NAMES, {})
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(recent.columns[name], column, err_msg=name)


def test_a_table_goes_as_soon_as_nobody_has_it(table: BarTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_features, "MOST_BYTES", 0)
    gc.collect()
    gc.disable()
    try:
        recent = RecentFeatures(table, NAMES, {})
        column = recent.columns["rsi_14"]
        assert isinstance(column, RecentRows)
        gone = weakref.ref(recent), weakref.ref(column)
        del recent, column
        assert [it() for it in gone] == [None, None]
    finally:
        gc.enable()


def test_rows_that_are_kept_read_like_an_array(table: BarTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_features, "MOST_BYTES", 0)
    column = RecentFeatures(table, NAMES, {}).columns["rsi_14"]
    whole = FeatureTable(table, NAMES, {}).columns["rsi_14"]
    assert isinstance(column, RecentRows) and len(column) == len(whole)
    last, mask = len(whole) - 1, np.arange(len(whole)) % 3 == 0
    backwards = slice(None, None, -1), slice(last, None, -2)
    for key in (-1, last, np.int64(last), *backwards, [0, last], mask, ..., (last, 0)):
        np.testing.assert_array_equal(column[key], whole[key], err_msg=str(key))
    np.testing.assert_array_equal(np.isnan(column), np.isnan(whole))


def test_neither_the_newest_rows_nor_earlier_ones_can_be_written_into(table, monkeypatch):
    monkeypatch.setattr(recent_features, "MOST_BYTES", 8 * 20 * len(table.symbols))
    market = RecentFeatures(table, ("ema_20",), {}).market_at(table.closes_at[-1])
    for name, bars in (("close", 5), ("ema_20", 5), ("ema_20", 200)):
        with pytest.raises(ValueError, match="read-only"):
            market.window(name, bars)[-1] = 0.0
        with pytest.raises(ValueError, match="read-only"):
            market.values(name)[0] = 0.0
