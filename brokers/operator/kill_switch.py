"""Sets the kill switch in a trader's state folder, and says what that means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.operator.next_sale import next_sale
from brokers.reporting import log_file
from config.errors import Refusal
from config.values.markets import NEW_YORK_ZONE
from monitoring.state import FLATTEN_FILE, JOURNAL_FILE, STATE_FILE, STOP_FILE

MEANING = {
    KillLevel.OFF: "entries are allowed from the next iteration on, unless something else stops them",
    KillLevel.STOP: "no entries from the next iteration on; exits keep working, and a trader that starts keeps to it",
    KillLevel.FLATTEN: "a trader that runs, or is started now, sells everything of its own and ends; where none runs, "
    "nothing is sold",
}
UNREAD = (
    "no trader has written in this folder yet, and one that runs with another does not see it; one that starts here "
)
AT_START = {
    KillLevel.OFF: "may enter, unless something else stops it",
    KillLevel.STOP: "enters nothing",
    KillLevel.FLATTEN: "sells everything of its own and ends",
}
"""What the level means for a trader that is started in a folder in which none has written."""
WRITTEN = (Path(STATE_FILE), Path(JOURNAL_FILE), Path(log_file.FOLDER) / log_file.FILE)
"""What a trader writes in its state folder."""


@dataclass(frozen=True, slots=True)
class SwitchReading:
    """What the kill switch of a state folder was and is; ``changed`` tells whether it was to be set.

    ``sales_from`` is the opening that sales wait for, where the level sells and the trader's market is closed; ``read``
    whether a trader has ever written in the folder, so that one reads it, perhaps.
    """

    folder: Path
    before: KillLevel
    now: KillLevel
    changed: bool
    sales_from: datetime | None = None
    read: bool = True

    @property
    def meaning(self) -> str:
        """What the level means for a trader; for none that runs, where none has written in the folder."""
        return MEANING[self.now] if self.read else f"{UNREAD}{AT_START[self.now]}"

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
        return f"kill switch of {self.folder}: {change}: {self.meaning}{waits}"


def set_switch(folder: Path, wanted: KillLevel | None, *, own: bool = True) -> SwitchReading:
    """Set the switch to a level, or only read it for None.

    Parameters
    ----------
    folder : Path
    wanted : KillLevel or None
    own : bool, optional
        Whether it is the state folder of the settings, which is taken as it is: a trader is about to start there.

    Raises
    ------
    Refusal
        There is no such folder, or it is of something else, so that no trader reads it, or it cannot be written.
    """
    if not folder.is_dir():
        raise Refusal(f"{folder}: there is no such folder, no trader reads it; name the trader's with --state-dir")
    read = _written_in(folder)
    if not (read or own) and wanted in {KillLevel.STOP, KillLevel.FLATTEN}:
        _refuse_other_folder(folder)
    switch = KillSwitch(folder)
    before = switch.level
    if wanted is not None:
        try:
            switch.pull(wanted)
        except OSError as error:
            raise Refusal(f"{folder}: cannot be written ({error.strerror}); make it writable") from None
    level = wanted or before
    waits = next_sale(folder) if level is KillLevel.FLATTEN else None
    return SwitchReading(folder, before, level, changed=wanted is not None, sales_from=waits, read=read)


def _written_in(folder: Path) -> bool:
    """Whether a trader has ever written there; what cannot be looked at counts as written, as the switch must work."""
    for name in WRITTEN:
        try:
            (folder / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass
        return True
    return False


def _refuse_other_folder(folder: Path) -> None:
    """Refuse a folder that holds something, and nothing of a trader's; an empty one is that of a trader to come.

    Raises
    ------
    Refusal
    """
    try:
        others = {entry.name for entry in folder.iterdir()} - {STOP_FILE, FLATTEN_FILE}
    except OSError:
        return
    if _written_in(folder / "state"):
        raise Refusal(
            f"{folder}: no trader reads it, its run's state folder is {folder / 'state'}; write --state-dir "
            f"{folder / 'state'}"
        )
    if others:
        raise Refusal(
            f"{folder}: no trader reads it, it holds neither {STATE_FILE} nor {JOURNAL_FILE}; name the trader's state "
            "folder with --state-dir"
        )
