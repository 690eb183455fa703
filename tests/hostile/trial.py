"""One hostile venue at one time: what it made the desk do, and whether everything was right again once it was over.

``python -m tests.hostile.trial`` tries all of them and prints the table.
"""

from __future__ import annotations

import io
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import brokers.alpaca.responses as responses
from tests.brokers.desk.drills import faults_of
from tests.hostile.answers import CHANGES
from tests.hostile.sending import SENDS, STREAMS
from tests.hostile.venue import KEY, SECRET, HostileScene, Hostility

PHASES = ("before", "at", "after")
HOSTILE_STEPS, SETTLE_STEPS = 8, 20
LONGEST_STEP_S = 12.0
"""What an iteration may take; a hostile venue may use it up, and no more."""


@dataclass(slots=True)
class Trial:
    """What came of it."""

    name: str
    phase: str
    faults: list[str] = field(default_factory=list)
    halted: bool = False
    entered: bool = False
    seconds: float = 0.0
    longest_s: float = 0.0


def hostilities() -> dict[str, Hostility]:
    """Every hostile venue, by what it does."""
    found = {name: Hostility(change=change) for name, change in CHANGES.items()}
    found |= {name: Hostility(send=send) for name, send in SENDS.items()}
    return found | {name: Hostility(stream=stream) for name, stream in STREAMS.items()}


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Everything that brokers log, in a text."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(message)s%(exc_info)s"))
    logger = logging.getLogger("brokers")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def tried(name: str, phase: str, folder: Path) -> Trial:
    """A day in which the venue is hostile before, at or after the first entry, and honest again at its end."""
    trial, began = Trial(name, phase), time.monotonic()
    hostility = hostilities()[name]
    # A minute of the venue's pause would be one of the test's.
    pause, responses.MOST_PAUSE_S = responses.MOST_PAUSE_S, 0.05
    with logged() as text:
        scene = HostileScene(folder, hostility)
        try:
            _day(scene, trial)
            trial.faults += faults_of(scene)
            trial.halted = bool(scene.desk.halts.reasons(scene.exchange.now))
        except Exception as error:
            trial.faults.append(f"{type(error).__name__}: {error}"[:200])
        finally:
            responses.MOST_PAUSE_S = pause
            scene.close()
    written = text.getvalue() + "".join(
        path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()
    )
    trial.faults += [f"{secret} is written" for secret in (KEY, SECRET) if secret in written]
    trial.seconds = time.monotonic() - began
    return trial


def _day(scene: HostileScene, trial: Trial) -> None:
    scene.asked["AAPL"] = 3
    scene.hostility.on = trial.phase == "before"
    if trial.phase != "before":
        _step(scene, trial)
    if trial.phase == "after":
        _enter(scene, trial)
        for _ in range(3):
            _step(scene, trial)
        if not scene.held() == scene.stopped() > 0:
            trial.faults.append("nothing was held before it began")
    held, scene.hostility.on = scene.held(), True
    if trial.phase != "after":
        _enter(scene, trial)
    for number in range(HOSTILE_STEPS):
        _step(scene, trial, AAPL=100 + number % 3 - 1)
        if trial.phase == "after" and scene.stopped() < scene.held():
            trial.faults.append(f"step {number}: {scene.held()} held, {scene.stopped()} behind a stop")
    scene.hostility.on = False
    scene.hostility.over.set()
    time.sleep(0.06)
    if not held and not scene.held():
        _enter(scene, trial)
    for _ in range(SETTLE_STEPS):
        _step(scene, trial, seconds=5)
    trial.entered = scene.held() > 0


def _enter(scene: HostileScene, trial: Trial) -> None:
    began = time.monotonic()
    with scene.desk.iteration():
        scene.enter("AAPL", 50)
    _timed(trial, began)


def _step(scene: HostileScene, trial: Trial, seconds: float = 1.0, **prices: float) -> None:
    began = time.monotonic()
    scene.step(seconds, **prices)
    _timed(trial, began)


def _timed(trial: Trial, began: float) -> None:
    took = time.monotonic() - began
    trial.longest_s = max(trial.longest_s, took)
    if took > LONGEST_STEP_S:
        trial.faults.append(f"a step took {took:.1f} s")


def main() -> int:
    """Try every venue at every time; a line of the table for each."""
    wrong = 0
    names = sys.argv[1:] or list(hostilities())
    sys.stdout.write("| the venue | before | at | after | longest step |\n|---|---|---|---|---|\n")
    for name in names:
        cells, longest = [], 0.0
        for phase in PHASES:
            with tempfile.TemporaryDirectory() as folder:
                trial = tried(name, phase, Path(folder))
            longest = max(longest, trial.longest_s)
            said = "halted" if trial.halted else "entries go on"
            cells.append("; ".join(trial.faults) if trial.faults else said)
            wrong += bool(trial.faults)
        sys.stdout.write(f"| {name} | {' | '.join(cells)} | {longest:.1f} s |\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
