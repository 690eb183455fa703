"""``positions``: what is held, and what protects it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.composition import command
from commands.operator.account import signed_in
from commands.options import MoneyOptions, ScreenOptions, SettingsOptions, StateOptions, VenueOptions
from commands.runs.replayed import EndOptions, end_of_run, refuse_beside_run

if TYPE_CHECKING:
    from brokers.operator.positions import PositionReport
    from brokers.venue_values import VenuePosition


@command(
    "risk-first positions",
    "risk-first positions --live --state-dir state",
    "risk-first positions --run runs/backtest-active-2013-01-02 --json",
)
def positions(
    money: MoneyOptions,
    venue: VenueOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    end: EndOptions,
) -> int:
    """Show each position, its exits, what protects it.

    Entry, price, stop, target, the way to both, what is protected and which exit would trigger now. It reads only,
    and may run beside a trader. 1 R is the distance from the entry to its first stop. A level in brackets is known
    from the journal and is no order at the broker. With --run it shows what a backtest held at its end, and asks no
    broker.

    Exit status: 0 done, 2 refused the input.
    """
    refuse_beside_run(end, state, money, venue, chosen)
    told = ""
    reports: list[PositionReport] = []
    remainders: list[VenuePosition] = []
    if end.run is None:
        reports, remainders = _at_the_broker(money, venue, state, chosen, screen)
    else:
        from brokers.operator.positions import report_of_states

        found = end_of_run(end, venue, screen)
        told, reports = found.state.ended, report_of_states(found.state.positions, found.targets)
    from brokers.operator.tables import positions_table, remainder_lines
    from commands.operator.documents import positions_document
    from commands.screen import console, show_json

    if screen.json:
        show_json(positions_document(reports))
        return 0
    printer = console(json=False)
    if told:
        printer.print(told, style="yellow", highlight=False)
    printer.print(positions_table(reports) if reports else "No positions.")
    for line in remainder_lines(remainders):
        printer.print(line, highlight=False)
    for report in reports:
        for sale in report.sales:
            printer.print(f"{report.symbol}: {sale} waits at the broker", style="yellow", highlight=False)
    return 0


def _at_the_broker(
    money: MoneyOptions, venue: VenueOptions, state: StateOptions, chosen: SettingsOptions, screen: ScreenOptions
) -> tuple[list[PositionReport], list[VenuePosition]]:
    from brokers.operator.account import look
    from brokers.operator.positions import report

    client, settings = signed_in(money, venue, state, chosen, screen)
    outlook = look(client, settings)
    return report(outlook, settings), outlook.view.remainders
