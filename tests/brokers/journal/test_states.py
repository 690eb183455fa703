"""The state machine and the order ids, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.journal.order_ids import MAX_CHARACTERS, client_order_id
from brokers.journal.states import FINAL, OPEN, TRANSITIONS, IllegalTransition, advance
from brokers.order_types import State

# From each state (row) what each report (column) makes of it: M moves, - changes nothing, X is illegal.
TABLE = """
                 planned journaled sent unknown working partially_filled filled cancelled rejected replaced expired lost
planned          - M X X X X X X X X X X
journaled        - - M M M M M M M M M M
sent             - - - M M M M M M M M M
unknown          - - - - M M M M M M M M
working          - - - - - M M M M M M M
partially_filled - - - - - - M M X M M M
filled           - - - - - - - X X X X -
cancelled        - - - - - - X - X X X -
rejected         - - - - - X X X - X X -
replaced         - - - - - - X X X - X -
expired          - - - - - - X X X X - -
lost             - - - - M M M M M M M -
"""
COLUMNS, *ROWS = TABLE.strip().splitlines()
CASES = [
    (current, reported, effect)
    for line in ROWS
    for current, *effects in [line.split()]
    for reported, effect in zip(COLUMNS.split(), effects, strict=True)
]


@pytest.mark.parametrize(("current", "reported", "effect"), CASES)
def test_every_report_in_every_state(current, reported, effect):
    if effect == "X":
        with pytest.raises(IllegalTransition, match=f"{current} cannot be {reported}"):
            advance(State(current), State(reported))
    else:
        assert advance(State(current), State(reported)) == (reported if effect == "M" else current)


def test_the_table_is_complete_and_its_groups_follow_from_it():
    assert set(TRANSITIONS) == set(State)
    assert {"filled", "cancelled", "rejected", "replaced", "expired", "lost"} == FINAL
    assert not OPEN & FINAL


@given(st.permutations(["journaled", "sent", "unknown", "working", "partially_filled", "filled"]))
def test_reports_in_any_order_end_where_they_do_in_order(reports):
    state = State.JOURNALED
    for report in reports:
        state = advance(state, State(report))
    assert state is State.FILLED


NOON = datetime(2024, 3, 4, 17, 0, tzinfo=UTC)
PARTS = ("PA3", "combined", "AMD", NOON, "entry", 0)


def test_an_id_can_be_read_and_does_not_change_between_versions():
    assert client_order_id(*PARTS) == "combined-AMD-20240304T170000-entry-0-" + client_order_id(*PARTS)[-16:]
    assert client_order_id(*PARTS) == client_order_id(
        "PA3", "combined", "AMD", NOON.astimezone(timezone(timedelta(hours=-5))), "entry", 0
    )


def test_the_id_of_a_known_order_is_fixed_for_good():
    assert client_order_id(*PARTS) == "combined-AMD-20240304T170000-entry-0-fc4e9939eb489f79"


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (0, "PA4"), (1, "Combined"), (2, "AMDX"), (3, NOON + timedelta(microseconds=1)), (4, "stop"), (5, 1),
    ],
)  # fmt: skip
def test_each_part_makes_another_id(place, other):
    changed = [*PARTS]
    changed[place] = other
    assert client_order_id(*changed) != client_order_id(*PARTS)


@given(
    st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300), st.text(min_size=1), st.integers(0, 999_999)
)
def test_any_names_make_an_id_that_venues_take(strategy, symbol, role, sequence):
    name = client_order_id("PA3", strategy, symbol, NOON, role, sequence)
    assert len(name) <= MAX_CHARACTERS
    assert name.isascii()
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_names_that_read_alike_differ():
    assert client_order_id("P", "s", "BTC/USD", NOON, "entry") != client_order_id("P", "s", "BTC_USD", NOON, "entry")


@pytest.mark.parametrize(("time", "sequence"), [(datetime(2024, 3, 4, 17, 0), 0), (NOON, -1), (NOON, 10**6)])  # noqa: DTZ001 (naive is the fault)
def test_what_cannot_make_an_id_is_refused(time, sequence):
    with pytest.raises(ValueError, match=r"decision_time|sequence"):
        client_order_id("P", "s", "AMD", time, "entry", sequence)
