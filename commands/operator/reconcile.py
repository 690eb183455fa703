"""``reconcile``: the journal against the broker's account."""

from __future__ import annotations

from commands.composition import command
from commands.operator.account import signed_in
from commands.options import MoneyOptions, ScreenOptions, SettingsOptions, StateOptions, VenueOptions
from config.values.counting import counted


@command("risk-first reconcile", "risk-first reconcile --state-dir state --json")
def reconcile(
    money: MoneyOptions,
    venue: VenueOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
) -> int:
    """Compare the journal with the broker's account.

    Positions, orders, fills, protection, and what was bought by hand. It reads only, and may run beside a trader.
    What differs is looked at twice, and told if it still does.

    Exit status: 0 no differences, 1 differences, 2 refused the input.
    """
    from brokers.operator.differences import compare
    from brokers.operator.tables import differences_table, manual_position_lines, remainder_lines
    from commands.operator.documents import differences_document
    from commands.screen import console, show_json

    client, settings = signed_in(money, venue, state, chosen, screen)
    found = compare(client, settings)
    if screen.json:
        show_json(differences_document(found))
        return 0 if found.clean else 1
    printer = console(json=False)
    if not found.clean:
        printer.print(differences_table(found.differences))
    if found.not_asked:
        more = counted(found.not_asked, "more order")
        printer.print(f"{more}, open here and in no listing of the venue: not asked for.", highlight=False)
    for line in (*manual_position_lines(found.by_hand), *remainder_lines(found.remainders)):
        printer.print(line, highlight=False)
    compared = f"{counted(found.positions, 'position')} and {counted(found.orders, 'open order')} at the venue"
    count = len(found.differences)
    printer.print(f"{compared}: {counted(count, 'difference') if count else 'no differences'}.", highlight=False)
    return 0 if found.clean else 1
