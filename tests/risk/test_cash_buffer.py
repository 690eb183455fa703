from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.cash_buffer import CashBuffer
from tests.risk.helpers import book, market, module, proposal

MARKET = market({"NVDA": 100.0})


@pytest.mark.parametrize(
    ("cash", "wanted", "after"),
    [
        (100_000, 100, 100),
        (25_000, 100, 100),  # leaves exactly the buffer
        (24_999, 100, 99),
        (20_000, 100, 50),
        (18_000, 100, 30),  # exactly 3% of equity
        (17_999, 100, 0),  # 2.9% would be left: skipped
        (15_000, 100, 0),
        (5_000, 100, 0),
        (-5_000, 100, 0),
        (17_999, 29, 29),  # small from the start, and it fits
        (16_000, 10, 10),
    ],
)
def test_the_rule(cash, wanted, after):
    assert module(CashBuffer).review(proposal(quantity=wanted), book(cash=cash), MARKET).after == after


def test_codes():
    shrunk = module(CashBuffer).review(proposal(quantity=100), book(cash=20_000), MARKET)
    assert shrunk.code == "CASH_BUFFER: 50 of 100 fit above the 15% buffer"
    refused = module(CashBuffer).review(proposal(quantity=100), book(cash=16_250), MARKET)
    assert refused.code.startswith("CASH_BUFFER: would shrink to 1.2% of equity, below 3.0%: skipped (warning")
    assert refused.inputs["warning"] is True


def test_promised_cash_is_spent_cash():
    waiting = book(cash=30_000, pending=[proposal("AMD", 100)])
    assert module(CashBuffer).review(proposal(quantity=100), waiting, MARKET).after == 50


def test_the_swing_profile_keeps_sixty_percent():
    swing = module(CashBuffer, buffer_frac=0.60)
    assert swing.review(proposal(quantity=100), book(cash=65_000), MARKET).after == 50


def test_hedges_are_held_to_it():
    assert module(CashBuffer).review(proposal("SH", 100, role="hedge"), book(cash=15_000), MARKET).refused


@pytest.mark.parametrize(
    ("settings", "after"),
    [({"buffer_frac": 0.10}, 77), ({"min_position_frac": 0.02}, 27), ({"lot": 2, "min_position_frac": 0.02}, 26)],
)
def test_every_setting_has_an_effect(settings, after):
    low = book(cash=17_700)
    assert module(CashBuffer).review(proposal(quantity=100), low, MARKET).after == 0
    assert module(CashBuffer, **settings).review(proposal(quantity=100), low, MARKET).after == after


def test_a_percentage_is_refused():
    with pytest.raises(ValidationError):
        module(CashBuffer, buffer_frac=15)


@given(
    equity=st.floats(100, 1e7),
    cash_frac=st.floats(-0.5, 1),
    price=st.floats(0.5, 5_000),
    quantities=st.lists(st.integers(1, 10_000), min_size=1, max_size=6),
    buffer_frac=st.floats(0, 1),
)
def test_accepted_entries_never_eat_the_buffer(equity, cash_frac, price, quantities, buffer_frac):
    state = book(equity=equity, cash=equity * cash_frac)
    rule = module(CashBuffer, buffer_frac=buffer_frac)
    for k, quantity in enumerate(quantities):
        wish = proposal(f"S{k}", quantity, price)
        verdict = rule.review(wish, state, MARKET)
        if not verdict.refused:
            state = state.accepting(wish.resized(verdict.after))
            assert state.free_cash >= buffer_frac * equity - 1e-6 * price - 1e-9 * equity
