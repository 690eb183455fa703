"""The page's table of bounds that are no settings has the values of the code."""

from __future__ import annotations

import importlib
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(
    r"^\| [^|]+ \| (?P<value>[^|]+) \| `(?P<module>[a-z_.]+)\.(?P<name>[A-Z_]+)` \| (?P<why>[^|]+) \|$", re.M
)
UNITS: dict[str, Any] = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "USD": Decimal(1),
    "times": Decimal(1),
    "bars": 1,
}
ROWS = [found.groups() for found in ROW.finditer(PAGE.read_text(encoding="utf-8"))]
OF_AN_OPERATOR = {
    *("LAST_START", "STUCK_AFTER", "LONGEST_IN_PARTS", "MATTERS_USD", "LATEST", "OVERDUE", "AGAIN", "PROTECTED_WITHIN"),
    *("WRONG_SCALE", "FIRST_S", "PAUSE_S", "LOCKOUT_URGENT_S", "LOCKOUT_TRY_S", "LONGEST_MISSING", "MOMENT_S"),
    *("FAR_FRAC", "AGREE_S", "ABOVE_DECIDED_FRAC", "LISTED_WITHIN"),
}


def test_the_bounds_that_an_operator_may_look_for_are_there():
    assert {name for _, _, name, _ in ROWS} >= OF_AN_OPERATOR


@pytest.mark.parametrize(("value", "module", "name", "why"), ROWS, ids=[row[2] for row in ROWS])
def test_a_bound_of_the_page_is_that_of_the_code(value: str, module: str, name: str, why: str):
    count, unit = value.split()
    there, named = getattr(importlib.import_module(module), name), UNITS[unit]
    if isinstance(there, float):
        assert there == float(count) and unit == ("s" if name.endswith("_S") else "times")
    else:
        assert there == (Decimal(count) if isinstance(there, Decimal) else int(count)) * named
    assert why.strip().endswith(".")
