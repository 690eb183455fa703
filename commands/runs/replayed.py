"""A backtest's end instead of a trader: its run once more, by the replay engine, from what its folder holds."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import given
from commands.options import KeyOptions, ScreenOptions, StateOptions
from config.errors import Refusal

if TYPE_CHECKING:
    from backtests.end_state import RunEnd
    from backtests.replay.engine import ReplayRun
    from backtests.run_inputs import RunInputs

SAME_USD = 0.01
"""How near the equity and the cash of the run once more must come to those of its files."""


@dataclass(frozen=True, kw_only=True)
class EndOptions:
    """Whose end is meant, where no trader is."""

    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What a backtest held at its end, not what a trader holds.")
    ] = None
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --run: where the run's data are now, if they were moved.")
    ] = None


def refuse_beside_run(end: EndOptions, state: StateOptions, *others: Any) -> None:
    """Refuse what is not read with ``--run``: another place, settings other than the run's own, a broker's account."""
    if end.run is None:
        if end.data is not None:
            raise Refusal("--data: is read with --run only")
        return
    if state.state_dir is not None:
        raise Refusal("--run and --state-dir both say whose book it is; give one of them")
    if unread := sorted(given(*others) - {"dotenv"}):
        name = unread[0].rstrip("_").replace("_", "-")
        raise Refusal(f"--{name} is not read with --run, which takes everything from the run's folder; leave it out")


def end_of_run(end: EndOptions, keys: KeyOptions, screen: ScreenOptions) -> RunEnd:
    """What the backtest of ``--run`` held at its end."""
    run, inputs = replayed(end, keys, screen)
    from backtests.end_state import run_end

    return run_end(run, inputs.profile)


def replayed(end: EndOptions, keys: KeyOptions, screen: ScreenOptions) -> tuple[ReplayRun, RunInputs]:
    """The backtest of ``--run`` once more, by the replay engine, and how it was asked for.

    Raises
    ------
    Refusal
        The folder is not that of a whole backtest of this version, its data are not there any more, or the run once
        more ends with other figures.
    """
    # Imported here: commands that name no run are many, and start without what a run needs.
    from backtests.run_inputs import read_inputs
    from commands.runs.command_line import command_line
    from commands.runs.request import merged, refuse_what_is_missing, requested, settled, tell_settings
    from commands.runs.rerun import DATA_SOURCES_OF_THEIR_OWN, as_asked, refuse_interrupted

    folder = end.run
    assert folder is not None
    inputs = read_inputs(folder)
    if inputs.mode != "backtest":
        kept = folder / "state"
        place = kept if kept.is_dir() else "DIR"
        raise Refusal(
            f"{folder}: is a {inputs.mode} run and no backtest; risk-first status --state-dir {place} tells what its "
            "trader holds"
        )
    refuse_interrupted(folder, inputs)
    written = _last_row(folder)
    # Files are the same by either engine; which one made them does not matter here.
    arguments = replace(as_asked(merged(keys, screen), folder, inputs, end.data), engine="replay")
    request = requested(arguments, *settled(arguments))
    refuse_what_is_missing(request, chosen=True)
    if screen.verbose:
        from commands.screen import console

        tell_settings(request.settings, console(json=True))
    from backtests.data.data_sets import window
    from backtests.execution import REPLAYED, execute
    from backtests.run_data import data_for
    from config.process.environment import own_the_run

    settings = request.settings
    if settings.strategy != REPLAYED:
        raise Refusal(
            f"{folder}: was run with strategy {settings.strategy}, whose hooks the replay engine does not run; its "
            f"summary.json names what it held at its end"
        )
    own_the_run()
    data = data_for(request, settings)
    if data.hash != inputs.data_hash:
        named = "" if request.data in DATA_SOURCES_OF_THEIR_OWN else "name those with --data, or "
        raise Refusal(
            f"{request.data}: its bars are not those that {folder} was made of; {named}run it anew with "
            f"{command_line(folder, inputs)}"
        )
    begins, ends = window(data, request.start, request.end, settings.pace.day)
    result = execute(data, None, settings, begins, ends, engine="replay", progress=not request.quiet, brief=True)
    last = result.record.equity[-1]
    if any(abs(written[name] - getattr(last, name)) > SAME_USD for name in written):
        raise Refusal(
            f"{folder}: once more it ends with {last.equity:,.2f} USD, its equity.csv with {written['equity']:,.2f}; "
            f"another version made it, so run it anew with {command_line(folder, inputs)}"
        )
    run: ReplayRun = result.strategy
    return run, inputs


def _last_row(folder: Path) -> dict[str, float]:
    """Equity and cash of the last row of a run's equity.csv."""
    try:
        with (folder / "equity.csv").open(encoding="utf-8", newline="") as file:
            last = list(csv.DictReader(file))[-1]
        return {name: float(last[name]) for name in ("equity", "cash")}
    except (OSError, ValueError, KeyError, TypeError, IndexError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else "its equity.csv has no last row"
        raise Refusal(f"{folder}: is not the complete folder of a run ({why}); give the --out of one") from None
