"""``notify``: where notifications go."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions
from config.errors import Refusal

MESSAGE = "This is a test. A running trader tells here of fills, halts, positions without a stop and trouble."


@command("risk-first notify", "NOTIFY_URLS=ntfy://my-topic risk-first notify --test", "risk-first notify --json")
def notify(
    keys: KeyOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    test: Annotated[bool, typer.Option("--test", help="Send one to each address, and say whether it went.")] = False,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Send this to each address, as critical: for a supervisor.")
    ] = None,
) -> int:
    """Show where notifications go, and try them.

    Addresses are those of apprise (tgram://, ntfy://, mailto://, json:// and others) in NOTIFY_URLS, separated by
    blanks; they are secrets and are never shown.

    Exit status: 0 done, 1 an address did not take it, 2 refused the input.
    """
    from brokers.notifications.targets import VARIABLE, channels
    from commands.screen import console, show_json
    from config.operating import operating

    urls = settings_of(chosen, state, keys, screen=screen).secrets.NOTIFY_URLS
    if urls is None:
        raise Refusal(f"{VARIABLE} is not set; put addresses into it, e.g. ntfy://my-topic, and try again")
    found: list[tuple[str, bool | None, str]] = []
    for channel in channels(urls.get_secret_value(), operating().notifications):
        delivered = None
        if message is not None:
            delivered = channel.send("risk-first: CRITICAL", message, critical=True)
        elif test:
            delivered = channel.send("risk-first: test", MESSAGE, critical=False)
        found.append((channel.name, delivered, channel.why))
    if screen.json:
        show_json([{"address": name, "delivered": delivered, "why": why} for name, delivered, why in found])
    else:
        for name, delivered, why in found:
            said = {None: "", True: ": delivered", False: f": NOT delivered ({why})"}
            console(json=False).print(f"{name}{said[delivered]}", highlight=False, markup=False)
    return 1 if any(delivered is False for _, delivered, _ in found) else 0
