"""A function that is called in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from backtests import apart as module
from backtests.apart import apart
from config.errors import OwnCodeError, Refusal

KEPT: list[int] = []


def keeps(value: int) -> tuple[int, int]:
    KEPT.append(value)
    return os.getpid(), len(KEPT)


def raises(error: Exception) -> None:
    try:
        raise KeyError("inner")
    except KeyError as cause:
        raise error from cause


class NotSendable(Exception):
    """Holds what no process can hand to another."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)
        self.held = threading.Lock()


@pytest.fixture(params=["copied", "begun"])
def either_way(request, monkeypatch):
    """As where processes are copied, and as where they are not."""
    if request.param == "begun":
        monkeypatch.setattr(module, "_copied", module._begun)


def test_it_changes_nothing_here(either_way):
    KEPT.clear()
    first, second = apart(keeps, 1), apart(keeps, 2)
    assert (first[1], second[1], KEPT) == (1, 1, [])
    assert os.getpid() not in (first[0], second[0])


@pytest.mark.parametrize("error", [Refusal("no", key="a.b"), OwnCodeError("line 3"), ValueError("what")])
def test_its_errors_are_raised_here(either_way, error):
    with pytest.raises(type(error), match=str(error)) as found:
        apart(raises, error)
    assert "KeyError: 'inner'" in str(found.value.__cause__)


def test_an_error_that_cannot_be_sent_is_told():
    with pytest.raises(RuntimeError, match="NotSendable: ab"):
        apart(raises, NotSendable("a", "b"))


def test_a_process_that_is_killed_is_refused():
    with pytest.raises(Refusal, match="ended before the run did"):
        apart(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_what_it_prints_is_there_once(capfd):
    sys.stdout.write("before ")
    apart(print, "inside")
    assert capfd.readouterr().out == "before inside\n"
