"""The benchmark of the journal measures what a fill costs now."""

from __future__ import annotations

from benchmarks.journal import measure


def test_every_step_of_a_fill_is_measured(tmp_path):
    found = measure(40, tmp_path)
    assert {"first keeping of trades", "write a fill", "book a fill", "keep trades"} <= found.keys()
    assert all(wall > 0 for _, wall in found.values())
