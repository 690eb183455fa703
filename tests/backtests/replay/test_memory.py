"""What a replay holds is gone with its result: a thousand trials need no more memory than one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUN = """
import gc, sys
from backtests.replay.engine import replay
from tests.backtests.market import market, settings_on_market
OURS = ("backtests", "brokers", "config", "market", "risk", "strategies")
table = market(11, 0.02, 0.05, 0.02, bars=240)
settings = settings_on_market(sys.argv[1], {"selection.only_a_plus": False})
def run():
    return [order.status for order in replay(settings, table, table.opens_at[60], table.opens_at[-1]).record.orders]
run()
gc.collect()
gc.disable()
gc.set_debug(gc.DEBUG_SAVEALL)
ended = run()
gc.collect()
left = [type(value).__qualname__ for value in gc.garbage if type(value).__module__.partition(".")[0] in OURS]
# Brackets of which one exit filled and the other was cancelled, and some that still work, were among them.
assert {"filled", "cancelled", "working"} <= set(ended), ended
assert not left, left[:20]
"""


@pytest.mark.parametrize("profile", ["active", "swing"])
def test_a_run_leaves_nothing_for_the_garbage_collector(profile):
    """In a new process: in this one, threads that earlier tests started may leave values of ours at the same time."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, profile], check=False, cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, ended.stderr
