from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from market import indicators
from market.indicators import OwnRows
from tests.strategies.tables import walk

BARS = 14
nan = np.nan


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, np.newaxis]


@pytest.fixture(scope="module")
def reference():
    return pytest.importorskip("pandas_ta_classic")


@pytest.fixture(scope="module")
def prices():
    return walk(600, 3, seed=7)


def series(array: np.ndarray, k: int) -> pd.Series:
    return pd.Series(array[:, k])


@pytest.mark.parametrize("k", range(3))
def test_rsi_is_the_reference_once_its_first_row_is_forgotten(reference, prices, k):
    # the reference seeds from row 0, whose change is unknown and skipped: the same bars, the same mean
    ours, theirs = indicators.rsi(prices.close, BARS)[:, k], reference.rsi(series(prices.close, k), BARS, talib=False)
    np.testing.assert_allclose(ours[300:], theirs[300:], rtol=1e-7)


@pytest.mark.parametrize("k", range(3))
def test_atr_is_the_reference_once_seeds_are_forgotten(reference, prices, k):
    ours = indicators.atr(prices.high, prices.low, prices.close, BARS)[:, k]
    high, low, close = (series(a, k) for a in (prices.high, prices.low, prices.close))
    theirs = reference.atr(high, low, close, BARS, talib=False)
    np.testing.assert_allclose(ours[300:], theirs[300:], rtol=1e-7)


@pytest.mark.parametrize("k", range(3))
def test_adx_is_the_reference_once_seeds_are_forgotten(reference, prices, k):
    # the reference seeds the directional movement with n - 1 bars like TA-Lib; ours with n like Wilder
    ours = indicators.adx(prices.high, prices.low, prices.close, BARS)[:, k]
    high, low, close = (series(a, k) for a in (prices.high, prices.low, prices.close))
    theirs = reference.adx(high, low, close, BARS, talib=False)[f"ADX_{BARS}"]
    np.testing.assert_allclose(ours[400:], theirs[400:], rtol=1e-6)


@pytest.mark.parametrize("bars", [2, 9, 21, 50])
def test_ema_is_the_reference_from_its_first_value_on(reference, prices, bars):
    # both are seeded with the mean of the first n closes
    ours, theirs = indicators.ema(prices.close, bars)[:, 0], reference.ema(series(prices.close, 0), bars, talib=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_wilder_by_hand():
    smooth = indicators.wilder(column(3, 6, 9, 12, 0), 3)
    np.testing.assert_allclose(smooth, column(nan, nan, 6, 8, 16 / 3))


def test_rsi_by_hand():
    # gains 2 0 1, losses 0 1 0: after two changes 1.0 / 0.5, then Wilder 1.0 / 0.25
    np.testing.assert_allclose(indicators.rsi(column(10, 12, 11, 12), 2), column(nan, nan, 100 * 1 / 1.5, 80))


def test_rsi_without_movement_is_neutral_and_without_losses_is_100():
    np.testing.assert_array_equal(indicators.rsi(column(5, 5, 5), 2)[-1], [50])
    np.testing.assert_array_equal(indicators.rsi(column(5, 6, 7), 2)[-1], [100])


def test_true_range_counts_the_gap():
    ranges = indicators.true_range(column(10, 15, 9), column(9, 14, 8), column(9.5, 14.5, 8.5))
    np.testing.assert_allclose(ranges, column(nan, 15 - 9.5, 14.5 - 8))


def test_adx_of_a_straight_climb_is_100_and_of_a_flat_line_0():
    climb = column(*range(100, 120))
    np.testing.assert_allclose(indicators.adx(climb + 1, climb - 1, climb, 4)[-1], [100])
    flat = np.full((20, 1), 5.0)
    np.testing.assert_array_equal(indicators.adx(flat, flat, flat, 4)[7:], np.zeros((13, 1)))


def test_first_values_come_where_promised(prices):
    first = {
        "rsi": (indicators.rsi(prices.close, 14), 14),
        "atr": (indicators.atr(prices.high, prices.low, prices.close, 14), 14),
        "adx": (indicators.adx(prices.high, prices.low, prices.close, 14), 27),
        "ema": (indicators.ema(prices.close, 14), 13),
    }
    for name, (values, row) in first.items():
        assert np.isnan(values[:row]).all(), name
        assert np.isfinite(values[row:]).all(), name


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_too_few_bars_give_nothing(rows):
    x = np.ones((rows, 2))
    results = [
        indicators.rsi(x, 8), indicators.atr(x, x, x, 8), indicators.adx(x, x, x, 8), indicators.ema(x, 8),
        indicators.rolling_mean(x, 8), indicators.rolling_max(x, 8), indicators.roc(x, 8),
    ]  # fmt: skip
    for result in results:
        assert result.shape == x.shape
        assert np.isnan(result).all()


@pytest.mark.parametrize("bars", [1, 2, 3, 7, 20])
def test_windows_are_those_of_pandas(prices, bars):
    rolled = pd.DataFrame(prices.close).rolling(bars)
    np.testing.assert_array_equal(indicators.rolling_max(prices.close, bars), rolled.max().to_numpy())
    np.testing.assert_allclose(indicators.rolling_mean(prices.close, bars), rolled.mean().to_numpy(), rtol=1e-12)


def test_roc_is_a_fraction():
    np.testing.assert_allclose(indicators.roc(column(100, 105, 110), 2), column(nan, nan, 0.10))


def test_vwap_starts_anew_each_session_and_skips_missing_bars():
    close = column(10, 20, nan, 30, 40)
    volume = column(1, 3, nan, 0, 5)
    session = np.array([0, 0, 0, 1, 1])
    vwap = indicators.session_vwap(close, close, close, volume, session)
    np.testing.assert_allclose(vwap, column(10, 17.5, 17.5, nan, 40))


def test_run_length():
    holds = np.array([[True], [True], [False], [True], [True], [True]])
    np.testing.assert_array_equal(indicators.run_length(holds), column(1, 2, 0, 1, 2, 3))


def test_forward_filled_keeps_nothing_before_the_first_value():
    np.testing.assert_array_equal(indicators.forward_filled(column(nan, 1, nan, 3)), column(nan, 1, 1, 3))


def test_own_rows_pack_and_unpack():
    present = np.array([[True, False], [False, True], [True, True]])
    values = np.array([[1.0, 9.0], [9.0, 2.0], [3.0, 4.0]])
    rows = OwnRows(present)
    packed = rows.pack(values)
    np.testing.assert_array_equal(packed, [[1, 2], [3, 4], [nan, nan]])
    np.testing.assert_array_equal(rows.unpack(packed), [[1, nan], [nan, 2], [3, 4]])


def test_own_rows_copies_nothing_when_nothing_is_missing():
    values = np.ones((3, 2))
    rows = OwnRows(np.ones((3, 2), bool))
    assert rows.pack(values) is values
    assert rows.unpack(values) is values
