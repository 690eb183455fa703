"""A lockout of Kraken's: nothing is asked but one try in between, and every screen knows that nothing is looked at."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from brokers.kraken.connection.errors import LOCKOUT_S, LOCKOUT_TRY_S, LOCKOUT_URGENT_S
from brokers.live_state.snapshot import held_now
from brokers.venue_errors import LockedOut, NotSent, VenueError, level_of
from monitoring.signs import signs
from monitoring.state import ConditionState
from monitoring.status import status
from tests.brokers.kraken.scene import BTC, KrakenScene
from tests.brokers.kraken.scripted import scripted
from tests.brokers.kraken.turned_away import TurnedAway
from tests.brokers.rehearsal.kraken.market import served
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


def test_what_protects_tries_once_before_the_others(locked):
    _, rest, time, _ = locked
    time[0] = LOCKOUT_URGENT_S - 1
    assert rest.rates.waits_for_lockout(urgent=True) and not rest.rates.take("AddOrder", 0.0, urgent=True)
    time[0] = LOCKOUT_URGENT_S
    assert not rest.rates.take("OpenOrders", 0.0, urgent=False)
    assert rest.rates.take("AddOrder", 0.0, urgent=True)
    assert not rest.rates.take("AddOrder", 0.0, urgent=True), "it waits for what the first one hears"
    rest.rates.lock_out()
    for time[0] in (LOCKOUT_URGENT_S + 60, LOCKOUT_TRY_S - 1):
        assert not rest.rates.take("AddOrder", 0.0, urgent=True)
    assert rest.rates.locked.endswith("it is tried once before, at 12:05")
    time[0] = LOCKOUT_TRY_S
    assert rest.rates.take("OpenOrders", 0.0, urgent=False)
    rest.rates.lock_out()
    time[0] = LOCKOUT_S - 1
    assert not rest.rates.take("AddOrder", 0.0, urgent=True)
    assert rest.rates.locked == "locked out by Kraken until 12:15; nothing is looked at"


def begin(scene: KrakenScene, kind: str) -> None:
    """The stop's cancel, for the target or for an exit."""
    if kind == "target":
        scene.pass_time(1, BTC="95000")
        with suppress(VenueError):
            scene.desk.tick()
    else:
        scene.adjust("exit", BTC)


@pytest.mark.parametrize("kind", ["target", "exit"])
def test_a_lockout_after_a_stop_was_cancelled_is_seen_and_its_first_try_is_the_stop(tmp_path, kind):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        away = TurnedAway(scene, LOCKED[0], 100.0)
        begin(scene, kind)
        away.watch(2)
        ((position, stops),) = held_now(scene.desk, None)
        assert position.protected_quantity == 0 and not stops, "the screens count the cancel that was confirmed"
        assert scene.desk.protector.log.protectable == {BTC} and scene.held() > 0
        away.watch(110)
        assert len(away.asked) == 1, "nothing is sent while the lockout lasts"
        while len(away.asked) == 1 and away.passed_s < LOCKOUT_URGENT_S + 20:
            away.watch(2)
        assert scene.stopped() == scene.held() > 0
        first = away.asked[1:3]
        assert [path for _, path in first] == ["QueryOrders", "AddOrder"] and first[1][0] < LOCKOUT_URGENT_S + 10
        scene.settle(4)
        away.watch(30)
        assert scene.held() == 0 and scene.faults() == [], "what was under way goes on once it can be looked at"
        scene.close()


def test_too_many_requests_after_a_stop_was_cancelled_let_the_stop_go_back(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        away = TurnedAway(scene, "EAPI:Rate limit exceeded", 60.0, ("OpenOrders", "BalanceEx"))
        begin(scene, "target")
        away.watch(8)
        assert scene.stopped() == 0, "a look may come any moment"
        away.watch(8)
        assert scene.stopped() == scene.held() > 0, "orders do not count towards that limit"
        away.watch(60)
        scene.settle(20, 2)
        assert scene.held() == 0 and scene.faults() == []
        scene.close()


def test_nothing_is_sent_for_coins_whose_stop_has_ended_before_a_look(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        away = TurnedAway(scene, "", 0.0)
        begin(scene, "target")
        assert scene.positions.protection(BTC).protected == 0
        scene.desk.work()
        assert away.asked == [], "what the stop has sold, and whether its coins are free, the next look tells"
        away.watch(4)
        assert [path for _, path in away.asked if path == "AddOrder"] == ["AddOrder"]
        scene.close()
