"""Short campaigns of each kind; long ones are slow. ``python -m tests.fuzz.campaign`` runs them at any length."""

from __future__ import annotations

import logging

import pytest

from tests.fuzz.campaign import KINDS

SHORT = {"venue_answers": 30, "configurations": 120, "short_runs": 6, "damaged_files": 20, "command_lines": 20}
LONG = {
    "venue_answers": 3_000, "configurations": 5_000, "short_runs": 60, "damaged_files": 1_000, "command_lines": 1_000,
}  # fmt: skip
SEEN = {
    "venue_answers": {"most read at Alpaca", "most read at Kraken"},
    "configurations": {"loaded", "refused"},
    "short_runs": {"traded", "checked order_notional", "checked sector_cap", "checked exposure_budget"},
    "damaged_files": {"whole", "refused"},
    "command_lines": {"status 2"},
}
"""What has to come of some of its cases, or it tried nothing."""


@pytest.fixture(autouse=True)
def quiet():
    # What is logged of odd answers cannot be sent from a worker to its parent.
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def held(kind: str, count: int, seed: int) -> None:
    campaign = KINDS[kind](count, seed)
    assert campaign.faults == []
    assert campaign.outcomes.keys() >= SEEN[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_campaign(kind):
    held(kind, SHORT[kind], 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_campaign(kind):
    held(kind, LONG[kind], 1_000_000)
