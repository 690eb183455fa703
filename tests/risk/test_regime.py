from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from risk.regime import Regime, RegimeConfig, needs, read
from tests.risk.helpers import market


def reading(adx, atr, mean, **settings):
    values = {"adx_14": adx, "atr_14": atr, "atr_mean_14_20": mean}
    on = market({"NVDA": 100.0}, {name: {"NVDA": value} for name, value in values.items()})
    return read(on, "NVDA", RegimeConfig(**settings))


@pytest.mark.parametrize(
    ("adx", "atr", "mean", "trend", "high"),
    [
        (25.1, 2.0, 1.9, "trending", True),
        (25.0, 2.0, 2.0, "neutral", False),
        (20.0, 2.0, 2.1, "neutral", False),
        (19.9, 2.0, 1.0, "choppy", True),
        (math.nan, math.nan, 1.0, "neutral", False),
        (30.0, 2.0, math.nan, "trending", False),
    ],
)
def test_the_readings(adx, atr, mean, trend, high):
    assert reading(adx, atr, mean) == Regime(trend, high)


def test_an_unknown_symbol_is_neutral():
    assert read(market({"NVDA": 1.0}), "ZZZ", RegimeConfig()) == Regime("neutral", False)


def test_every_setting_has_an_effect():
    assert reading(26, 1, 2, adx_trending=30).trend == "neutral"
    assert reading(22, 1, 2, adx_choppy=24).trend == "choppy"
    assert needs(RegimeConfig()) == ("adx_14", "atr_14", "atr_mean_14_20")
    assert needs(RegimeConfig(adx_bars=10, atr_bars=7, atr_mean_bars=30)) == ("adx_10", "atr_7", "atr_mean_7_30")
    assert str(reading(26, 2, 1)) == "trending, high volatility"


def test_crossed_thresholds_are_refused():
    with pytest.raises(ValidationError):
        RegimeConfig(adx_choppy=30)
