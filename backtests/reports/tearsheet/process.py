"""Draws the tearsheet in a process beside the run: its libraries load while the run still computes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from backtests.reports.tearsheet.sheet import TearsheetInput

ROOT = Path(__file__).parents[3]
LONGEST_S = 300


class TearsheetProcess:
    """A process that waits for what it has to draw; without it, it ends by itself and writes nothing.

    Parameters
    ----------
    path : Path
        The page to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(  # noqa: S603  # our own module; no shell
            [sys.executable, "-m", "backtests.reports.tearsheet.sheet", str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            # A Ctrl-C at the terminal is the run's to handle; the process ends when its input does.
            start_new_session=True,
        )

    def draw(self, given: TearsheetInput) -> None:
        """Hand over what is to be drawn; returns at once."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(pickle.dumps(given))
            self._process.stdin.close()
        except BrokenPipeError:
            # It has ended already; ``finish`` says why.
            return

    def finish(self) -> str:
        """Wait for the page; empty, or in a sentence why there is none."""
        try:
            said = self._process.stderr.read() if self._process.stderr else b""
            status = self._process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return f"{self.path.name} was not written: it was not drawn within {LONGEST_S} s"
        if status == 0:
            return ""
        why = (said.decode(errors="replace").strip().splitlines() or [f"its process ended with {status}"])[-1]
        return f"{self.path.name} was not written: {why}"

    def __enter__(self) -> TearsheetProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stderr):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
