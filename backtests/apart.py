"""Calls a function in a process of its own: whatever it leaves behind in modules and classes ends with it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar, TypeVarTuple

from config.errors import Refusal

R = TypeVar("R")
Given = TypeVarTuple("Given")


class Told(Exception):
    """The traceback of an error in the other process, as text: the cause of the error that is raised in this one."""


def apart(function: Callable[[*Given], R], *given: *Given) -> R:
    """What the function gives when it starts from the state of this process as it is now, and changes none of it.

    The process is copied where the system can do that; elsewhere a new one is started, for which the function and what
    it is given have to be picklable, as its result has to be anywhere.

    Raises
    ------
    Exception
        Whatever the function raised.
    Refusal
        If the process ended without an answer.
    """
    answers, theirs = multiprocessing.Pipe(duplex=False)
    with answers:
        begin = _copied if hasattr(os, "fork") else _begun
        end = begin(function, given, theirs)
        theirs.close()
        try:
            done, found, cause = answers.recv()
        except EOFError:
            raise Refusal(
                "the process of a run ended before the run did, which memory that is short is the usual cause of; "
                "choose a shorter window or fewer symbols"
            ) from None
        finally:
            end()
    if not done:
        raise found from (Told(f"\n{cause}") if cause else None)
    result: R = found
    return result


def _copied(function: Callable[..., Any], given: tuple[Any, ...], theirs: Connection) -> Callable[[], None]:
    """Begin in a copy of this process; returns what ends it."""
    # What waits to be written would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # From 3.12 on Python warns of threads that the copy lacks: a run waits for none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Not through multiprocessing: its processes may not have any of their own where a cluster's worker is one.
        copy = os.fork()
    if copy == 0:
        try:
            _answer(function, given, theirs)
        finally:
            # Threads that the run has left are not waited for.
            os._exit(0)

    def end() -> None:
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)

    return end


def _begun(function: Callable[..., Any], given: tuple[Any, ...], theirs: Connection) -> Callable[[], None]:
    """Begin in a new process; returns what ends it."""
    new = multiprocessing.get_context("spawn").Process(target=_answer, args=(function, given, theirs), daemon=True)
    new.start()

    def end() -> None:
        new.kill()
        new.join()

    return end


def _answer(function: Callable[..., Any], given: tuple[Any, ...], theirs: Connection) -> None:
    # A Ctrl-C at the terminal is for the process that waits to handle, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What was there before is not looked through for garbage: that would copy the memory it lies in.
    gc.freeze()
    try:
        answer: tuple[bool, Any, str] = (True, function(*given), "")
    except Exception as error:
        cause = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
        answer = (False, _sendable(error), cause)
    # Once it has been answered, the process may be ended at any moment.
    sys.stdout.flush()
    sys.stderr.flush()
    theirs.send(answer)


def _sendable(error: Exception) -> Exception:
    """The error, or where it cannot be sent one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # what this process has made itself
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
