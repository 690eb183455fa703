"""The life of an order as a table: which state may follow which, and what a late report means.

Venues report out of order and more than once, so a report of a state that the order has left behind changes
nothing. A report that no order of events can explain is never booked.

``LOST`` is the one state that this side gives by itself: the venue, asked several times, knew nothing of the order.
It counts as over, but the venue's word is above ours, so whatever the venue says of it later is legal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from brokers.order_types import State


class IllegalTransition(ValueError):
    """A report that contradicts what is known of the order; nothing was booked."""


_ENDS = frozenset({State.FILLED, State.CANCELLED, State.REPLACED, State.EXPIRED})
# The stream may be faster than the answer to the request, and a crash may lie between them.
_BY_VENUE = _ENDS | {State.WORKING, State.PARTIALLY_FILLED, State.REJECTED}

TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PLANNED: frozenset({State.JOURNALED}),
        State.JOURNALED: _BY_VENUE | {State.SENT, State.UNKNOWN, State.LOST},
        State.SENT: _BY_VENUE | {State.UNKNOWN, State.LOST},
        State.UNKNOWN: _BY_VENUE | {State.LOST},
        State.WORKING: _ENDS | {State.PARTIALLY_FILLED, State.REJECTED, State.LOST},
        State.PARTIALLY_FILLED: _ENDS | {State.LOST},
        # A request may arrive long after its answer was lost, and a lookup may deny an order that is there.
        State.LOST: _BY_VENUE,
        State.FILLED: frozenset(),
        State.CANCELLED: frozenset(),
        State.REJECTED: frozenset(),
        State.REPLACED: frozenset(),
        State.EXPIRED: frozenset(),
    }
)
FINAL = frozenset(state for state, following in TRANSITIONS.items() if not following) | {State.LOST}
"""Over, as far as anybody knows."""
OPEN = frozenset(State) - FINAL - {State.PLANNED}


def _reachable(state: State) -> frozenset[State]:
    found: set[State] = set()
    ahead = [state]
    while ahead:
        new = TRANSITIONS[ahead.pop()] - found
        found |= new
        # What follows a mistake of ours says nothing about the order in which a venue reports.
        ahead.extend(new - {State.LOST})
    return frozenset(found)


_LATER = {state: _reachable(state) for state in State}


def advance(current: State, reported: State) -> State:
    """The state after a report: the reported one, or the present one if the report is a repeat or late.

    Raises
    ------
    IllegalTransition
        No order of events leads to both, e.g. a rejection of what was filled.
    """
    if reported in TRANSITIONS[current]:
        return reported
    if current is reported or current in _LATER[reported]:
        return current
    raise IllegalTransition(f"an order that is {current} cannot be {reported}")
