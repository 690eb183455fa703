from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Refusal
from market.bars import BarTable
from market.features import FeatureTable, bars_to_settle
from tests.strategies.tables import table, walk

WILDER = ("rsi_14", "atr_14", "adx_14", "atr_mean_14_20", "ema_9", "ema_21")
WINDOWS = ("roc_20", "high_20", "mean_20", "mean_volume_20", "vwap", "session_bar", "bars_above_vwap")
SHORT = (
    "rsi_3", "atr_3", "adx_3", "atr_mean_3_4", "ema_3", "mean_4", "roc_4", "high_4", "low_4", "mean_volume_4", "vwap",
    "session_bar", "bars_above_vwap", "bars_above_ema_3", "bars_aligned_2_3_5",
)  # fmt: skip
nan = np.nan


def features(bars: BarTable, *names: str) -> FeatureTable:
    return FeatureTable(bars, names, {"S0": "tech"})


def tail(bars: BarTable, rows: int) -> BarTable:
    cut = slice(len(bars) - rows, None)
    return replace(
        bars, opens_at=bars.opens_at[cut], closes_at=bars.closes_at[cut], session=bars.session[cut],
        open=bars.open[cut], high=bars.high[cut], low=bars.low[cut], close=bars.close[cut], volume=bars.volume[cut],
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16), rows=st.integers(1, 60), width=st.integers(1, 5), session_bars=st.sampled_from([1, 7]),
    missing=st.sampled_from([0.0, 0.05, 0.5]), cut=st.floats(0, 1),
)  # fmt: skip
def test_cutting_the_table_changes_no_value_before_the_cut(seed, rows, width, session_bars, missing, cut):
    random = np.random.default_rng(seed)
    begins, ends = random.integers(0, rows, width) // 2, rows - random.integers(0, rows, width) // 3
    row = np.arange(rows)[:, np.newaxis]
    present = (random.random((rows, width)) >= missing) & (row >= begins) & (row < ends)
    if missing == 0:
        present[:] = True
    bars = walk(rows, width, seed, session_bars, present)
    kept = int(cut * rows)
    whole, part = features(bars, *SHORT), features(bars.head(kept), *SHORT)
    for name, column in part.columns.items():
        assert np.array_equal(column, whole.columns[name][:kept], equal_nan=column.dtype != bool), name


def test_a_symbol_gives_the_same_values_alone_and_among_others():
    present = np.random.default_rng(3).random((80, 12)) > 0.1
    bars = walk(80, 12, present=present)
    # numpy adds up a single column in another order than one of many, which shows from eight rows on
    names = (*SHORT, "ema_9", "ema_14", "ema_21", "ema_50", "rsi_14", "atr_14", "mean_20")
    among = features(bars, *names)
    for k in range(12):
        own = slice(k, k + 1)
        prices = {name: getattr(bars, name)[:, own] for name in ("open", "high", "low", "close", "volume")}
        alone = features(replace(bars, symbols=(f"S{k}",), **prices), *names)
        for name, column in alone.columns.items():
            assert np.array_equal(column[:, 0], among.columns[name][:, k], equal_nan=column.dtype != bool), name


@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_the_last_400_bars_live_say_what_the_full_history_says(missing):
    present = np.random.default_rng(1).random((2000, 3)) >= missing
    present[-1] = True
    bars = walk(2000, 3, seed=2, session_bars=10, present=present)
    full, live = features(bars, *WILDER, *WINDOWS), features(tail(bars, 400), *WILDER, *WINDOWS)
    for name in WILDER:
        np.testing.assert_allclose(live.columns[name][-1], full.columns[name][-1], rtol=1e-6, err_msg=name)
    for name in (*WINDOWS, "mark", "usable"):
        np.testing.assert_array_equal(live.columns[name][-1], full.columns[name][-1], err_msg=name)


def test_bars_to_settle_is_enough_history():
    bars = walk(3000, 2, seed=5)
    names = (*WILDER, "ema_50", "bars_aligned_9_21_50")
    full, live = features(bars, *names), features(tail(bars, bars_to_settle(names)), *names)
    for name in names:
        np.testing.assert_allclose(live.columns[name][-1], full.columns[name][-1], rtol=1e-6, err_msg=name)


def test_a_hole_is_bridged_and_the_hole_itself_stays_empty():
    close = np.array([[10.0], [11], [nan], [12], [13]])
    found = features(table(close), "mean_2", "roc_1").columns
    np.testing.assert_array_equal(found["mean_2"][:, 0], [nan, 10.5, nan, 11.5, 12.5])
    np.testing.assert_allclose(found["roc_1"][:, 0], [nan, 0.1, nan, 12 / 11 - 1, 13 / 12 - 1])
    np.testing.assert_array_equal(found["mark"][:, 0], [10, 11, 11, 12, 13])
    np.testing.assert_array_equal(found["usable"][:, 0], [False, True, False, True, True])


def test_high_and_mean_volume_leave_their_own_bar_out():
    found = features(table([1.0, 3, 2, 9], volume=[10.0, 20, nan, 70]), "high_2", "mean_volume_2").columns
    np.testing.assert_array_equal(found["high_2"][:, 0], [nan, nan, 3, 3])
    np.testing.assert_array_equal(found["mean_volume_2"][:, 0], [nan, nan, 15, 15])


@pytest.mark.parametrize(
    ("volume", "usual"),
    [
        ([10.0, 20, 30, nan, nan, nan, 90, 90], [nan, nan, 15, 25, 25, 25, 25, 60]),
        ([nan, nan, nan, 10, 20, nan, 40, 50], [nan, nan, 0, 0, 10, 15, 15, 30]),
        ([nan] * 8, [nan, nan] + [0.0] * 6),
        ([0.0] * 8, [nan, nan] + [0.0] * 6),
    ],
)
def test_a_mean_volume_is_that_of_the_volumes_that_are_known(volume, usual):
    prices = np.array([[1.0, 1.0]] * 8)
    both = np.column_stack([volume, [7.0] * 8])
    found = features(table(prices, volume=both), "mean_volume_2").columns["mean_volume_2"]
    np.testing.assert_array_equal(found, np.column_stack([usual, [nan, nan] + [7.0] * 6]))


def test_low_is_the_lowest_of_the_bars_before():
    bars = table([3.0, 4, 5, 2, 6], low=[2.5, 3.5, nan, 1.5, 5], high=[9.0] * 5, open_=[5.0] * 5)
    np.testing.assert_array_equal(features(bars, "low_2").columns["low_2"][:, 0], [nan, nan, nan, 2.5, 1.5])


def test_history_is_counted_in_bars_or_in_sessions():
    assert bars_to_settle(["session_rows_20", "roc_20"]) == 21
    assert bars_to_settle(["session_rows_20", "roc_20"], session_bars=78) == 20 * 78
    assert bars_to_settle(["vwap", "close"], session_bars=78) == 78


def test_an_insane_bar_is_not_usable_feeds_no_feature_and_does_not_mark():
    close, high, low = [10.0, 11, 500, 12], [10.0, 11, 20, 12], [10.0, 11, 10, 12]
    found = features(table(close, high=high, low=low, open_=[10.0, 11, 12, 12]), "mean_2").columns
    np.testing.assert_array_equal(found["usable"][:, 0], [False, True, False, True])
    np.testing.assert_array_equal(found["mean_2"][:, 0], [nan, 10.5, nan, 11.5])
    np.testing.assert_array_equal(found["mark"][:, 0], [10, 11, 11, 12])


def test_rounding_of_adjusted_prices_is_no_contradiction():
    assert features(table([100.0], high=[100 * (1 - 1e-9)])).columns["usable"].all()


def bar(**prices: float) -> FeatureTable:
    """Two good bars of 10 and then one with the given prices."""
    last = {"close": 10.0, "high": 10.0, "low": 10.0, "open_": 10.0, **prices}
    return features(table(**{name: np.array([10.0, 10.0, value]) for name, value in last.items()}))


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ({}, ""),
        (dict.fromkeys(("close", "high", "low", "open_"), nan), "stale since 2024-01-03T16:00:00-05:00"),
        ({"close": nan}, "price is not a number: open 10 high 10 low 10 close nan"),
        ({"high": np.inf}, "price is not a number"),
        ({"low": 0.0}, "price is not positive"),
        ({"close": -1.0}, "price is not positive"),
        ({"high": 9.0}, "high or low contradicts"),
        ({"low": 11.0}, "high or low contradicts"),
        ({"high": 101.0}, "high or low contradicts"),
        ({"low": 0.99}, "high or low contradicts"),
        ({"high": 100.0, "low": 1.0}, ""),
    ],
)
def test_why_unusable_tells_the_reason(prices, reason):
    found = bar(**prices)
    told = found.why_unusable(2, "S0")
    assert told.startswith(reason)
    assert (told == "") is (reason == "") is bool(found.columns["usable"][2, 0])


def test_why_unusable_before_there_is_enough():
    found = features(table([[nan, 1.0], [5.0, 1.0]], volume=np.zeros((2, 2))), "mean_2", "vwap")
    assert found.why_unusable(-1, "S0") == "no bar has closed yet"
    assert found.why_unusable(0, "S0") == "no bar yet"
    assert found.why_unusable(1, "S0") == "warming up: mean_2 needs 2 bars, has 1"
    assert found.why_unusable(1, "S1") == "vwap has no value: no volume in this session yet"
    assert found.why_unusable(1, "XYZ") == "not in the data"


def test_a_forming_bar_is_never_seen():
    bars = walk(30, session_bars=10)
    found = features(bars, "roc_1")
    closes = bars.closes_at[12]
    early, on_time = found.market_at(closes - pd.Timedelta(seconds=1)), found.market_at(closes)
    assert early.value("close", "S0") == bars.close[11, 0]
    assert on_time.value("close", "S0") == bars.close[12, 0]
    assert on_time.value("roc_1", "S0") == found.columns["roc_1"][12, 0]
    assert on_time.time == closes
    assert on_time.sector("S0") == "tech"


def test_before_the_first_bar_the_market_is_empty_not_the_last_row():
    found = features(walk(30), "roc_1")
    market = found.market_at(found.bars.opens_at[0])
    assert market.empty
    assert np.isnan(market.values("close")).all()
    assert not market.values("usable").any()
    assert not market.usable("S0")
    assert len(market.window("close", 5)) == 0


def test_the_bars_are_used_in_place():
    bars = walk(30)
    found = features(bars)
    assert np.shares_memory(found.columns["close"], bars.close)
    assert np.shares_memory(found.columns["mark"], bars.close)


def test_columns_that_are_always_there_may_be_named_and_unknown_ones_are_refused():
    assert features(walk(3), "close", "mark", "roc_1", "roc_1").names == ("roc_1",)
    with pytest.raises(Refusal, match="rsi14"):
        features(walk(3), "rsi14")


def test_an_optional_feature_is_too_long_only_where_it_never_has_a_value():
    """Four weeks of four sessions are four bars of the next timeframe, though four full weeks would be twenty."""
    bars = walk(28, present=np.arange(28)[:, np.newaxis] % 7 < 4)
    found = features(bars, "higher_ema_4", "higher_ema_5", "session_rows_5", "session_rows_40", "ema_16", "ema_17")
    last = len(bars) - 1
    assert np.isfinite(found.columns["higher_ema_4"][:, 0]).any()
    assert found.too_long_for(["S0"], last) == ["higher_ema_5", "session_rows_40", "ema_17"]
    # What comes later doesn't count, nor does another symbol.
    assert found.too_long_for(["S0"], 20) == ["higher_ema_4", "higher_ema_5", "session_rows_40", "ema_16", "ema_17"]
    assert found.too_long_for(["XYZ"], last) == found.too_long_for(["S0"], -1) == list(found.names)


def test_what_a_signal_or_rule_is_given_cannot_be_written_into():
    bars = walk(30, 3, 0, 1, np.ones((30, 3), bool))
    before = bars.close.copy()
    market = features(bars, "ema_5").market_at_row(20, bars.closes_at[20])
    for name in ("close", "volume", "mark", "usable", "ema_5"):
        for given_out in (market.values(name), market.window(name, 5)):
            with pytest.raises(ValueError, match="read-only"):
                given_out[0] = given_out[1]
    np.testing.assert_array_equal(bars.close, before)
    # Whoever collects the bars goes on writing.
    assert bars.close.flags.writeable
