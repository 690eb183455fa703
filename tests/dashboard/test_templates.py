"""What the templates make of rows that are out of the ordinary."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import jinja2

from dashboard.words import FILTERS
from monitoring.rows import EventRow
from tests.monitoring.journals import BEGIN

TEMPLATES = Path(__file__).parents[2] / "dashboard" / "templates"
FRAME = jinja2.DictLoader({"base.html.j2": "{% block main %}{% endblock %}"})


def environment() -> jinja2.Environment:
    """The page's templates without the page around them."""
    loader = jinja2.ChoiceLoader([FRAME, jinja2.FileSystemLoader(TEMPLATES)])
    found = jinja2.Environment(loader=loader, autoescape=True)
    found.filters.update(FILTERS)
    return found


def decision(**changes):
    plain = {
        "id": 1, "time": BEGIN, "symbol": "AMD", "outcome": "refused", "final": 0.0, "proposed": 0.0,
        "bound_by": "trend", "binding": None, "reason": "", "side": "buy", "signal": "trend", "price": 1.0,
        "stop": 1.0, "target": 1.0, "atr": 1.0, "score": None, "verdicts": (),
    }  # fmt: skip
    return SimpleNamespace(**(plain | changes))


def test_a_proposal_that_was_refused_before_it_was_sized_has_no_quantity():
    rows = environment().get_template("parts.html.j2").module.decisions
    assert "not sized" in rows([decision()])
    assert "61 of 300" in rows([decision(final=61.0, proposed=300.0, outcome="resized")])
    page = environment().get_template("decision.html.j2").render(decision=decision(), reading=None, orders=())
    assert "buy (refused before it was sized) by trend" in page


def test_the_life_of_an_order_is_told_in_the_order_of_its_times():
    """A leg is journaled when an answer shows it, a moment after the venue says that it works."""
    steps = [
        EventRow(BEGIN + timedelta(seconds=1), "working", "working", ""),
        EventRow(BEGIN + timedelta(seconds=9), "filled", "filled", ""),
    ]
    order = SimpleNamespace(
        id="leg-1", time=BEGIN + timedelta(seconds=2), symbol="AMD", role="stop", side="sell", quantity=61.0,
        type="stop", limit=None, stop=161.5, bracket_stop=None, bracket_target=None, state="filled", reason="",
        steps=steps, fills=(), fees=0.0, filled=61.0, average=161.5, parent="",
    )  # fmt: skip
    tried = SimpleNamespace(order=order, before=())
    page = (
        environment()
        .get_template("orders.html.j2")
        .render(family=False, symbol="", first=True, orders=[tried], older=None)
    )
    assert page.index("working</li>") < page.index("journaled</li>") < page.index("filled</li>")
