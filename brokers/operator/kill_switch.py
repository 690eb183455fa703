"""Sets the kill switch in a trader's state folder, and says what that means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.operator.next_sale import next_sale
from config.errors import Refusal
from config.values.markets import NEW_YORK_ZONE

MEANING = {
    KillLevel.OFF: "entries are allowed from the next iteration on, unless something else stops them",
    KillLevel.STOP: "no entries from the next iteration on; exits keep working, and a trader that starts keeps to it",
    KillLevel.FLATTEN: "a trader that runs, or is started now, sells everything of its own and ends; where none runs, "
    "nothing is sold",
}


@dataclass(frozen=True, slots=True)
class SwitchReading:
    """What the kill switch of a state folder was and is; ``changed`` tells whether it was to be set.

    ``sales_from`` is the opening that sales wait for, where the level sells and the trader's market is closed.
    """

    folder: Path
    before: KillLevel
    now: KillLevel
    changed: bool
    sales_from: datetime | None = None

    @property
    def text(self) -> str:
        """In words, with what the level means."""
        change = f"{self.before}"
        if self.changed:
            change = f"was {self.now} already" if self.before is self.now else f"{self.before} before, {self.now} now"
        waits = ""
        if self.sales_from is not None:
            opens = self.sales_from.astimezone(NEW_YORK_ZONE)
            waits = f"; the market is closed, so sales wait for the next opening, {opens:%a %Y-%m-%d %H:%M} New York"
        return f"kill switch of {self.folder}: {change}: {MEANING[self.now]}{waits}"


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
    if wanted is not None:
        try:
            switch.pull(wanted)
        except OSError as error:
            raise Refusal(f"{folder}: cannot be written ({error.strerror}); make it writable") from None
    level = wanted or before
    waits = next_sale(folder) if level is KillLevel.FLATTEN else None
    return SwitchReading(folder, before, level, changed=wanted is not None, sales_from=waits)
