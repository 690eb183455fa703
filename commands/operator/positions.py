"""``positions``: what is held, and what protects it."""

from __future__ import annotations

from commands.composition import command
from commands.operator.account import signed_in
from commands.options import MoneyOptions, ScreenOptions, SettingsOptions, StateOptions, VenueOptions


@command("risk-first positions", "risk-first positions --live --state-dir state", "risk-first positions --json")
def positions(
    money: MoneyOptions,
    venue: VenueOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
) -> int:
    """Show each position, its exits, what protects it.

    Entry, price, stop, target, the way to both, what is protected and which exit would trigger now. It reads only,
    and may run beside a trader. 1 R is the distance from the entry to its first stop. A level in brackets is known
    from the journal and is no order at the broker.

    Exit status: 0 done, 2 refused the input.
    """
    from brokers.operator.account import look
    from brokers.operator.positions import report
    from brokers.operator.tables import positions_table
    from commands.operator.documents import positions_document
    from commands.screen import console, show_json

    client, settings = signed_in(money, venue, state, chosen, screen)
    reports = report(look(client, settings), settings)
    if screen.json:
        show_json(positions_document(reports))
    else:
        console(json=False).print(positions_table(reports) if reports else "No positions.")
    return 0
