"""How a command's process ends."""

import atexit
import contextlib
import os
import sys
import threading
from typing import NoReturn


def end_process(status: int) -> NoReturn:
    """End the process with an exit status and leave what it has loaded to the system.

    Python would take all of it apart first, a hundred and fifty milliseconds after a backtest. What was registered for
    the end is done as always, and everything is as always where other threads run, or a debugger or profiler looks on.
    """
    watched = sys.gettrace() or sys.getprofile() or sys.flags.interactive
    if watched or threading.active_count() > 1:
        sys.exit(status)
    atexit._run_exitfuncs()
    # None where the process was started with the descriptor closed.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        # Closed by the command, or read by nobody any more: what there was to tell of it was told.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
