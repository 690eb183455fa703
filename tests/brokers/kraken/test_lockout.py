"""A lockout of Kraken's: nothing is asked but one try in between, and every screen knows that nothing is looked at."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from brokers.kraken.connection.errors import LOCKOUT_S, LOCKOUT_TRY_S
from brokers.venue_errors import LockedOut, NotSent, level_of
from monitoring.signs import signs
from monitoring.state import ConditionState
from monitoring.status import status
from tests.brokers.kraken.scripted import scripted
from tests.monitoring.journals import trader_state

NOON = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
LOCKED = ["EGeneral:Temporary lockout"]


@pytest.fixture
def locked(tmp_path):
    venue, rest, _ = scripted(tmp_path)
    time = [0.0]
    rest.rates.clock, rest.rates.rest.at = (lambda: time[0]), 0.0
    rest.rates.now = lambda: NOON + timedelta(seconds=time[0])
    answers = rest.answers["OpenOrders"]
    rest.answers["OpenOrders"] = LOCKED
    with pytest.raises(LockedOut, match=r"locked out by Kraken until 12:15; nothing is looked at; .* at 12:05"):
        venue.client.open_orders()
    return venue, rest, time, answers


def test_it_is_told_once_and_the_venue_counts_as_gone(locked, caplog):
    venue, rest, time, _ = locked
    for time[0] in (1.0, 60.0, LOCKOUT_TRY_S - 1):
        with pytest.raises(LockedOut) as refused:
            venue.client.balances()
        assert isinstance(refused.value, NotSent) and level_of(refused.value) == logging.DEBUG
    assert len(rest.asked) == 1, "nothing more was sent"
    assert venue.gone.startswith("locked out by Kraken until 12:15; nothing is looked at")
    assert venue.room(3), "an iteration does not wait for room, it is refused with the reason"
    told = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [r.levelname for r in told if "locked out" in r.message] == ["ERROR"]


def test_one_request_tries_in_between_and_its_answer_ends_it(locked, caplog):
    venue, rest, time, answers = locked
    time[0] = LOCKOUT_TRY_S
    rest.answers["OpenOrders"] = answers
    venue.client.open_orders()
    assert venue.gone == "" and "takes requests of this account again" in caplog.text
    venue.client.balances()


def test_after_a_try_in_vain_the_next_is_at_the_end(locked):
    venue, rest, time, answers = locked
    time[0] = LOCKOUT_TRY_S
    with pytest.raises(LockedOut) as refused:
        venue.client.open_orders()
    assert str(refused.value) == "locked out by Kraken until 12:15; nothing is looked at"
    assert len(rest.asked) == 2
    time[0] = LOCKOUT_S - 1
    with pytest.raises(LockedOut):
        venue.client.open_orders()
    assert len(rest.asked) == 2
    time[0], rest.answers["OpenOrders"] = LOCKOUT_S, answers
    venue.client.open_orders()
    assert venue.gone == ""


def test_while_the_try_has_no_answer_no_other_request_goes(locked):
    _, rest, time, _ = locked
    time[0] = LOCKOUT_TRY_S
    assert rest.rates.take("OpenOrders", 0.0, urgent=True)
    assert not rest.rates.take("BalanceEx", 0.0, urgent=True)


def test_protection_is_told_as_of_the_last_look():
    look = datetime.now(UTC) - timedelta(seconds=30)
    running = replace(trader_state(), last_look=look, written=datetime.now(UTC), ended="")
    assert status(running).as_of is None
    why = "locked out by Kraken until 12:15; nothing is looked at"
    down = ConditionState("venue_down", "the venue", why, look)
    blind = replace(running, unseen=why, stopped_by=(why,), conditions=(down,))
    assert status(blind).as_of == blind.look_time and not math.isnan(status(blind).age_s)
    assert any(
        sign.head == "Venue down" and "locked out by Kraken until 12:15" in sign.text for sign in signs(status(blind))
    )
