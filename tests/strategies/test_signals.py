from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from market.bar_tables import to_table
from market.bars import BarTable
from market.features import FeatureTable
from market.market import Market
from strategies.signals.base import Signal
from strategies.signals.mean_reversion import MeanReversion
from strategies.signals.momentum import Momentum
from strategies.signals.trend import Trend
from strategies.signals.vwap import Vwap
from tests.strategies.tables import table, walk

ALL = (MeanReversion, Momentum, Trend, Vwap)
NOW = pd.Timestamp("2024-03-01 16:00", tz="America/New_York")
nan = np.nan


def make(kind: type[Signal], **config: Any) -> Any:
    return kind(kind.Config(**config))


def told(readings: Mapping[str, list[float]], usable: list[bool] | None = None) -> Market:
    """A market of one bar with the given column values per symbol."""
    width = len(next(iter(readings.values())))
    columns = {name: np.array([values], dtype=float) for name, values in readings.items()}
    columns["usable"] = np.array([usable or [True] * width])
    symbols = tuple(f"S{k}" for k in range(width))
    return Market(
        time=NOW, row=0, symbols=symbols, index={s: k for k, s in enumerate(symbols)}, columns=columns, sectors={}
    )


def history(signal: Signal, bars: BarTable) -> np.ndarray:
    """Scores at every bar, shape (bars, symbols)."""
    found = FeatureTable(bars, signal.needs(), {})
    return np.array([signal.scores(found.market_at_row(row, bars.closes_at[row])) for row in range(len(bars))])


@pytest.mark.parametrize("kind", ALL)
def test_scores_are_from_floor_to_100_and_only_for_usable_symbols(kind):
    present = np.random.default_rng(0).random((1500, 6)) > 0.03
    bars = walk(1500, 6, seed=4, session_bars=30, present=present)
    signal = make(kind)
    found = FeatureTable(bars, signal.needs(), {})
    scores = history(signal, bars)
    assert scores.shape == bars.close.shape
    spoken = ~np.isnan(scores)
    assert 0 < spoken.mean() < 0.25
    assert scores[spoken].min() >= 50
    assert scores[spoken].max() <= 100
    assert (scores[spoken] < 70).any() and (scores[spoken] >= 70).any()
    assert found.columns["usable"][spoken].all()


@pytest.mark.parametrize("kind", ALL)
def test_a_symbol_that_is_not_usable_is_silent(kind):
    bars = walk(1500, 6, seed=4, session_bars=30)
    signal = make(kind)
    found = FeatureTable(bars, signal.needs(), {})
    row, k = np.argwhere(~np.isnan(history(signal, bars)))[0]
    usable = found.columns["usable"].copy()
    usable[row, k] = False
    found.columns["usable"] = usable
    assert np.isnan(signal.scores(found.market_at_row(row, bars.closes_at[row]))[k])


@pytest.mark.parametrize("kind", ALL)
def test_before_the_first_bar_every_signal_is_silent(kind):
    bars = walk(100, 3, session_bars=10)
    signal = make(kind)
    scores = signal.scores(FeatureTable(bars, signal.needs(), {}).market_at(bars.opens_at[0]))
    assert scores.shape == (3,)
    assert np.isnan(scores).all()


@pytest.mark.parametrize("kind", ALL)
def test_scores_do_not_change_when_later_bars_are_cut_off(kind):
    bars, signal = walk(400, 3, seed=9, session_bars=30), make(kind)
    np.testing.assert_array_equal(history(signal, bars.head(250)), history(signal, bars)[:250])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("kind", "file"),
    [(MeanReversion, "daily_universe"), (Momentum, "daily_universe"), (Trend, "daily_universe"),
     (MeanReversion, "bars_5min"), (Momentum, "bars_5min"), (Trend, "bars_5min"), (Vwap, "bars_5min")],
)  # fmt: skip
def test_on_real_bars_a_signal_is_rare_and_reaches_both_bands(shared_data: Path, kind, file):
    frame = pd.read_parquet(shared_data / f"{file}.parquet")
    bars = to_table(frame, sorted(frame["symbol"].unique()), file).head(8000)
    signal = make(kind)
    usable = FeatureTable(bars, signal.needs(), {}).columns["usable"]
    scores = history(signal, bars)
    spoken = ~np.isnan(scores)
    assert 0.01 < spoken.sum() / usable.sum() < 0.10
    assert 0.10 < (scores[spoken] >= 70).mean() < 0.75


@pytest.mark.parametrize(("kind", "stop_atr"), [(MeanReversion, 1.5), (Momentum, 2.5), (Trend, 2.5), (Vwap, 2.0)])
def test_stop_multiples_by_default(kind, stop_atr):
    assert kind.Config().stop_atr == stop_atr


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (MeanReversion, {"full_score_rsi": 30.0}),
        (Momentum, {"full_breakout_atr": 0.0}),
        (Trend, {"middle_bars": 60}),
        (Trend, {"full_score_adx": 20.0}),
        (Vwap, {"full_reclaim_atr": 0.1}),
        (Vwap, {"full_deviation_atr": 1.0}),
        (Vwap, {"min_session_bars": 1}),
    ],
)
def test_impossible_settings_are_refused(kind, wrong):
    with pytest.raises(ValidationError):
        kind.Config(**wrong)


# --- mean reversion


def test_mean_reversion_rises_linearly_from_50_at_30_to_100_at_10():
    market = told({"rsi_14": [30, 29.999, 25, 20, 10, 5, 50, nan]})
    scores = make(MeanReversion).scores(market)
    np.testing.assert_allclose(scores, [nan, 50.0025, 62.5, 75, 100, 100, nan, nan])


def test_mean_reversion_on_a_fall_by_hand():
    # changes +2 -1 -1 -3: mean gains 1 0.5 0.25 and losses 0.5 0.75 1.875, so the RSI is 66.7, 40, 11.8
    scores = history(make(MeanReversion, rsi_bars=2), table([10, 12, 11, 10, 7]))[:, 0]
    np.testing.assert_allclose(scores, [nan, nan, nan, nan, 50 + 50 * (30 - 100 * 2 / 17) / 20], rtol=1e-9)


def test_mean_reversion_says_why():
    assert make(MeanReversion).reason(told({"rsi_14": [24.26]}), "S0") == "RSI(14) 24.3, oversold below 30"


# --- momentum

BREAKOUT = {"close": 12.0, "high_20": 10.0, "roc_10": 0.05, "volume": 1200.0, "mean_volume_20": 1000.0, "atr_14": 2.0}


@pytest.mark.parametrize(
    ("change", "score"),
    [
        ({}, 75),  # one ATR above, of two for the full score
        ({"close": 10.0}, nan),
        ({"close": 10.1}, 51.25),
        ({"close": 99.0}, 100),
        ({"roc_10": 0.0}, nan),
        ({"volume": 1199.0}, nan),
        ({"volume": 0.0}, 75),
        ({"mean_volume_20": 0.0}, 75),
        ({"volume": nan}, nan),
        ({"volume": nan, "mean_volume_20": 0.0}, 75),
        ({"atr_14": 0.0}, nan),
    ],
)
def test_momentum_readings(change, score):
    market = told({name: [value] for name, value in {**BREAKOUT, **change}.items()})
    np.testing.assert_allclose(make(Momentum).scores(market), [score])


def test_momentum_on_a_breakout_by_hand():
    close = [10.0, 11, 10, 11, 13, 13]
    high = [10.5, 11.5, 10.5, 11.5, 13, 13.5]
    low = [9.5, 10.5, 9.5, 10.5, 11, 12.5]
    volume = [100.0, 100, 100, 100, 150, 400]
    signal = make(Momentum, breakout_bars=3, roc_bars=2, volume_bars=3, atr_bars=2)
    scores = history(signal, table(close, high=high, low=low, open_=close, volume=volume))[:, 0]
    # true ranges 1.5 1.5 1.5 2: ATR(2) 1.75 at the fifth bar, whose close is 1.5 above the high of the three
    # before; the sixth, on more volume still, closes no higher than the fifth's high
    np.testing.assert_allclose(scores, [nan, nan, nan, nan, 50 + 50 * 1.5 / 1.75 / 2, nan])


def test_momentum_says_why():
    market = told({name: [value] for name, value in BREAKOUT.items()})
    reason = "close 12.00 above the 20-bar high 10.00, ROC(10) +5.0%, volume 1.2x the usual"
    assert make(Momentum).reason(market, "S0") == reason
    without = told({name: [value] for name, value in {**BREAKOUT, "volume": 0.0}.items()})
    assert make(Momentum).reason(without, "S0").endswith("volume not reported")


# --- trend


def trend(aligned: float, above: float, adx: float) -> Market:
    return told({"bars_aligned_9_21_50": [aligned], "bars_above_ema_9": [above], "adx_14": [adx]})


@pytest.mark.parametrize(
    ("aligned", "above", "adx", "score"),
    [
        (1, 5, 20, 50),
        (3, 5, 32.5, 75),
        (3, 5, 60, 100),
        (4, 5, 40, nan),  # neither new nor just resumed
        (30, 1, 45, 100),  # a pullback has just ended
        (30, 2, 45, nan),
        (30, 0, 45, nan),  # still below the fast average
        (0, 1, 45, nan),
        (1, 5, 19.9, nan),
    ],
)
def test_trend_readings(aligned, above, adx, score):
    np.testing.assert_allclose(make(Trend).scores(trend(aligned, above, adx)), [score])


def test_trend_on_a_turn_a_pullback_and_a_hole_by_hand():
    close = np.array([20.0, 18, 16, 14, 12, 14, 16, 18, 20, 22, 20, 24, nan, 26])
    signal = make(Trend, fast_bars=1, middle_bars=2, slow_bars=3, fresh_bars=1, adx_bars=2, min_adx=0.0)
    found = FeatureTable(table(close), signal.needs(), {}).columns
    # two bars after the low they are in order (16 > 15.2 > 15); 20 after 22 breaks it; the hole ends nothing
    np.testing.assert_array_equal(
        found["bars_aligned_1_2_3"][:, 0], [nan, nan, 0, 0, 0, 0, 1, 2, 3, 4, 0, 1, nan, 2]
    )  # fmt: skip


def test_trend_fires_when_a_pullback_ends():
    rise = 100 * 1.01 ** np.arange(60)
    close = np.concatenate((rise, rise[-1] * np.array([0.94, 0.95, 1.01, 1.02])))
    scores = history(make(Trend), table(close, high=close * 1.001, low=close * 0.999))[:, 0]
    assert np.flatnonzero(~np.isnan(scores)).tolist() == [62]


def test_an_order_that_was_there_from_the_first_known_bar_is_not_new():
    rise = 100 * 1.01 ** np.arange(60)
    assert np.isnan(history(make(Trend), table(rise))).all()


def test_trend_says_why():
    signal = make(Trend)
    assert signal.reason(trend(2, 7, 31.04), "S0") == "EMA 9 > 21 > 50 in order for 2 bars, ADX(14) 31.0"
    resumed = "EMA 9 > 21 > 50 resumed, back above EMA 9 for 1 bar, ADX(14) 31.0"
    assert signal.reason(trend(20, 1, 31.04), "S0") == resumed


# --- VWAP


def vwap(close: float, above: float, session_bar: float = 6, atr: float = 2.0) -> Market:
    return told(
        {"close": [close], "vwap": [100], "bars_above_vwap": [above], "session_bar": [session_bar], "atr_14": [atr]}
    )


@pytest.mark.parametrize(
    ("market", "score"),
    [
        (vwap(100.4, 1), nan),  # 0.2 ATR above is noise
        (vwap(100.5, 1), 50),
        (vwap(101.75, 1), 75),
        (vwap(104, 1), 100),
        (vwap(101.75, 2), nan),  # reclaimed one bar ago
        (vwap(101.75, 1, session_bar=5), nan),
        (vwap(90, 0), 50),
        (vwap(85, 0), 75),
        (vwap(70, 0), 100),
        (vwap(91, 0), nan),
        (vwap(85, 0, session_bar=5), nan),
        (vwap(85, 0, atr=0), nan),
    ],
)
def test_vwap_readings(market, score):
    np.testing.assert_allclose(make(Vwap).scores(market), [score])


def test_vwap_reclaim_by_hand_and_never_across_sessions():
    # two sessions of five bars; below the average in the first, above it from the start of the second
    close = np.array([10.0, 9, 8, 8, 10, 12, 13, 14, 12, 15])
    signal = make(Vwap, min_session_bars=2, atr_bars=2, min_reclaim_atr=0.0)
    bars = table(close, high=close + 0.5, low=close - 0.5, session_bars=5)
    found = FeatureTable(bars, signal.needs(), {}).columns
    np.testing.assert_array_equal(found["bars_above_vwap"][:, 0], [0, 0, 0, 0, 1, 0, 1, 2, 0, 1])
    scores = history(signal, bars)[:, 0]
    assert np.flatnonzero(~np.isnan(scores)).tolist() == [4, 6, 9]


def test_vwap_is_for_sessions_of_many_bars_only():
    assert [kind.intraday_only for kind in ALL] == [False, False, False, True]


def test_vwap_says_why():
    assert make(Vwap).reason(vwap(101.75, 1), "S0") == "reclaimed session VWAP 100.00: close 101.75, 0.9 ATR away"
    assert make(Vwap).reason(vwap(85, 0), "S0") == "far below session VWAP 100.00: close 85.00, 7.5 ATR away"
