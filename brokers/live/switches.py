"""What keeps the desk from entering: the kill switch, a crash, a budget that cannot be trusted, a silent venue."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from brokers.journal import Journal
from brokers.live.ownbook import NEW_YORK
from config.errors import Refusal

log = logging.getLogger(__name__)

STOP_FILE = "STOP"
FLATTEN_FILE = "FLATTEN"
CRASH = "crash"


class Level(StrEnum):
    """How hard the kill switch is pulled."""

    OFF = "off"
    STOP = "stop"
    FLATTEN = "flatten"


@dataclass(slots=True)
class KillSwitch:
    """Files in the state folder: ``STOP`` ends entries, ``FLATTEN`` also sells what is held."""

    folder: Path

    @property
    def level(self) -> Level:
        if (self.folder / FLATTEN_FILE).exists():
            return Level.FLATTEN
        return Level.STOP if (self.folder / STOP_FILE).exists() else Level.OFF

    def pull(self, level: Level) -> None:
        """Set it; ``OFF`` lets entries through again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = {Level.STOP: (STOP_FILE,), Level.FLATTEN: (STOP_FILE, FLATTEN_FILE), Level.OFF: ()}[level]
        for name in (STOP_FILE, FLATTEN_FILE):
            if name in wanted:
                (self.folder / name).touch()
            else:
                (self.folder / name).unlink(missing_ok=True)


@dataclass(slots=True)
class Switches:
    """Why nothing may be entered now; exits are never held back.

    ``venue_gone`` says whether the venue counts as gone; ``passing`` are other reasons that may end by themselves,
    in words by name. Those of the session are in the journal.
    """

    journal: Journal
    kill: KillSwitch
    venue_gone: Callable[[], str] = lambda: ""
    passing: dict[str, str] = field(default_factory=dict)
    _said: frozenset[str] = frozenset()

    def crashed(self, error: BaseException, now: datetime) -> None:
        """An iteration ended with an error: no entries for the rest of the session, also after a restart."""
        log.error("iteration failed, no entries until the next session: %s", error, exc_info=error)
        self.halt(CRASH, now, f"{type(error).__name__}: {error}")

    def halt(self, name: str, now: datetime, reason: str) -> None:
        """End the session for entries; where that cannot be written down, for this process."""
        try:
            self.journal.halt(now.astimezone(NEW_YORK).date(), name, now, reason)
        except Refusal as refusal:
            log.error("%s", refusal)
            self.passing[name] = reason

    def halted(self, now: datetime) -> frozenset[str]:
        """Names of what ended this session for entries."""
        return self.journal.halts(now.astimezone(NEW_YORK).date())

    def reasons(self, now: datetime, modules: frozenset[str] = frozenset()) -> list[str]:
        """Everything that forbids entries now, apart from ``modules`` of the chain, which speak for themselves."""
        level = self.kill.level
        found = [f"{name}: {why}" for name, why in sorted(self.passing.items())]
        if gone := self.venue_gone():
            found.append(gone)
        found += [f"halted for this session by {name}" for name in sorted(self.halted(now) - modules)]
        if level is not Level.OFF:
            found.append(f"kill switch: {level}")
        if frozenset(found) != self._said:
            self._said = frozenset(found)
            log.warning("entries are %s", f"stopped; {'; '.join(found)}" if found else "allowed again")
        return found
