from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.drawdown_halt import DrawdownHalt, tripped
from tests.risk.helpers import book, market, module, position, proposal

MARKET = market({"NVDA": 100.0})
DEFAULT = DrawdownHalt.Config()


def at(equity, opening=100_000.0, halted=()):
    return replace(book(equity=equity), session_open_equity=opening, halted=frozenset(halted))


def judge(state, **settings):
    return module(DrawdownHalt, **settings).review(proposal(), state, MARKET)


@pytest.mark.parametrize(
    ("equity", "halts"),
    [
        (105_000, False),
        (100_000, False),
        (97_000.01, False),
        (97_000, False),  # 3% exactly
        (96_999.99, True),
        (90_000, True),
        (0, True),
        (-5_000, True),
    ],
)
def test_the_rule(equity, halts):
    assert tripped(at(equity), DEFAULT) is halts
    assert judge(at(equity)).refused is halts


@given(st.integers(100, 10**9))
def test_the_limit_itself_does_not_halt_and_a_cent_below_does(cents):
    opening = cents / 100
    at_limit = 97 * cents / 10_000
    assert not tripped(at(at_limit, opening), DEFAULT)
    assert tripped(at(at_limit - 0.01, opening), DEFAULT)


def test_it_lasts_after_equity_has_recovered():
    recovered = at(101_000, halted=["drawdown_halt"])
    assert not tripped(recovered, DEFAULT)
    assert judge(recovered).code == "DRAWDOWN_HALT: the session was more than 3.0% below its opening"


def test_another_rules_halt_is_not_its_own():
    assert judge(at(100_000, halted=["kill_switch"])).code == "OK"


def test_code_and_inputs():
    verdict = judge(at(96_500))
    assert verdict.code == "DRAWDOWN_HALT: 3.50% below the session's opening, above 3.0%"
    assert verdict.inputs == {"equity": 96_500, "session_open_equity": 100_000}


@pytest.mark.parametrize("opening", [math.nan, 0.0, -1.0, math.inf])
def test_without_an_opening_nothing_is_entered(opening):
    assert judge(at(100_000, opening)).refused


def test_an_unknown_reading_refuses_and_does_not_halt_for_good():
    for state in (at(math.nan), at(100_000, math.nan)):
        assert not tripped(state, DEFAULT)
        assert judge(state).code == "DRAWDOWN_HALT: equity or the session's opening is not known"


def test_hedges_are_refused_and_what_is_held_is_left_alone():
    rule = module(DrawdownHalt)
    state = replace(at(90_000), positions={"NVDA": position("NVDA", 10)})
    assert rule.review(proposal("SH", role="hedge"), state, MARKET).refused
    assert rule.manage(state, MARKET) == []


def test_the_setting_has_an_effect():
    assert not judge(at(96_000), max_drawdown_frac=0.05).refused
    assert judge(at(96_000)).refused


@pytest.mark.parametrize("frac", [0, 1, 3, -0.03])
def test_impossible_settings_are_refused(frac):
    with pytest.raises(ValidationError):
        module(DrawdownHalt, max_drawdown_frac=frac)
