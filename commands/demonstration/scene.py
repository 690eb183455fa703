"""A scene of the demonstration: what used to happen, the command it stands for, and what is seen and checked now."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Seen:
    """What a scene showed: lines to read, and checks that each hold or don't."""

    lines: list[str] = field(default_factory=list)
    checks: list[tuple[str, bool]] = field(default_factory=list)

    def say(self, line: str) -> None:
        """One line of what happens now."""
        self.lines.append(line)

    def check(self, claim: str, holds: object) -> None:
        """Something that has to be so; the demonstration fails where it is not."""
        self.checks.append((claim, bool(holds)))

    @property
    def passed(self) -> bool:
        """Whether something was checked and all of it holds."""
        return bool(self.checks) and all(holds for _, holds in self.checks)


@dataclass(frozen=True, slots=True)
class Output:
    """What a command of this package answered: its exit status, and both of its streams in one text."""

    status: int
    text: str

    def line_with(self, *words: str) -> str:
        """The first line that has all of the words; empty if none has."""
        found = (line.strip() for line in self.text.splitlines() if all(word in line for word in words))
        return next(found, "")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where scenes play.

    Parameters
    ----------
    folder : Path
        An empty one for each scene.
    overrides : tuple of str
        Settings (``a.b=c``) that lie above those of every scene: a rule that is switched off with one makes the check
        of its scene fail.
    """

    folder: Path
    overrides: tuple[str, ...] = ()

    def settings(self, *scene: str) -> list[str]:
        """``--set`` arguments: the scene's settings and above them the stage's."""
        return [word for setting in (*scene, *self.overrides) for word in ("--set", setting)]

    def run(self, *arguments: str) -> Output:
        """A command line of ``risk-first``, carried out in this process."""
        # Imported here: the command line knows this package's command by name.
        from commands.app import main

        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            status = main(arguments)
        return Output(status, text.getvalue())


@dataclass(frozen=True, slots=True)
class Scene:
    """One problem.

    Parameters
    ----------
    name : str
        To ask for it on the command line.
    title : str
    before : str
        What used to happen, in one sentence.
    command : str
        What a user types for it.
    play : callable
        Shows what happens now and checks it.
    """

    name: str
    title: str
    before: str
    command: str
    play: Callable[[Stage, Seen], None]


@contextmanager
def stage(overrides: Sequence[str] = ()) -> Iterator[Stage]:
    """A stage in a folder of its own, which is deleted afterwards; the present folder is left alone."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="risk-first-demo-") as folder:
        # Relative paths of settings, such as live.state_dir, belong into it.
        os.chdir(folder)
        try:
            yield Stage(Path(folder), tuple(overrides))
        finally:
            os.chdir(before)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables of the environment for a while; an empty value takes one away."""
    before: dict[str, Any] = {name: os.environ.get(name) for name in values}
    try:
        for name, value in values.items():
            _put(name, value or None)
        yield
    finally:
        for name, value in before.items():
            _put(name, value)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
