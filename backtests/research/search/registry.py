"""The register of trials: every trial ever run on a data set, across studies and days.

What counts is a configuration that was tried on data over a window: made again, in whatever study and folder, it is
the same trial and adds none.

A line is appended and forced to disk before a trial runs, so that a killed process leaves it counted. Lines are
never changed or removed; a lock of the operating system keeps two processes from writing at once and ends with the
process that holds it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from config.errors import Refusal

VARIABLE = "RISK_FIRST_TRIALS"


def default_path() -> Path:
    """The register of this user: ``$RISK_FIRST_TRIALS``, else below the folder for the user's data."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "risk-first" / "trials.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One trial as it is registered: the data's hash, the study, its number there and what was tried.

    ``configuration`` is a hash of all its settings; where there is none the study and the parameters tell it.
    """

    data: str
    study: str
    number: int
    parameters: dict[str, Any]
    window: tuple[str, str]
    configuration: str = ""


class TrialRegistry:
    """Appends to and counts in one file.

    Parameters
    ----------
    path : Path, optional
        By default that of ``default_path``.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path

    def add(self, entries: Iterable[Entry]) -> None:
        """Register trials that are about to run.

        Raises
        ------
        Refusal
            If the file can't be written: a trial that isn't counted is not run.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [
            json.dumps(
                {
                    "time": now,
                    "data": e.data,
                    "study": e.study,
                    "number": e.number,
                    "window": list(e.window),
                    "parameters": e.parameters,
                    "configuration": e.configuration,
                },
                separators=(",", ":"),
                default=str,
            )
            for e in entries
        ]
        if not lines:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"), self.path.open("ab+") as file:
                # A process that was killed in the middle of a line must not spoil the next one.
                if file.tell() and not self._ends_a_line(file):
                    file.write(b"\n")
                file.write(("\n".join(lines) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Refusal(
                f"{self.path}: the register of trials can't be written ({error.strerror}); set {VARIABLE} to a file "
                "that can be"
            ) from error

    def count(self, data: str) -> int:
        """How many configurations were ever tried on the data of that hash, each window of them by itself.

        Lines of earlier versions hold no hash of the settings. A study's name is one of its settings and its space, so
        that study and parameters tell their configuration, and whether a newer line repeats it.
        """
        known: set[tuple[str, ...]] = set()
        found = 0
        for entry in self.entries():
            if entry["data"] == data:
                window = json.dumps(entry.get("window"))
                parameters = json.dumps(entry.get("parameters"), sort_keys=True)
                keys: set[tuple[str, ...]] = {("study", str(entry.get("study")), window, parameters)}
                if entry.get("configuration"):
                    keys.add(("settings", entry["configuration"], window))
                found += known.isdisjoint(keys)
                known |= keys
        return found

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every complete line; one that was cut short by a kill is left out."""
        try:
            with self.path.open("rb") as file:
                for line in file:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(entry, dict) and "data" in entry:
                        yield entry
        except FileNotFoundError:
            return
        except OSError as error:
            raise Refusal(f"{self.path}: the register of trials can't be read ({error.strerror})") from error

    @staticmethod
    def _ends_a_line(file: Any) -> bool:
        file.seek(-1, os.SEEK_END)
        return bool(file.read(1) == b"\n")
