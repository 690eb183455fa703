"""What keeps the desk from entering: the kill switch, a crash, a budget that cannot be trusted, a silent venue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from brokers.journal import Journal, JournalTaken
from brokers.reporting.events import EventKind, about
from config.errors import Refusal
from config.process.private_files import OWNER_ONLY, private_folder
from market.trading_day import day_of
from monitoring.state import FLATTEN_FILE, STOP_FILE

log = logging.getLogger(__name__)

CRASH = "crash"
UNUSABLE = "the journal"
DISK = "the disk"
NO_ROOM = "it is full, and what is left is for stops and exits; make room"


class KillLevel(StrEnum):
    """How hard the kill switch is pulled."""

    OFF = "off"
    STOP = "stop"
    FLATTEN = "flatten"


@dataclass(slots=True)
class KillSwitch:
    """Files in the state folder: ``STOP`` ends entries, ``FLATTEN`` also sells what is held."""

    folder: Path
    _seen: bool = False

    @property
    def level(self) -> KillLevel:
        """How hard it is pulled. A link that leads nowhere is there, too; what cannot be read stops entries."""
        try:
            if self._there(FLATTEN_FILE):
                return KillLevel.FLATTEN
            return KillLevel.STOP if self._there(STOP_FILE) else KillLevel.OFF
        except OSError:
            return KillLevel.STOP

    def _there(self, name: str) -> bool:
        """Whether the folder has such an entry, whatever it is; OSError if that cannot be told."""
        try:
            (self.folder / name).lstat()
        except FileNotFoundError:
            # Before the first start there is no folder; one that was there and is gone had a switch in it, perhaps.
            if self.folder.is_dir():
                self._seen = True
            elif self._seen:
                raise
            return False
        self._seen = True
        return True

    def pull(self, level: KillLevel) -> None:
        """Set it; ``OFF`` lets entries through again."""
        private_folder(self.folder)
        wanted = {KillLevel.STOP: (STOP_FILE,), KillLevel.FLATTEN: (STOP_FILE, FLATTEN_FILE), KillLevel.OFF: ()}[level]
        for name in (STOP_FILE, FLATTEN_FILE):
            if name in wanted:
                if not self._there(name):
                    (self.folder / name).touch(OWNER_ONLY)
            else:
                (self.folder / name).unlink(missing_ok=True)


@dataclass(slots=True)
class EntryHalts:
    """Why nothing may be entered now; exits are never held back.

    ``venue_gone`` says whether the venue counts as gone; ``passing`` are other reasons that may end by themselves,
    in words by name. Those of the session are in the journal, or wait here until it can be written. ``taken`` says that
    another process has the journal, so that this one must end; ``account`` why the venue lets the account open nothing;
    ``ended`` that the process is over, so that what fails from here on is of no interest.
    """

    journal: Journal
    kill: KillSwitch
    venue_gone: Callable[[], str] = lambda: ""
    passing: dict[str, str] = field(default_factory=dict)
    taken: str = ""
    account: str = ""
    ended: bool = False
    _troubled: bool = False
    _unwritten: dict[tuple[date, str], tuple[datetime, str]] = field(default_factory=dict)
    _said: frozenset[str] = frozenset()

    def crashed(self, error: BaseException, now: datetime) -> None:
        """An iteration or a look ended with an error: no entries for the rest of the session, also after a restart.

        A journal that could not be used only keeps them back until a later look has used it: nothing was sent on it,
        and what the venue did meanwhile is found by that look.
        """
        if self.ended:
            log.debug("after the end: %s", error)
            return
        if isinstance(error, Refusal):
            self._unusable(error)
            return
        log.error(
            "iteration failed, no entries until the next session: %s",
            error,
            exc_info=error,
            extra=about(EventKind.CRASH, error=type(error).__name__),
        )
        self.halt(CRASH, now, f"{type(error).__name__}: {error}")

    def looked(self) -> None:
        """The venue was asked and the journal used without an error.

        A look writes only what is new, so a journal counts as usable once there was no error from one look to the next.
        A halt that could not be written down before is now; where that fails again it goes on holding.
        """
        self.passing.pop("venue", None)
        try:
            self._write_down()
        except Exception as error:
            # Called before positions are protected, which no halt may keep waiting.
            self._unusable(error)
            return
        if self.journal.keeps_room():
            self.passing.pop(DISK, None)
        else:
            self.passing[DISK] = NO_ROOM
        if UNUSABLE in self.passing and not self._troubled:
            del self.passing[UNUSABLE]
            log.warning("the journal can be used again")
        self._troubled = False

    def halt(self, name: str, now: datetime, reason: str, sessions: Sequence[date] = ()) -> None:
        """End the session for entries, or several; what cannot be written down now holds all the same, and is later."""
        for session in sessions or (_session(now),):
            self._unwritten[session, name] = (now, reason)
        try:
            self._write_down()
        except Exception as error:
            # Called where an error is dealt with: there must not be another one.
            log.error("%s", error)

    def halted(self, now: datetime) -> frozenset[str]:
        """Names of what ended this session for entries, by the journal and what it could not take yet.

        Raises
        ------
        Refusal
            The journal cannot be read; ``stopped``, ``lasting`` and ``reasons`` raise it, too.
        """
        session = _session(now)
        return self.journal.halts(session) | {name for day, name in list(self._unwritten) if day == session}

    def _unusable(self, error: Exception) -> None:
        """Keep entries back until a later look has used the journal."""
        if isinstance(error, JournalTaken):
            self.taken = str(error)
        if UNUSABLE not in self.passing:
            log.error("no entries, and no stops either, while the journal cannot be used: %s", error)
        self.passing[UNUSABLE], self._troubled = str(error), True

    def _write_down(self) -> None:
        for (session, name), (time, reason) in list(self._unwritten.items()):
            self.journal.halt(session, name, time, reason)
            self._unwritten.pop((session, name), None)

    def reasons(self, now: datetime, modules: frozenset[str] = frozenset()) -> list[str]:
        """Everything that forbids entries now, apart from ``modules`` of the chain, which speak for themselves.

        Changes are logged.
        """
        found = self.stopped(now, modules)
        if frozenset(found) != self._said:
            self._said = frozenset(found)
            text = f"stopped; {'; '.join(found)}" if found else "allowed again"
            log.warning("entries are %s", text, extra=about(EventKind.HALT, over=not found, reasons=found))
        return found

    @property
    def told(self) -> frozenset[str]:
        """What ``reasons`` found last; asks nobody."""
        return self._said

    def stopped(self, now: datetime, modules: frozenset[str] = frozenset()) -> list[str]:
        """The same, without telling the log."""
        found = [f"{name}: {why}" for name, why in sorted(self.passing.items())]
        if gone := self.venue_gone():
            found.append(gone)
        return found + self.lasting(now, modules)

    def lasting(self, now: datetime, modules: frozenset[str] = frozenset()) -> list[str]:
        """What of it does not end by itself in a moment, so that entries that wait for their fill are ended too."""
        level = self.kill.level
        found = [f"halted for this session by {name}" for name in sorted(self.halted(now) - modules)]
        if self.account:
            found.append(f"the account: {self.account}")
        return found if level is KillLevel.OFF else [*found, f"kill switch: {level}"]


def _session(now: datetime) -> date:
    return day_of(now)
