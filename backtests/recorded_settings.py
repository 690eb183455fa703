"""Settings that a trader wrote down, read by this version of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config import Settings, load

SOURCE = "the recorded settings"


def recorded_settings(raw: Mapping[str, Any]) -> Settings:
    """The settings of a record; what it does not hold, since it was left out or is newer, is the default.

    Raises
    ------
    Refusal
        A setting is known no longer, or its value is not possible any more.
    """
    given = [(SOURCE, name, section) for name, section in raw.items()]
    # How fast time passed there is no setting of what is decided, and is refused where no venue is named.
    return load(arguments=[*given, (SOURCE, "pace.speed", 1.0)])
