"""Environment that Lumibot reads when it is first imported. Set before that, or it acts on its own.

Unset, importing Lumibot walks up the folders for a ``.env``, and with broker keys in it builds a live
broker and opens its stream.
"""

import atexit
import gc
import os

from config.process.collector import collect_rarely

_BEFORE_IMPORT = {
    "LUMIBOT_DISABLE_DOTENV": "1",
    "LUMIBOT_LAZY_CREDENTIALS": "1",
    "LUMIBOT_TELEMETRY": "0",
    "LUMIBOT_HIDE_BOTSPOT_TIP": "1",
    "LUMIBOT_DISABLE_UI": "1",
    "LUMIBOT_LOG_LEVEL": "ERROR",
}
# Each of these silently overrides an argument of a run.
_OVERRIDING = (
    "BACKTESTING_DATA_SOURCE",
    "BACKTESTING_BUDGET",
    "BACKTESTING_QUIET_LOGS",
    "BACKTESTING_SHOW_PROGRESS_BAR",
    "LUMIBOT_STRATEGY_PARAMETERS",
    "MARKET",
    "STRATEGY_NAME",
)


def calm_lumibot() -> None:
    """Keep Lumibot from acting at import; what the user has set already stands."""
    for name, value in _BEFORE_IMPORT.items():
        os.environ.setdefault(name, value)


def leave_out_plugins() -> None:
    """Keep pydantic from looking through every package that is installed for plugins of its own; before its import.

    What the user has set already stands; an empty value lets it look.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def own_the_run() -> None:
    """For our own command line: what it says decides, not what Lumibot finds in the environment."""
    calm_lumibot()
    collect_rarely()
    # What is alive at the end goes with the process: Python would look through all of it first, for a second or, beside
    # other work, for half a minute.
    atexit.register(gc.freeze)
    os.environ["IS_BACKTESTING"] = "true"
    for name in _OVERRIDING:
        os.environ.pop(name, None)
