"""Copies of a position that are made at every bar are what dataclasses.replace would make."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from risk.model import Position
from tests.risk.helpers import position


def test_a_copy_differs_in_one_value_alone():
    held = replace(position("AAPL", 60), stop_multiple_atr=2.5, partial_taken=True, initial_quantity=80.0, atr=1.5)
    held = replace(held, score=61.0, best_price=130.0)  # a value that is no number equals nothing
    named = [item.name for item in fields(Position)]
    assert len({repr(getattr(held, name)) for name in named}) > 10, "values that are told from each other"
    assert held.changed(protected_quantity=40.0) == replace(held, protected_quantity=40.0) != held
    assert held.changed(best_price=123.0) == replace(held, best_price=123.0) != held
    with pytest.raises(TypeError, match="a position has no worth"):
        held.changed(worth=1.0)
