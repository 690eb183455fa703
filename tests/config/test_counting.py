"""Numbers as people read them."""

from __future__ import annotations

import pytest

from config.values.counting import plain_digits


@pytest.mark.parametrize(
    ("quantity", "told"),
    [
        (4.206e-05, "0.00004206"), (1e-9, "0.000000001"), (0.1 + 0.2, "0.3"), (0.0, "0"), (-0.0, "0"), (100.0, "100"),
        (1_234_567.5, "1,234,567.5"), (-3.5, "-3.5"),
    ],
)  # fmt: skip
def test_a_quantity_has_neither_exponent_nor_noise(quantity, told):
    assert plain_digits(quantity) == told
