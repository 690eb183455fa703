"""What a decision was made on and what came of it, read so that two of them can be compared."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from backtests.run_folder import Json

CLOSE_FRAC = 1e-6
"""Figures that differ by less, relatively, are the same: what is left of a recursive average's seed is below it."""
FIGURES = ("price", "atr", "score", "stop", "target")
QUOTE = re.compile(r"at the quote ([\d.]+)")


def figures_differ(one: Json, two: Json) -> str:
    """The first figure that differs; empty if none does."""
    return next((name for name in FIGURES if not same_value(one[name], two[name])), "")


def same_value(one: object, two: object) -> bool:
    """Whether two figures are the same; numbers as near as a recursive average's seed leaves them."""
    numbers = isinstance(one, int | float) and isinstance(two, int | float)
    return math.isclose(one, two, rel_tol=CLOSE_FRAC, abs_tol=1e-9) if numbers else one == two  # type: ignore[arg-type]  # both are numbers


def ruling(verdict: Mapping[str, object]) -> tuple[object, str]:
    """What came of a verdict: the quantity it left, and its code without its figures."""
    return verdict["after"], str(verdict["code"]).partition(":")[0]


def result_of(decision: Json) -> tuple[object, ...]:
    """What counts: outcome, final size, and who refused it with which code."""
    refuser = (decision["verdicts"][-1]["module"], ruling(decision["verdicts"][-1])[1]) if decision["verdicts"] else ()
    return decision["outcome"], decision["final_quantity"], *(refuser if decision["outcome"] == "refused" else ())


def why_of(decision: Json) -> str:
    """The code of a decision's last verdict."""
    return f"{decision['verdicts'][-1]['code']}" if decision["verdicts"] else decision["outcome"]


def told_of(decision: Json) -> str:
    """What became of a decision, in words."""
    return (
        f"refused ({why_of(decision)})" if decision["outcome"] == "refused" else f"{decision['final_quantity']:g} taken"
    )


def quote(order: Json) -> str:
    """The quote that an order was sized at, as its reason tells it."""
    found = QUOTE.search(order["reason"])
    return found[1] if found else "its price"
