from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.brackets import BRACKETS, AdaptiveAtrBracket, AtrBracket, FixedBracket
from tests.risk.helpers import market

QUIET = market({"NVDA": 170.0})


def regime_market(adx: float, volatile: bool):
    values = {"adx_14": adx, "atr_14": 2.0, "atr_mean_14_20": 1.0 if volatile else 3.0}
    return market({"NVDA": 170.0}, {name: {"NVDA": value} for name, value in values.items()})


def make(cls, **settings):
    return cls(cls.Config.model_validate(settings))


def levels(model, side="buy", entry=170.0, atr=2.8, stop_atr=2.5, on=QUIET):
    terms = model.terms(on, "NVDA", side, entry, atr, stop_atr)
    return None if terms is None else tuple(round(level, 4) for level in terms.at(entry))


def test_registry():
    assert {name: cls.name for name, cls in BRACKETS.items()} == {n: n for n in ("fixed", "atr", "adaptive_atr")}


@pytest.mark.parametrize(
    ("model", "side", "expected"),
    [
        (make(FixedBracket), "buy", (161.5, 195.5)),
        (make(FixedBracket), "sell_short", (178.5, 144.5)),
        (make(FixedBracket, stop_frac=0.02), "buy", (166.6, 195.5)),
        (make(FixedBracket, target_frac=0.10), "buy", (161.5, 187.0)),
        (make(AtrBracket), "buy", (163.0, 181.2)),
        (make(AtrBracket), "sell_short", (177.0, 158.8)),
        (make(AtrBracket, target_atr=5), "buy", (163.0, 184.0)),
        (make(AtrBracket, target_by="r"), "buy", (163.0, 184.0)),
        (make(AtrBracket, target_by="r", target_r=3), "sell_short", (177.0, 149.0)),
    ],
)
def test_levels(model, side, expected):
    assert levels(model, side) == expected


@pytest.mark.parametrize("stop_atr", [1.5, 2.0, 2.5])
def test_the_stop_multiple_is_the_signals_own(stop_atr):
    terms = make(AtrBracket).terms(QUIET, "NVDA", "buy", 170, 2.8, stop_atr)
    assert (terms.stop_multiple_atr, terms.target_multiple_atr) == (stop_atr, 4.0)
    assert terms.stop_distance == pytest.approx(stop_atr * 2.8)


@pytest.mark.parametrize(
    ("adx", "volatile", "stop", "target"),
    [
        (22, False, 2.5, 4.0),
        (26, False, 2.0, 5.0),
        (19, False, 3.0, 3.5),
        (22, True, 3.0, 4.8),
        (26, True, 2.4, 6.0),
        (19, True, 3.6, 4.2),
        (math.nan, False, 2.5, 4.0),
    ],
)
@pytest.mark.parametrize("side", ["buy", "sell_short"])
def test_adaptive_multiples(adx, volatile, stop, target, side):
    model, on = make(AdaptiveAtrBracket), regime_market(adx, volatile)
    terms = model.terms(on, "NVDA", side, 170.0, 2.0, 1.5)
    assert (terms.stop_multiple_atr, terms.target_multiple_atr) == pytest.approx((stop, target))
    sign = 1 if side == "buy" else -1
    assert terms.at(170.0) == pytest.approx((170 - sign * stop * 2, 170 + sign * target * 2))


@pytest.mark.parametrize(
    ("field", "adx"),
    [
        ("base_stop_atr", 22),
        ("base_target_atr", 22),
        ("trending_stop_atr", 26),
        ("trending_target_atr", 26),
        ("choppy_stop_atr", 19),
        ("choppy_target_atr", 19),
        ("high_volatility_factor", 22),
    ],
)
def test_every_adaptive_setting_has_an_effect(field, adx):
    on = regime_market(adx, volatile=True)
    assert levels(make(AdaptiveAtrBracket, **{field: 1.7}), on=on) != levels(make(AdaptiveAtrBracket), on=on)


def test_the_adaptive_model_reads_its_own_regime_settings():
    model, on = make(AdaptiveAtrBracket, regime={"adx_trending": 21}), regime_market(22, False)
    assert model.terms(on, "NVDA", "buy", 170, 2, 1.5).stop_multiple_atr == 2.0
    assert model.needs() == ("adx_14", "atr_14", "atr_mean_14_20")


def test_labels_state_price_multiple_and_atr():
    assert make(AtrBracket).terms(QUIET, "NVDA", "buy", 170, 2.8, 2.5).label == (
        "stop 163.00 = 170.00 - 2.5 x 2.80 ATR, target 181.20 = 170.00 + 4 x 2.80 ATR"
    )
    assert make(FixedBracket).terms(QUIET, "NVDA", "sell_short", 170, 2.8, 2.5).label == (
        "stop 178.50 = 170.00 + 5.0%, target 144.50 = 170.00 - 15.0%"
    )
    label = make(AdaptiveAtrBracket).terms(regime_market(26, True), "NVDA", "buy", 170, 2, 2.5).label
    assert label.endswith("6 x 2.00 ATR (trending, high volatility)")


@pytest.mark.parametrize("model", [make(AtrBracket), make(AdaptiveAtrBracket)])
@pytest.mark.parametrize("atr", [0.0, -1.0, math.nan, math.inf, 170.0, 1e-18])
def test_no_terms_without_a_placeable_stop(model, atr):
    assert levels(model, atr=atr) is None


@pytest.mark.parametrize("stop_atr", [0.0, -2.5, math.nan, math.inf])
@pytest.mark.parametrize("side", ["buy", "sell_short"])
def test_no_terms_for_a_stop_on_or_beyond_the_entry(side, stop_atr):
    assert levels(make(AtrBracket), side, stop_atr=stop_atr) is None


def test_a_short_target_below_zero_is_not_placeable():
    assert levels(make(AtrBracket), "sell_short", atr=50.0) is None


@pytest.mark.parametrize("entry", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("cls", BRACKETS.values())
def test_no_terms_without_a_price(cls, entry):
    assert levels(make(cls), entry=entry) is None


def test_fixed_terms_need_no_atr():
    assert levels(make(FixedBracket), atr=math.nan) == (161.5, 195.5)


@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        (FixedBracket, {"stop_frac": 5}),
        (FixedBracket, {"target_frac": 0}),
        (AtrBracket, {"target_by": "x"}),
        (AtrBracket, {"stop_atr": 2.0}),
        (AdaptiveAtrBracket, {"base_stop_atr": 0}),
    ],
)
def test_wrong_settings_are_refused(cls, settings):
    with pytest.raises(ValidationError):
        make(cls, **settings)


@given(
    cls=st.sampled_from(sorted(BRACKETS)),
    side=st.sampled_from(["buy", "sell_short"]),
    entry=st.floats(0.01, 1e5),
    atr=st.floats(0, 1e4),
    stop_atr=st.floats(0.1, 10),
)
def test_stop_and_target_lie_on_their_sides_of_the_entry(cls, side, entry, atr, stop_atr):
    terms = make(BRACKETS[cls]).terms(QUIET, "NVDA", side, entry, atr, stop_atr)
    if terms is not None:
        stop, target = terms.at(entry)
        assert 0 < stop < entry < target if side == "buy" else 0 < target < entry < stop
