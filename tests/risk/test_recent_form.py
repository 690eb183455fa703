from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.model import ClosedTrade
from risk.recent_form import RecentForm, form_risk
from tests.risk.helpers import NOW, book, market, module, proposal

MARKET = market({"NVDA": 100.0})
DEFAULT = RecentForm.Config()


def trades(*pnl, role="entry"):
    return tuple(ClosedTrade("AMD", NOW, NOW, value, value / 100, role) for value in pnl)


def run(wins, count):
    """``count`` trades of which the latest ones were won."""
    return trades(*[-1.0] * (count - wins), *[1.0] * wins)


def judge(closed, wanted=1_000, equity=100_000.0, settings=None, **changes):
    # The stop lies 5.00 below: 1% of 100,000 is 200 shares.
    state = replace(book(equity=equity), closed_trades=closed)
    return module(RecentForm, **settings or {}).review(proposal(quantity=wanted, **changes), state, MARKET)


@pytest.mark.parametrize(
    ("wins", "count", "risk"),
    [
        (44, 100, 0.005),
        (45, 100, 0.010),
        (55, 100, 0.010),
        (56, 100, 0.012),
        (65, 100, 0.012),
        (66, 100, 0.015),
        (8, 20, 0.005),
        (9, 20, 0.010),  # exactly 0.45
        (11, 20, 0.010),  # exactly 0.55
        (12, 20, 0.012),
        (13, 20, 0.012),  # exactly 0.65
        (14, 20, 0.015),
        (20, 20, 0.015),
        (0, 20, 0.005),
        (9, 9, 0.010),  # fewer than ten
        (0, 9, 0.010),
        (0, 0, 0.010),
        (10, 10, 0.015),
        (0, 10, 0.005),
    ],
)
def test_the_table(wins, count, risk):
    assert form_risk(wins, count, DEFAULT) == risk


@given(st.integers(10, 5_000), st.data())
def test_counts_decide_and_not_how_a_rate_rounds(count, data):
    wins = data.draw(st.integers(0, count))
    hundredfold = 100 * wins
    risk = 0.010
    if hundredfold > 65 * count:
        risk = 0.015
    elif hundredfold > 55 * count:
        risk = 0.012
    elif hundredfold < 45 * count:
        risk = 0.005
    assert form_risk(wins, count, DEFAULT) == risk


@pytest.mark.parametrize(
    ("closed", "after"),
    [
        (run(44, 100)[-20:], 300),  # the last twenty were all won
        (run(0, 20), 100),
        (run(10, 20), 200),
        (run(12, 20), 240),
        (run(14, 20), 300),
        ((), 200),
        (run(20, 20) + run(0, 20), 100),  # only the latest twenty count
        (run(0, 20) + trades(*[1.0] * 9, role="hedge"), 100),  # hedges don't
        (trades(*[0.0] * 20), 100),  # break-even is no win
        (trades(*[math.nan] * 20), 100),
    ],
)
def test_the_rule(closed, after):
    assert judge(closed).after == after


def test_codes():
    assert judge(run(0, 20)).code == "RECENT_FORM: 0 of the last 20 trades won, 0.5% risk per trade"
    assert judge(run(0, 20), wanted=100).code == "OK"
    assert judge(()).inputs["risk_frac"] == 0.010


def test_the_size_multiplier_scales_the_risk():
    assert judge((), size_multiplier=0.5).after == 100


def test_a_short_is_judged_by_the_same_distance():
    assert judge((), side="sell_short").after == 200


def test_a_hedge_passes():
    assert judge(run(0, 20), role="hedge").after == 1_000


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan, math.inf])
def test_no_equity_no_risk(equity):
    assert judge((), equity=equity).refused


@pytest.mark.parametrize("stop", [100.0, math.nan])
def test_no_distance_to_the_stop_no_entry(stop):
    assert judge((), stop=stop).refused


@pytest.mark.parametrize(
    ("settings", "closed", "after"),
    [
        ({"last_trades": 10}, run(10, 20), 300),
        ({"min_trades": 5}, run(0, 5), 100),
        ({"best_above_frac": 0.75}, run(14, 20), 240),
        ({"good_above_frac": 0.60}, run(12, 20), 200),
        ({"poor_below_frac": 0.35}, run(8, 20), 200),
        ({"best_risk_frac": 0.02}, run(14, 20), 400),
        ({"good_risk_frac": 0.011}, run(12, 20), 220),
        ({"normal_risk_frac": 0.008}, (), 160),
        ({"poor_risk_frac": 0.004}, run(0, 20), 80),
        ({"lot": 150}, (), 150),
    ],
)
def test_every_setting_has_an_effect(settings, closed, after):
    assert judge(closed, settings=settings).after == after
    assert judge(closed).after != after


@pytest.mark.parametrize(
    "settings",
    [
        {"min_trades": 21},
        {"poor_below_frac": 0.6},
        {"good_above_frac": 0.7},
        {"poor_risk_frac": 0.011},
        {"best_risk_frac": 1.0},
        {"lot": 0},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        module(RecentForm, **settings)


@given(
    closed=st.lists(st.sampled_from([-1.0, 1.0]), max_size=40),
    equity=st.floats(100, 1e7),
    price=st.floats(0.5, 5_000),
    wanted=st.integers(1, 10_000),
    lot=st.sampled_from([1.0, 0.001, 7.0]),
)
def test_never_more_is_lost_at_the_stop_than_the_form_allows(closed, equity, price, wanted, lot):
    verdict = judge(trades(*closed), wanted, equity, {"lot": lot}, price=price, stop=price * 0.97)
    assert verdict.after * price * 0.03 <= verdict.inputs["risk_frac"] * equity * (1 + 1e-9) + 1e-6 * price
    assert verdict.after <= wanted
