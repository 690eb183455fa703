"""Draws the tearsheet beside the pictures, in a copy of the process, which has loaded already what it takes."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from backtests.reports.tearsheet.sheet import TearsheetInput, write_tearsheet
from config.values.printable import one_line

LONGEST_S = 300


class TearsheetDrawing:
    """A tearsheet that is being drawn.

    Only a process of one thread can be copied safely: where others run, or have begun to, it is drawn in ``finish``.
    """

    def __init__(self, path: Path, given: TearsheetInput) -> None:
        self._path, self._given = path, given
        self._copy = None
        if threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context("fork")
            self._answer, theirs = context.Pipe(duplex=False)
            self._copy = context.Process(target=_drawn_apart, args=(path, given, theirs), daemon=True)
            self._copy.start()
            theirs.close()

    def finish(self) -> str:
        """Wait for the page; empty, or in a sentence why there is none."""
        if self._copy is None:
            return _drawn(self._path, self._given)
        try:
            if not self._answer.poll(LONGEST_S):
                return f"{self._path.name} was not written: it was not drawn within {LONGEST_S} s"
            return str(self._answer.recv())
        except EOFError:
            self._copy.join()
            return f"{self._path.name} was not written: its process ended with {self._copy.exitcode}"

    def end(self) -> None:
        """Leave no process behind, whether the page was waited for or not."""
        if self._copy is not None:
            self._copy.kill()
            self._copy.join()
            self._answer.close()


@contextmanager
def drawing(path: Path, given: TearsheetInput) -> Iterator[TearsheetDrawing]:
    """Draw a tearsheet beside what is done in the context; ``finish`` has to be called in it."""
    drawn = TearsheetDrawing(path, given)
    try:
        yield drawn
    finally:
        drawn.end()


def _drawn_apart(path: Path, given: TearsheetInput, answer: Connection) -> None:
    # A Ctrl-C at the terminal is for the run to handle, which ends its copy.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It ends with the page: nothing that it leaves behind is worth looking for.
    gc.disable()
    answer.send(_drawn(path, given))


def _drawn(path: Path, given: TearsheetInput) -> str:
    try:
        write_tearsheet(path, given)
    except OSError as error:
        return f"{path.name} was not written: {error.filename or path}: {error.strerror}"
    except Exception as error:
        # Other people's code, on whatever curve a run has: the rest of the report is there, and it is told.
        return f"{path.name} was not written: {one_line(f'{type(error).__name__}: {error}')}"
    return ""
