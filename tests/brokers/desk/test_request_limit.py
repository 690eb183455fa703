"""The venue's limit of requests: what gives way to what, and which paces fit."""

from __future__ import annotations

import time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from brokers.desk.lifecycle.wiring import open_live, refuse_pace
from brokers.desk.look_pace import BUSY_S
from brokers.desk.monitor import Monitor
from brokers.venue_errors import NotSent, RateLimited
from brokers.venue_requests import RequestLimit
from config import Refusal, load
from tests.brokers.desk.scene import Scene, held


@pytest.mark.parametrize("pace", ["1S", "2S", "5S"])
def test_a_pace_that_cannot_work_is_refused_with_the_shortest_that_can(pace):
    with pytest.raises(Refusal, match=rf"^--set: pace.sleeptime {pace}: .*; the shortest that works is 6S$"):
        refuse_pace(load(overrides=[f"pace.sleeptime={pace}"]), RequestLimit(200, 140))


def test_a_trader_is_not_wired_at_such_a_pace():
    session: Any = SimpleNamespace(venue=SimpleNamespace(request_limit=RequestLimit(200, 140)))
    with pytest.raises(Refusal, match="the shortest that works is 6S"):
        open_live(cast("Any", None), load(overrides=["pace.sleeptime=5S"]), session)


@pytest.mark.parametrize("pace", ["6S", "15S", "1M", "60M", "1D"])
def test_a_pace_that_works_is_taken(pace):
    refuse_pace(load(overrides=[f"pace.sleeptime={pace}"]), RequestLimit(200, 140))


def test_requests_at_the_shortest_pace_stay_below_the_limit():
    """Counted, not calculated: a look every two seconds and an iteration every six."""
    asked = []
    for second in range(120):
        if second % 6 == 0:
            asked += [second] * 7
        elif second % BUSY_S == 0:
            asked += [second] * 3
    assert max(sum(start <= time < start + 60 for time in asked) for start in range(60)) <= 140


def test_iterations_give_way_at_once_while_shares_are_bare_and_say_so(scene: Scene, caplog):
    held(scene)
    scene.state.room = lambda requests: False
    scene.desk.protector.log.see("AAPL", Decimal(49), Decimal(0))
    began = time.monotonic()
    with scene.desk.iteration():
        scene.desk.reconcile()
    with pytest.raises(NotSent, match="own rate limit"):
        scene.desk.snapshot()
    assert time.monotonic() - began < 2
    assert scene.wire.calls == []
    assert "iteration skipped: own rate limit: iterations give way to the watch over stops" in caplog.text
    assert "does not answer" not in caplog.text
    with scene.desk.iteration():
        scene.desk.reconcile()
    assert caplog.text.count("iteration skipped") == 1
    scene.desk.tick()
    assert scene.wire.calls != []


def test_looks_that_find_no_room_are_no_lines_of_their_own(scene: Scene, caplog):
    monitor = Monitor(scene.desk, scene.clock)

    def none(method: str, phase: str) -> None:
        raise RateLimited("429, too many requests: the venue takes none for 60 s more", told=True)

    scene.wire.mishap = none
    for _ in range(20):
        monitor._look()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_an_iteration_waits_for_room_without_the_desks_lock(scene: Scene, monkeypatch):
    asked = []

    def room(requests: int) -> bool:
        asked.append(requests)
        assert scene.desk.lock.held_s == 0
        return len(asked) > 3

    scene.state.room = room
    monkeypatch.setattr("brokers.desk.iteration_guard.NAP_S", 0.0)
    with scene.desk.iteration():
        scene.desk.reconcile()
    assert asked == [7] * 4
    assert scene.desk.iterations == 1
