from __future__ import annotations

import numpy as np
import pytest

from config.errors import Refusal
from market import feature_registry
from market.feature_registry import OwnBars, feature, parse, reads_volume
from tests.strategies.tables import walk


@pytest.mark.parametrize("name", ["rsi", "rsi_0", "rsi_14_2", "atr_mean_14", "rsi_x", "vwap_3", "", "RSI_14", "macd_9"])
def test_unknown_names_are_refused_and_the_known_ones_told(name):
    with pytest.raises(Refusal, match=r"no feature is called .*rsi_<bars>"):
        parse(name)


@pytest.mark.parametrize(
    ("name", "first_bars"),
    [("rsi_14", 15), ("atr_14", 15), ("adx_14", 28), ("ema_9", 9), ("atr_mean_14_20", 34), ("roc_20", 21),
     ("high_20", 21), ("low_20", 21), ("mean_volume_20", 21), ("mean_5", 5), ("vwap", 1), ("bars_aligned_3_5_8", 8),
     ("bars_above_ema_9", 9), ("session_bar", 1)],
)  # fmt: skip
def test_first_bars_is_where_the_first_value_comes(name, first_bars):
    bars = walk(60, 2)
    bars.volume[:] = 1
    values = OwnBars(bars, np.ones((60, 2), bool)).on_grid(name)
    assert parse(name).first_bars == first_bars
    assert np.isnan(values[: first_bars - 1]).all()
    assert np.isfinite(values[first_bars - 1 :]).all()


def test_windows_settle_at_once_and_averages_later():
    assert parse("high_20").settled_bars == parse("high_20").first_bars
    assert parse("rsi_14").settled_bars > 200
    assert parse("ema_1").settled_bars >= 1


def test_another_package_can_add_a_feature(monkeypatch):
    monkeypatch.setattr(feature_registry, "_REGISTRY", dict(feature_registry._REGISTRY))

    @feature("range_frac", first=lambda: 1)
    def range_frac(own: OwnBars) -> np.ndarray:
        return (own.field("high") - own.field("low")) / own.field("close")

    bars = walk(5)
    own = OwnBars(bars, np.ones((5, 1), bool))
    np.testing.assert_array_equal(own.on_grid("range_frac"), (bars.high - bars.low) / bars.close)


@pytest.mark.parametrize(
    ("name", "reads"),
    [("volume", True), ("mean_volume_20", True), ("bars_above_vwap", True), ("ta.mfi_14", True), ("ta.obv", True),
     ("close", False), ("rsi_14", False), ("ta.sma_20", False)],
)  # fmt: skip
def test_what_is_computed_from_volume_is_known(name, reads):
    assert reads_volume(name) is reads
