"""A command's process ends at once, after what was to be done at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import atexit, sys, threading, time
from config.process.ending import end_process
atexit.register(print, "registered")
print("told", end="; ")
{before}
try:
    end_process(3)
except SystemExit:
    print("left to Python", end="; ")
    raise
"""
LATER = 'threading.Thread(target=lambda: (time.sleep(0.05), print("waited for", end="; "))).start()'


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("", "told; registered\n"),
        (LATER, "told; left to Python; waited for; registered\n"),
        ("sys.settrace(lambda *_: None)", "told; left to Python; registered\n"),
        ("sys.stderr.close()", "told; registered\n"),
        ("sys.stderr = None", "told; registered\n"),
    ],
)
def test_what_is_registered_is_done_and_what_is_loaded_is_left(before: str, told: str) -> None:
    code = CODE.format(before=before)
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == (told, "", 3)
