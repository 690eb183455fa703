"""The one exception that means: the input was refused, nothing was started; and the one way to tell it."""

import sys
from collections.abc import Callable


class Refusal(Exception):
    """Bad input, told in one sentence that names the file, the key and the way out.

    The command line prints the sentence and leaves with exit status 2, without a traceback.

    Parameters
    ----------
    sentence : str
    key : str, optional
        Dotted key of the setting that is to blame, for who knows which file it came from.
    """

    def __init__(self, sentence: str = "", *, key: str = "") -> None:
        super().__init__(sentence)
        self.key = key


def exit_status(run: Callable[[], int]) -> int:
    """What a command line returns: its own status, or with one line on standard error 2 (refused), 1 (interrupted)."""
    try:
        return run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 1
    except Refusal as refusal:
        sys.stderr.write(" ".join(str(refusal).split()) + "\n")
        return 2
