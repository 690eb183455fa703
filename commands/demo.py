"""``demo``: the problems that this package was built against, tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from commands.composition import command
from commands.options import ScreenOptions


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What is shown of it."""

    only: Annotated[list[str], typer.Option(metavar="NAME", help="One scene; repeatable (default: all).")] = field(
        default_factory=list
    )
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="One setting; repeatable."),
    ] = field(default_factory=list)


@command(
    "risk-first demo",
    "risk-first demo --only killed --only hands",
    "risk-first demo --only sectors --set risk.chain-=sector_cap",
)
def demo(options: DemoOptions, screen: ScreenOptions) -> int:
    """Show the problems this was built against, tried again.

    Each scene says what used to happen, does it again with the program that trades, and checks what comes of it:
    with bars made for it, an exchange on this machine, no keys and no network. A setting lies above every
    scene's own: a rule that is switched off with --set makes its scene fail.

    --quiet shows the result alone, --verbose each check on a line of its own and how long its scene took.

    Exit status: 0 every check holds, 1 one does not, 2 refused the input.
    """
    from commands.demonstration.programme import chosen, play
    from commands.demonstration.protection import FOLLOWING
    from commands.demonstration.screen import document, show_end, show_heading, show_played, show_title
    from commands.screen import console, show_json
    from config.environment import own_the_run
    from config.reading.loader import load

    scenes = chosen(options.only)
    # Rules that a scene adds can be taken away again.
    load(overrides=[*FOLLOWING, *options.set_])
    own_the_run()
    printer = console(json=screen.json)
    printer.quiet = screen.json
    if not screen.quiet:
        show_heading(printer, len(scenes))
    played = []
    for one in play(scenes, options.set_, lambda scene: None if screen.quiet else show_title(printer, scene)):
        if not screen.quiet:
            show_played(printer, one, each=screen.verbose)
        played.append(one)
    show_end(printer, played)
    found = document(played)
    if screen.json:
        show_json(found)
    return 0 if found["passed"] else 1
