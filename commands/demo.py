"""``demo``: the problems that this package was built against, tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from commands.composition import command


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What is shown of it."""

    only: Annotated[list[str], typer.Option(metavar="NAME", help="One scene; repeatable (default: all).")] = field(
        default_factory=list
    )
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="A setting over every scene's own, to switch a rule off."),
    ] = field(default_factory=list)
    json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")] = False


@command(
    "risk-first demo",
    "risk-first demo --only killed --only hands",
    "risk-first demo --only sectors --set risk.chain-=sector_cap",
)
def demo(options: DemoOptions) -> int:
    """Show the problems that this package was built against.

    Each scene says what used to happen, does it again with the program that trades, and checks what comes of it:
    with bars made for it, an exchange on this machine, no keys and no network. A rule that is switched off with
    --set makes its scene fail.

    Exit status: 0 every check holds, 1 one does not, 2 refused the input.
    """
    from commands.demonstration.programme import chosen, play
    from commands.demonstration.protection import FOLLOWING
    from commands.demonstration.screen import document, show_end, show_heading, show_played, show_title
    from commands.screen import console, show_json
    from config.environment import own_the_run
    from config.loader import load

    scenes = chosen(options.only)
    # Rules that a scene adds can be taken away again.
    load(overrides=[*FOLLOWING, *options.set_])
    own_the_run()
    printer = console(json=options.json)
    printer.quiet = options.json
    show_heading(printer, len(scenes))
    played = []
    for one in play(scenes, options.set_, lambda scene: show_title(printer, scene)):
        show_played(printer, one)
        played.append(one)
    show_end(printer, played)
    found = document(played)
    if options.json:
        show_json(found)
    return 0 if found["passed"] else 1
