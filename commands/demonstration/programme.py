"""The scenes in their order, played one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from commands.demonstration import halting, limits, own_bot, protection, sizes
from commands.demonstration.scene import Scene, Seen, stage
from config.errors import Refusal
from config.process.silence import without_log_lines

ORDER = (
    "size",
    "hands",
    "killed",
    "cancelled",
    "cleanup",
    "sectors",
    "widths",
    "stop-outs",
    "hedge",
    "winner",
    "bad-day",
    "kill",
    "budget",
    "lookahead",
    "own-bot",
)
_BY_NAME = {scene.name: scene for module in (sizes, protection, limits, halting, own_bot) for scene in module.SCENES}
SCENES: tuple[Scene, ...] = tuple(_BY_NAME[name] for name in ORDER)


@dataclass(frozen=True, slots=True)
class Played:
    """A scene that was played, and how long that took in seconds."""

    number: int
    scene: Scene
    seen: Seen
    seconds: float


def chosen(names: Sequence[str]) -> list[Scene]:
    """The scenes of these names in their order, all of them for none.

    Raises
    ------
    Refusal
        A name is none.
    """
    for name in names:
        if name not in _BY_NAME:
            raise Refusal(f"--only {name}: is no scene; there are {', '.join(ORDER)}")
    return [scene for scene in SCENES if not names or scene.name in names]


def play(
    scenes: Sequence[Scene], overrides: Sequence[str], begins: Callable[[Scene], None] = lambda scene: None
) -> Iterator[Played]:
    """Play scenes, each in a folder of its own; ``begins`` is told each before it is played."""
    for scene in scenes:
        begins(scene)
        began, seen = time.perf_counter(), Seen()
        # What happens is on the screen, not in the log.
        with without_log_lines():
            try:
                with stage(overrides) as its:
                    scene.play(its, seen)
            except Refusal as refusal:
                seen.check(f"played to its end: {refusal}", False)
            except Exception as error:
                # A scene that cannot be played proves nothing, and the others are still worth seeing.
                seen.check(f"played to its end: {type(error).__name__}: {error}", False)
        yield Played(SCENES.index(scene) + 1, scene, seen, time.perf_counter() - began)
