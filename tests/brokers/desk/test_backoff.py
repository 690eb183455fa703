from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from brokers.desk.execution.backoff import Backoff

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize("failures", [40, 1025, 100_000])
@pytest.mark.parametrize("first_s", [1, 2.0, 15.0])
def test_a_pause_after_many_failures_is_the_longest_one(failures, first_s):
    backoff = Backoff(first_s, 60.0, failures, NOW)
    assert backoff.pauses(NOW + timedelta(seconds=59))
    assert not backoff.pauses(NOW + timedelta(seconds=60))
    assert not backoff.pauses(NOW + timedelta(seconds=8), 8.0)


def test_a_pause_doubles():
    backoff = Backoff(2.0, 60.0)
    for pause in (2, 4, 8, 16, 32, 60, 60):
        backoff.failed(NOW)
        assert backoff.pauses(NOW + timedelta(seconds=pause - 1))
        assert not backoff.pauses(NOW + timedelta(seconds=pause))
