"""kill -9 at any moment: after the restart nothing planned is lost and nothing was sent or booked twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("kill_worker.py")


@pytest.mark.parametrize("kills", [25, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_nothing_is_lost_or_doubled(tmp_path, kills):
    command = [sys.executable, str(WORKER), str(tmp_path), "7", str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert f"{kills} kills" in done.stderr
