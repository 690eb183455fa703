"""An interruption while a command's modules are loaded, which takes seconds; nothing slow is imported here."""

import os
import sys
from types import TracebackType


def interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say it in a word, as of a command that is interrupted later; any other error is told as ever."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.write("Interrupted.\n")
    sys.stderr.flush()
    # Python would end by the signal otherwise; an interrupted command has failed.
    os._exit(1)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = interrupted
