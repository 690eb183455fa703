"""A rehearsed day of trouble: what is critical is said everywhere within ten seconds; nothing planted can be read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.drills.killing import DATA, ROOT


@pytest.mark.timeout(600)
@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not DATA.exists(), reason="needs the market data in ../shared/data")
def test_the_owner_is_told_of_everything_critical(tmp_path):
    """Slow: a real trader is started four times and loses stream, stops and venue; two minutes, six on a busy one."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/drills/alarm_drill.py"), "--keep", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing went wrong" in done.stdout
