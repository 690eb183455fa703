"""Numbers as people read them."""

from __future__ import annotations

import pytest

from config.values.counting import plain_digits, signed


@pytest.mark.parametrize(
    ("quantity", "told"),
    [
        (4.206e-05, "0.00004206"), (1e-9, "0.000000001"), (0.1 + 0.2, "0.3"), (0.0, "0"), (-0.0, "0"), (100.0, "100"),
        (1_234_567.5, "1,234,567.5"), (-3.5, "-3.5"),
    ],
)  # fmt: skip
def test_a_quantity_has_neither_exponent_nor_noise(quantity, told):
    assert plain_digits(quantity) == told


@pytest.mark.parametrize(
    ("value", "form", "told"),
    [
        (0.012, ".2%", "+1.20%"), (-0.012, ".2%", "-1.20%"), (-0.00001, ".2%", "0.00%"), (0.00001, ".2%", "0.00%"),
        (-0.08, ",.2f", "-0.08"), (-0.004, ",.2f", "0.00"), (-0.0, ",.0f", "0"), (1234.5, ",.2f", "+1,234.50"),
        (-100.0, ",.0f", "-100"), (float("nan"), ".2f", "+nan"),
    ],
)  # fmt: skip
def test_a_result_that_rounds_to_zero_has_no_sign(value, form, told):
    assert signed(value, form) == told
