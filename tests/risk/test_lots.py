from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.lots import affordable, trim_quantity


@pytest.mark.parametrize(
    ("usd", "price", "lot", "quantity"),
    [(1000, 30, 1, 33), (1000, 30, 10, 30), (10, 30, 0.01, 0.33), (0, 30, 1, 0), (-5, 30, 1, 0), (0.3, 0.1, 1, 3)],
)
def test_affordable(usd, price, lot, quantity):
    assert affordable(usd, price, lot) == pytest.approx(quantity)


@pytest.mark.parametrize(("usd", "price"), [(100, 0), (100, -1), (100, math.nan), (math.nan, 5), (100, math.inf)])
def test_nothing_is_affordable_at_an_unusable_number(usd, price):
    assert affordable(usd, price) == 0


@pytest.mark.parametrize(
    ("held", "keep", "lot", "quantity"),
    [
        (300, 150, 1, 150),
        (300, 150.2, 1, 150),
        (300, 149.9, 1, 151),
        (301, 150, 100, 200),
        (100.5, 50, 1, 51),  # whole lots are sold, the odd half stays
        (2, 0.7, 1, 1),  # one lot always stays
        (1, 0.7, 1, 0),
        (0.5, 0.1, 1, 0),
        (10, 20, 1, 0),
    ],
)
def test_trim_quantity(held, keep, lot, quantity):
    assert trim_quantity(held, keep, lot) == quantity


@pytest.mark.parametrize(("held", "keep"), [(math.nan, 1), (10, math.nan), (10, -math.inf), (math.inf, 1)])
def test_nothing_is_trimmed_by_an_unusable_number(held, keep):
    assert trim_quantity(held, keep) == 0


@given(held=st.floats(0, 1e6), keep=st.floats(0, 1e6), lot=st.sampled_from([1.0, 10.0, 0.01]))
def test_a_trim_never_closes_a_position_and_meets_the_cap_if_lots_allow(held, keep, lot):
    quantity = trim_quantity(held, keep, lot)
    assert 0 <= quantity < held or quantity == held == 0
    if keep >= 2 * lot:
        assert held - quantity <= keep + 1e-6
