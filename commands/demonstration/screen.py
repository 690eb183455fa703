"""The demonstration on a screen of eighty columns, and as a document."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from commands.demonstration.programme import SCENES, Played
from commands.demonstration.scene import Scene

WIDEST, NARROWEST = 80, 40
"""Columns: what is read in a meeting is no wider, however wide the screen is."""
INDENT, LABEL = 4, 9


def show_heading(console: Console, count: int) -> None:
    """What is going to be seen."""
    told = (
        f"{count} of {len(SCENES)} problems that cost somebody money, tried again. The bars are synthetic, the "
        "exchange is on this machine, the program is the one that trades."
    )
    for line in textwrap.wrap(told, _width(console)):
        console.print(line, highlight=False)


def show_title(console: Console, scene: Scene) -> None:
    """The scene that is about to be played, and what used to happen."""
    console.print(f"\n{SCENES.index(scene) + 1:>2}  {scene.title}", style="bold", highlight=False)
    _lines(console, "before", [scene.before])
    _lines(console, "command", [scene.command])


def show_played(console: Console, played: Played, *, each: bool = False) -> None:
    """What happens now, and whether it is as it should be; ``each`` check on a line of its own, and the time."""
    _lines(console, "now", played.seen.lines)
    holding = [claim for claim, holds in played.seen.checks if holds]
    failing = [claim for claim, holds in played.seen.checks if not holds]
    if holding:
        _lines(console, "holds", holding if each else ["; ".join(holding)], "green")
    for claim in failing:
        _lines(console, "FAILS", [claim], "bold red")
    if each:
        _lines(console, "seconds", [f"{played.seconds:.1f}"])


def show_end(console: Console, played: Sequence[Played]) -> None:
    """How many scenes were as they should be."""
    good, seconds = sum(one.seen.passed for one in played), sum(one.seconds for one in played)
    checks = sum(len(one.seen.checks) for one in played)
    colour = "green" if good == len(played) else "red"
    hold = Text(f"\n{good} of {len(played)} scenes hold", style=f"bold {colour}")
    console.print(Text.assemble(hold, f", {checks} checks, {seconds:.0f} s"), highlight=False)
    if good < len(played):
        told = ", ".join(one.scene.name for one in played if not one.seen.passed)
        console.print(f"not so: {told}", style="red", highlight=False)


def document(played: Sequence[Played]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "passed": all(one.seen.passed for one in played),
        "seconds": round(sum(one.seconds for one in played), 1),
        "scenes": [
            {
                "number": one.number,
                "name": one.scene.name,
                "title": one.scene.title,
                "before": one.scene.before,
                "command": one.scene.command,
                "now": one.seen.lines,
                "checks": [{"claim": claim, "holds": holds} for claim, holds in one.seen.checks],
                "passed": one.seen.passed,
                "seconds": round(one.seconds, 1),
            }
            for one in played
        ],
    }


def _lines(console: Console, label: str, texts: Sequence[str], style: str = "") -> None:
    for number, line in enumerate(_wrapped(texts, _width(console) - INDENT - LABEL)):
        head = f"{label if number == 0 else '':<{LABEL}}"
        shown = Text(head + line, style=style) if style else Text.assemble((head, "dim"), line)
        console.print(Text.assemble(" " * INDENT, shown), highlight=False, soft_wrap=True)


def _wrapped(texts: Sequence[str], width: int) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(text, width, break_on_hyphens=False)


def _width(console: Console) -> int:
    return max(min(console.width, WIDEST), NARROWEST)
