"""Sets the kill switch in a trader's state folder, and says what that means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from brokers.desk.entry_halts import KillLevel, KillSwitch
from config.errors import Refusal

MEANING = {
    KillLevel.OFF: "entries are allowed from the next iteration on, unless something else stops them",
    KillLevel.STOP: "no entries from the next iteration on; exits keep working, and a trader that starts keeps to it",
    KillLevel.FLATTEN: "a trader that runs, or is started now, sells everything of its own and ends; where none runs, "
    "nothing is sold",
}


@dataclass(frozen=True, slots=True)
class SwitchReading:
    """What the kill switch of a state folder was and is; ``changed`` tells whether it was to be set."""

    folder: Path
    before: KillLevel
    now: KillLevel
    changed: bool

    @property
    def text(self) -> str:
        """In words, with what the level means."""
        change = f"{self.before}"
        if self.changed:
            change = f"was {self.now} already" if self.before is self.now else f"{self.before} before, {self.now} now"
        return f"kill switch of {self.folder}: {change}: {MEANING[self.now]}"


def set_switch(folder: Path, wanted: KillLevel | None) -> SwitchReading:
    """Set the switch to a level, or only read it for None.

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
        return SwitchReading(folder, before, before, changed=False)
    try:
        switch.pull(wanted)
    except OSError as error:
        raise Refusal(f"{folder}: cannot be written ({error.strerror}); make it writable") from None
    return SwitchReading(folder, before, wanted, changed=True)
