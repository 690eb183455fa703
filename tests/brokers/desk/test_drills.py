"""A desk killed at any call to the venue, and under mishaps drawn by a seed: nothing lost, doubled or left bare."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from brokers.desk.execution.protection import Protector
from brokers.desk.reconcile.inflight_orders import QUIET
from tests.brokers.desk.drills import calls_of, faults_of, killed_at, troubled_day
from tests.brokers.desk.scene import Scene

PHASES = ("before", "after")
CALLS, SEEDS, PARTS = 179, 200, 10
LONGEST_NAKED_S = QUIET.total_seconds() + 10.0
"""Venue seconds; with answers lost, shares released late and replaces refused.

A sale whose answer was lost, and that never reached the venue, is given up after ``QUIET``; then the stop goes back. So
long may looks fail, too, in the worst of these days.
"""


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def kill(folder: Path, calls: range) -> None:
    failures = {}
    for call in calls:
        for phase in PHASES:
            place = folder / f"{call}-{phase}"
            place.mkdir()
            found, _ = killed_at(place, call, phase)
            if found:
                failures[call, phase] = found
    assert failures == {}


def trouble(folder: Path, seeds: Iterable[int]) -> None:
    failures, spells = {}, []
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        found, naked = troubled_day(place, seed)
        spells += naked.spells
        if found:
            failures[seed] = found
    assert failures == {}
    assert max(spells) <= LONGEST_NAKED_S
    assert statistics.median(spells) <= 10


def test_the_day_makes_the_calls_that_the_drill_kills_at(tmp_path):
    calls = calls_of(tmp_path)
    assert len(calls) == CALLS
    assert {"submit", "replace", "cancel", "open_orders", "orders_since", "positions", "account"} <= set(calls)


def test_killed_at_some_calls(tmp_path):
    kill(tmp_path, range(3, CALLS + 1, 88))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_call(tmp_path, part):
    kill(tmp_path, range(1 + part, CALLS + 1, PARTS))


def test_some_troubled_days(tmp_path):
    # In the eighth the market passes a stop in the last seconds.
    trouble(tmp_path, [0, 1, 8])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_two_hundred_troubled_days(tmp_path, part):
    trouble(tmp_path, range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS))


def test_the_drills_find_a_desk_that_protects_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Protector, "tend", lambda self, symbol, keep=None: None)
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    scene.adjust("trim", quantity=20)
    scene.settle()
    assert any("behind a stop" in fault for fault in faults_of(scene))
    scene.stop()


def test_the_drills_find_a_desk_that_waits_too_long_after_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr("brokers.desk.execution.protection.UNANSWERED", timedelta(minutes=1))
    (tmp_path / "calls").mkdir()
    submits = [n for n, name in enumerate(calls_of(tmp_path / "calls"), 1) if name == "submit"]
    # The third one protects what was filled in part: journaled, and the process is gone before it is sent.
    (tmp_path / "kill").mkdir()
    found, _ = killed_at(tmp_path / "kill", submits[2], "before")
    assert found == ["6 iterations after the restart still without a stop: ['MSFT']"]


def test_the_drills_find_an_order_that_went_around_the_counter(tmp_path):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(2)
    assert faults_of(scene) == []
    scene.exchange.submit({"symbol": "MSFT", "qty": "5", "side": "buy", "type": "market", "time_in_force": "day"})
    scene.pass_time(1)
    assert any("journal" in fault for fault in faults_of(scene))
    scene.stop()
