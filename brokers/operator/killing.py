"""Sets the kill switch in a trader's state folder, and says what that means."""

from __future__ import annotations

from pathlib import Path

from brokers.desk.entry_halts import KillLevel, KillSwitch
from config.errors import Refusal

MEANING = {
    KillLevel.OFF: "entries are allowed from the next iteration on, unless something else stops them",
    KillLevel.STOP: "no entries from the next iteration on; exits keep working, and a trader that starts keeps to it",
    KillLevel.FLATTEN: "a trader that runs, or is started now, sells everything of its own and ends; where none runs, "
    "nothing is sold",
}


def set_switch(folder: Path, wanted: KillLevel | None) -> str:
    """Set the switch to a level, or only read it for None; returns what was done and what it means.

    Raises
    ------
    Refusal
        There is no such folder, so that no trader reads it, or it cannot be written.
    """
    if not folder.is_dir():
        raise Refusal(f"{folder}: there is no such folder, no trader reads it; name the trader's with --state-dir")
    switch = KillSwitch(folder)
    before = switch.level
    if wanted is None:
        return f"kill switch of {folder}: {before}: {MEANING[before]}"
    try:
        switch.pull(wanted)
    except OSError as error:
        raise Refusal(f"{folder}: cannot be written ({error.strerror}); make it writable") from None
    change = f"was {before} already" if before is wanted else f"{before} before, {wanted} now"
    return f"kill switch of {folder}: {change}: {MEANING[wanted]}"
