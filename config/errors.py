"""The one exception that means: the input was refused, nothing was started; and what a command line makes of errors."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar

from config.process.private_files import private_files
from config.process.secret_guard import masked_output
from config.process.terminal import plain_output
from config.values.masking import redacted
from config.values.printable import one_line

EXIT_FAILED, EXIT_REFUSED = 1, 2
LONGEST = 1_500
"""Characters of a refusal; of a longer one the beginning and the end are told."""
_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


class Refusal(Exception):
    """Bad input, told in one sentence that names the file, the key and the way out.

    The command line prints the sentence and leaves with exit status 2, without a traceback.

    Parameters
    ----------
    sentence : str
    key : str, optional
        Dotted key of the setting that is to blame, for who knows which file it came from.
    """

    status: ClassVar[int] = EXIT_REFUSED

    def __init__(self, sentence: str = "", *, key: str = "") -> None:
        # What somebody wrote is repeated in it, and may be of any length.
        if len(sentence) > LONGEST:
            sentence = f"{sentence[: LONGEST // 2]} … {sentence[-LONGEST // 3 :]}"
        super().__init__(sentence)
        self.key = key


class NoAnswer(Refusal):
    """A service that is needed does not answer now: the same input may work later, so that a restart helps.

    The exit status is that of a run that failed.
    """

    status: ClassVar[int] = EXIT_FAILED


class OwnCodeError(Exception):
    """An error in a signal or rule of another package: one sentence with its name, file and line.

    The command line ends with it as with a refusal. It is none to a trader, which stops entries at any error of an
    iteration and goes on protecting what is held.
    """


def exit_status(run: Callable[[], int]) -> int:
    """What a command line returns: its own status, or with one line on standard error 2 (refused) or 1 (failed).

    What ended for want of an answer (``NoAnswer``) has failed.

    A file that cannot be written, a full disk for instance, ends in one line too, and so does an interruption. A
    reader of standard output that has gone (``| head``) ends the command without a word, as it does for other tools.
    """
    plain_output()
    with masked_output():
        return _status(run)


def _status(run: Callable[[], int]) -> int:
    try:
        # Journals, logs and runs tell what somebody owns: whatever a command writes is for its owner alone.
        with _ended_like_an_interruption(), private_files():
            status = run()
        # A server that talks over standard output closes it at its end.
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except KeyboardInterrupt:
        tell("Interrupted.")
    except BrokenPipeError:
        _forget_output()
    except (Refusal, OwnCodeError) as refusal:
        tell(str(refusal))
        return refusal.status if isinstance(refusal, Refusal) else EXIT_REFUSED
    except OSError as error:
        if error.errno not in _STORAGE and error.filename is None:
            raise
        place = f"{error.filename}: " if error.filename else ""
        tell(f"{place}{error.strerror or error}; what was written until then is not complete")
    else:
        return status
    return EXIT_FAILED


def tell(sentence: str) -> None:
    """One line on standard error, without the password of an address that the sentence repeats."""
    try:
        sys.stderr.write(one_line(redacted(" ".join(sentence.split()))) + "\n")
        sys.stderr.flush()
    except OSError:
        # Nobody reads it, or there is no room for it: the exit status says what there is to say.
        return


@contextlib.contextmanager
def _ended_like_an_interruption() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does; one that is ignored (``nohup``) stays so."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        ending = (number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL)
        before = {number: signal.signal(number, interrupt) for number in ending}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _forget_output() -> None:
    """Point standard output to nowhere: Python flushes it once more at its end, and must not fail there."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
