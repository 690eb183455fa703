"""``shock``: the present book through falls of the past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions
from commands.runs.replayed import EndOptions, refuse_beside_run, replayed
from config.errors import Refusal
from config.values.counting import signed

if TYPE_CHECKING:
    from backtests.research.shock.present import PresentBook


@command(
    "risk-first shock",
    "risk-first shock --path pandemic_2020 --path semis_rout --state-dir state --json",
    "risk-first shock --run runs/backtest-swing-2016-01-04 --out shock.html",
)
def shock(
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    end: EndOptions,
    path: Annotated[
        list[str], typer.Option(metavar="NAME", help="A fall, repeatable (default: all); --path list shows them.")
    ] = [],  # noqa: B006  # typer copies it
    out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page too.")] = None,
) -> int:
    """Play falls of the past on the present book.

    The falls of 2020 and of 2022, session by session, and named falls of one session, on what a trader holds now: which
    exits fire, which rules stop entries and when, and what is left. Each position moves by its beta to the benchmark.
    It reads the state folder, or a run's folder, and asks no broker.

    Exit status: 0 done, 2 refused the input.
    """
    refuse_beside_run(end, state, chosen)
    from backtests.research.shock.paths import all_names, shock_path
    from backtests.research.shock.play import play
    from backtests.research.shock.report import document, sentence, shock_page
    from commands.screen import console, show_json, write_out
    from monitoring.record_table import Column, RecordTable

    printer = console(screen.json)
    if path == ["list"]:
        for name in all_names():
            found = shock_path(name)
            printer.print(f"{name}: market {found.market:+.2%}, {found.told}", highlight=False, soft_wrap=True)
        return 0
    paths = [shock_path(name) for name in path or all_names()]
    present = _of_trader(state, chosen, keys, screen) if end.run is None else _of_run(end, keys, screen)
    results = [play(present, each) for each in paths]
    write_out(out, lambda: shock_page(present, results))
    if screen.json:
        show_json(document(present, results))
        return 0
    headings = ("sessions", "market", "at the lowest", "at its end", "held through", "exits")
    table = RecordTable(
        [Column("shock"), *(Column(heading, right=True) for heading in headings), Column("halts", prose=True)]
    )
    for r in results:
        table.add(
            r.path.name,
            str(len(r.path.days)),
            signed(r.path.market, ".1%"),
            signed(r.worst, ".2%"),
            signed(r.change, ".2%"),
            signed(r.held_through / r.equity - 1, ".2%"),
            str(len(r.exits)),
            ", ".join(dict.fromkeys(f"{h.rule}" for h in r.halts)) or "none",
        )
    printer.print(sentence(results), style="bold", highlight=False, soft_wrap=True)
    printer.print(table)
    left_out = ", ".join(dict.fromkeys(name for r in results for name in r.unplayed))
    if left_out:
        printer.print(f"Not played, since they read indicators: {left_out}.", style="dim", highlight=False)
    return 0


def _of_trader(state: StateOptions, chosen: SettingsOptions, keys: KeyOptions, screen: ScreenOptions) -> PresentBook:
    from backtests.research.shock.present import book_of_trader
    from monitoring.market_view import VIEW_FILE, MarketView
    from monitoring.state import STATE_FILE, read_state
    from monitoring.whatif import BETA_BARS

    folder = Path(settings_of(chosen, state, keys, screen=screen).live.state_dir)
    held = read_state(folder / STATE_FILE)
    if held is None:
        raise Refusal(f"{folder}: no trader has written here; name the state folder of one with --state-dir, or --run")
    names = {p.symbol for p in held.positions} | {str(held.settings["universe"]["benchmark"])}
    return book_of_trader(held, MarketView(folder / VIEW_FILE).closes(names, BETA_BARS + 1))


def _of_run(end: EndOptions, keys: KeyOptions, screen: ScreenOptions) -> PresentBook:
    """A backtest's book at its end: it is run again by the replay engine, from what its folder holds."""
    run, _ = replayed(end, keys, screen)
    from backtests.research.shock.present import book_of_run

    return book_of_run(run)
