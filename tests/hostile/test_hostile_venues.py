"""Venues that lie, flood, echo and send elsewhere, before, at and after the first entry; all of them are slow tests."""

from __future__ import annotations

import pytest

from tests.hostile.trial import PHASES, hostilities, tried

FEW = ("another symbol", "a refusal with the keys in it", "types nobody knows")
LEAST = 60


@pytest.mark.parametrize(("name", "phase"), list(zip(FEW, ("at", "before", "after"), strict=True)))
def test_some_venues(tmp_path, name, phase):
    trial = tried(name, phase, tmp_path)
    assert trial.faults == []
    assert trial.entered


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", hostilities())
def test_every_venue(tmp_path, name, phase):
    assert tried(name, phase, tmp_path).faults == []


def test_there_are_enough_of_them():
    assert len(hostilities()) >= LEAST


def test_a_trial_that_finds_nothing_could_find_something(tmp_path, monkeypatch):
    """A desk that counts a leg in another symbol as one of nobody's cancels its own stop: the trial says so."""
    from brokers.desk.reconcile.journal_sync import JournalSync

    monkeypatch.setattr(JournalSync, "_check_relative", lambda self, order, known, side: None)
    assert any("behind a stop" in fault for fault in tried("another symbol", "at", tmp_path).faults)
