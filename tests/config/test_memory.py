"""Memory that is free goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEASURE = """
import platform
from config.process.memory import give_back_large_blocks
def megabytes():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
give_back_large_blocks()
# The first large block that is freed: from here on glibc by itself keeps blocks of that size.
bytearray(16 << 20)
blocks, small = [], []
for _ in range(20):
    blocks.append(bytearray(3 << 20))
    small.append(bytearray(100_000))
full = megabytes()
del blocks
print(platform.libc_ver()[0], full - megabytes())
"""


FREE = """
import platform
from config.process.memory import give_back_free_memory
def megabytes():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
# Small blocks, of which every hundredth stays: the others lie between them.
blocks = [bytearray(20_000) for _ in range(5_000)]
full = megabytes()
blocks = blocks[::100]
give_back_free_memory()
print(platform.libc_ver()[0], full - megabytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
@pytest.mark.parametrize("program", [MEASURE, FREE])
def test_blocks_that_are_freed_go_back_even_where_others_that_stay_lie_between(program) -> None:
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_TUNABLES"))},
        capture_output=True,
        text=True,
        check=True,
    )
    library, megabytes = told.stdout.rsplit(None, 1)
    if library != "glibc":
        pytest.skip("glibc's settings")
    # By itself glibc keeps them, or not: that hangs on what was loaded before.
    assert float(megabytes) > 50
