"""A command that is interrupted while its modules are loaded ends in a word, as one that is interrupted later."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ended(raised: str) -> subprocess.CompletedProcess[str]:
    """A process in which the import that follows the package of commands raises."""
    code = f"import commands\nraise {raised}"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
    )


def test_an_interruption_while_modules_load_is_no_traceback():
    found = ended("KeyboardInterrupt")
    assert (found.returncode, found.stderr) == (1, "Interrupted.\n")


def test_any_other_error_is_told_as_ever():
    found = ended("ValueError('what')")
    assert found.returncode == 1 and "Traceback" in found.stderr and "ValueError: what" in found.stderr
