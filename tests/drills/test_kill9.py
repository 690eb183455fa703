"""kill -9 of a real trader at calls to the venue; ``tools/drills/kill_drill.py`` does it at every one."""

from __future__ import annotations

import pytest

from tests.drills.killing import DATA, kill_at

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_file(), reason="needs bars_5min.parquet beside the project"),
]


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("call", [5, 12, 14])
def test_a_killed_trader_starts_again_and_leaves_nothing_undone(tmp_path, call, phase):
    outcome = kill_at(call, phase, tmp_path)
    assert outcome.killed
    assert outcome.faults == []
