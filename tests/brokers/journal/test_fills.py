"""Fill reports in any order and any number book the unique fills: by table, and for any sequence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.journal import Cumulative, Execution, IllegalTransition, Journal, JournalConflict, OrderIntent
from brokers.journal.fills import Booked, booked
from tests.brokers.journal.conftest import ACCOUNT, BEGIN
from tests.brokers.journal.told import told

T = BEGIN
A, B, C = Execution(10, "100.00", T, "a", 10), Execution(20, "101.50", T, "b", 30), Execution(5, "102.25", T, "c", 35)
BARE_A, BARE_B = Execution(10, "100.00", T, "a"), Execution(20, "101.50", T, "b")
NO_ID_B = Execution(20, "101.50", T, cumulative=30)
OTHER_ID_B = Execution(20, "101.50", T, "activity::b", 30)
SUM_30, SUM_30_FINE = Cumulative(30, "101", T), Cumulative(30, "101.0000", T)
SUM_35 = Cumulative(35, "101.178571", T)


@pytest.mark.parametrize(
    ("reports", "quantity", "notional", "estimated"),
    [
        ([], 0, 0, False),
        ([A, A], 10, 1000, False),
        ([A, B, C], 35, Decimal("3541.25"), False),
        ([C, A, B, A], 35, Decimal("3541.25"), False),
        ([BARE_A, BARE_B], 30, 3030, False),
        ([A, NO_ID_B, B], 30, 3030, False),
        ([A, B, OTHER_ID_B], 30, 3030, False),
        ([SUM_30], 30, 3030, False),
        ([SUM_30, A], 30, 3030, False),
        ([SUM_30, SUM_30_FINE, BARE_A, BARE_B], 30, 3030, False),
        ([SUM_30, C], 35, Decimal("3541.25"), False),
        ([C, SUM_30, A, BARE_B], 35, Decimal("3541.25"), False),
        ([SUM_35, A, B, C], 35, Decimal("3541.25"), False),
        ([SUM_35, A], 35, Decimal("3541.249985"), False),
        ([C], 35, Decimal("3578.75"), True),
        ([A, C], 35, Decimal("3556.25"), True),
    ],
)
def test_what_a_set_of_reports_adds_up_to(reports, quantity, notional, estimated):
    assert booked(reports) == Booked(Decimal(quantity), Decimal(notional), estimated)
    assert booked(reports[::-1]) == booked(reports)


def test_fees_are_those_of_the_highest_total_that_was_told_with_any():
    part, whole = Cumulative(30, "101", T, "0.12"), Cumulative(35, "101.178571", T, "0.14")
    later = Cumulative(35, "101.178571", T, "0.141")
    cases = {(part,): "0.12", (part, whole): "0.14", (part, whole, later): "0.141", (A, B, C, part): "0.12",
             (part, SUM_35): "0.12", (SUM_35, A, B, C): "0", (whole, A, B, C): "0.14"}  # fmt: skip
    for reports, fees in cases.items():
        for some in permutations(reports):
            assert booked([*some, some[0]]).fees == Decimal(fees)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Execution(0, 1, T, "a"),
        lambda: Execution(1, 0, T, "a"),
        lambda: Execution(1, float("nan"), T, "a"),
        lambda: Execution(1, 1, T),
        lambda: Execution(5, 1, T, "a", 4),
        lambda: Cumulative(0, 1, T),
        lambda: Cumulative(1, "inf", T),
        lambda: Cumulative(1, 1, T, "-0.01"),
    ],
)
def test_what_is_no_fill_is_refused(make):
    with pytest.raises(ValueError, match=r"needs|no amount|below"):
        make()


@dataclass(frozen=True)
class Scene:
    """An order's true fills, and reports of them as a bad connection delivers them."""

    side: str
    total: int
    executions: list[Execution]
    reports: list[list[Execution | Cumulative]]


@st.composite
def scenes(draw) -> Scene:
    parts = draw(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 10**7)), min_size=1, max_size=6))
    executions, totals, filled, spent = [], [], 0, Decimal(0)
    for place, (quantity, cents) in enumerate(parts):
        price = Decimal(cents) / 100
        filled, spent = filled + quantity, spent + quantity * price
        moment = T + timedelta(seconds=place)
        executions.append(Execution(quantity, price, moment, f"fill-{place}", filled))
        # Venues round the average to a few digits.
        totals.append(Cumulative(filled, round(spent / filled, 6) or Decimal("0.000001"), moment))
    reports: list[list[Execution | Cumulative]] = []
    for one, total in zip(executions, totals, strict=True):
        forms: list[list[Execution | Cumulative]] = [
            [one],
            [one, total],
            [Execution(one.quantity, one.price, one.time, one.fill_id)],
            [total],
        ]
        reports += draw(st.lists(st.sampled_from(forms), max_size=4))
        # Each fill reaches us once at least, by itself: the stream, or the list of fills after a gap.
        reports.append(draw(st.sampled_from(forms[:3])))
    return Scene(draw(st.sampled_from(["buy", "sell"])), filled, executions, draw(st.permutations(reports)))


@given(scenes())
@settings(max_examples=300)
def test_any_sequence_adds_up_to_the_unique_fills(scene):
    got = booked(report for message in scene.reports for report in message)
    spent = sum((Decimal(e.quantity) * Decimal(e.price) for e in scene.executions), Decimal(0))
    assert got == Booked(Decimal(scene.total), spent, False)


@given(scene=scenes(), rest=st.integers(0, 3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_gives_the_same_position_and_cash_in_the_journal(tmp_path_factory, scene, rest):
    with Journal(tmp_path_factory.mktemp("j") / "journal.sqlite3", ACCOUNT) as journal:
        _play(journal, scene, rest)


@given(scene=scenes(), rest=st.integers(0, 3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_on_postgresql(postgres, scene, rest):
    with Journal(postgres.fresh(), ACCOUNT) as journal:
        _play(journal, scene, rest)


def _play(journal: Journal, scene: Scene, rest: int) -> None:
    name = journal.plan_order(OrderIntent("s", "AMD", scene.side, scene.total + rest, "limit", "entry", T))
    journal.sent(name, "venue-1")
    seen = Decimal(0)
    for place, reports in enumerate([*scene.reports, *scene.reports[:2]]):
        order = journal.event(name, "partially_filled", f"e{place}", fills=reports)
        assert seen <= order.filled_quantity <= scene.total
        seen = order.filled_quantity
    spent = sum((Decimal(e.quantity) * Decimal(e.price) for e in scene.executions), Decimal(0))
    sign = 1 if scene.side == "buy" else -1
    assert journal.positions_by_fills() == {"AMD": Decimal(sign * scene.total)}
    assert journal.cash_by_fills() == -sign * spent
    assert journal.order(name).state == ("partially_filled" if rest else "filled")
    assert journal.unresolved() == []


def planned(journal: Journal, quantity: float = 35) -> str:
    name = journal.plan_order(OrderIntent("s", "AMD", "buy", quantity, "limit", "entry", T))
    journal.sent(name, "venue-1")
    return name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (A, Execution(11, "100.00", T, "a", 11)),
        (A, Execution(10, "100.01", T, "a", 10)),
        (A, Execution(10, "100.00", T, "a", 20)),
        (A, Cumulative(36, "100", T)),
        (BARE_A, Execution(30, "100", T, "z")),
    ],
)
def test_contradicting_reports_book_nothing(journal, address, first, second):
    name = planned(journal)
    before = journal.event(name, "partially_filled", "1", fills=[first])
    with pytest.raises(JournalConflict):
        journal.event(name, "partially_filled", "2", fills=[second])
    assert journal.order(name) == before
    assert len(told(address, name).orders[0].fills) == 1


def test_a_fill_of_a_rejected_order_books_nothing(journal):
    name = planned(journal)
    journal.event(name, "rejected", reason="insufficient buying power")
    with pytest.raises(IllegalTransition):
        journal.event(name, "rejected", "2", fills=[A])
    assert journal.positions_by_fills() == {}


def test_a_fill_that_raced_the_cancel_counts(journal):
    name = planned(journal)
    journal.event(name, "cancelled", "c")
    order = journal.event(name, "partially_filled", "f", fills=[A])
    assert (order.state, order.filled_quantity, order.remaining) == ("cancelled", 10, 0)
    assert journal.positions_by_fills() == {"AMD": 10}


def test_filled_without_figures_is_asked_about(journal):
    name = planned(journal)
    journal.event(name, "filled", "f")
    assert [order.client_order_id for order in journal.unresolved()] == [name]
    journal.event(name, "filled", "f2", fills=[SUM_35])
    assert journal.unresolved() == []


def test_a_guessed_price_is_asked_about_until_it_is_known(journal):
    name = planned(journal, 50)
    assert journal.event(name, "partially_filled", "c", fills=[C]).estimated
    assert [order.client_order_id for order in journal.unresolved()] == [name]
    journal.event(name, "partially_filled", "l", fills=[SUM_35])
    assert journal.unresolved() == []


def test_times_of_reports_need_a_zone(journal):
    name = planned(journal)
    with pytest.raises(Exception, match="zone"):
        journal.event(name, "partially_filled", "1", time=datetime(2024, 3, 4, tzinfo=UTC).replace(tzinfo=None))
