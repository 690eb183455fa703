"""``rerun``: a run again, from what its own folder holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.composition import command
from commands.options import FolderOptions, ScreenOptions
from commands.runs.command_line import command_line
from commands.runs.request import RunArguments, carry_out, merged, refuse_what_is_missing, requested, settled
from config.errors import Refusal

if TYPE_CHECKING:
    from backtests.request import RunRequest
    from backtests.run_inputs import RunInputs

DATA_SOURCES_OF_THEIR_OWN = ("embedded", "yahoo", "alpaca")


@command(
    "risk-first rerun runs/backtest-active-2013-01-02",
    "risk-first rerun runs/mine --data moved/bars.parquet --out runs/again --json",
)
def rerun(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the run.")],
    files: FolderOptions,
    screen: ScreenOptions,
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where the run's data are now, if they were moved.")
    ] = None,
) -> int:
    """Repeat a run from its folder, byte for byte.

    Settings, data, window and seed are those of the run. Of a backtest every file is compared with the run's own,
    the seconds that it took and the versions of the programs aside; other versions are told. Of a file that differs
    the keys or the first line are named. A rehearsal is played again; its moments are never quite the same. A run on
    paper or real money is not repeated.

    Exit status: 0 the same files, 1 a file differs, 2 refused the input.
    """
    from backtests.run_inputs import read_inputs

    inputs = read_inputs(folder)
    if inputs.mode not in ("backtest", "rehearse"):
        raise Refusal(f"{folder}: is a run on the {inputs.mode} account, which is not repeated; start risk-first trade")
    refuse_interrupted(folder, inputs)
    return _repeated(as_asked(merged(files, screen), folder, inputs, data), inputs, folder, screen)


def as_asked(arguments: RunArguments, folder: Path, inputs: RunInputs, data: str | None = None) -> RunArguments:
    """The arguments with those of the run in a folder; ``data`` is where its data are now, if they were moved."""
    from backtests.run_inputs import SETTINGS_FILE
    from config.reading.loader import RecordedSettings

    return replace(
        arguments,
        mode=inputs.mode,
        profile=inputs.profile,
        recorded=RecordedSettings(folder / SETTINGS_FILE, inputs.chosen),
        data=inputs.data if data is None else data,
        start=inputs.start,
        end=inputs.end,
        seed=inputs.seed,
        draw_all=inputs.draw_all,
        no_report=not inputs.report,
        date_order=inputs.date_order,
        timezone=inputs.timezone,
        decimal=inputs.decimal,
        labels=inputs.labels,
        file_symbol=inputs.symbol,
        speed=inputs.speed,
        engine=inputs.engine,
    )


def _repeated(again: RunArguments, inputs: RunInputs, folder: Path, screen: ScreenOptions) -> int:
    request = requested(again, *settled(again))
    refuse_what_is_missing(request, chosen=True)
    if inputs.mode == "rehearse":
        return carry_out(request)
    _refuse_other_data(request, inputs)
    from backtests.reports.run_files import check_folder, unused
    from commands.screen import console, show_json

    out = request.out or unused(folder.with_name(f"{folder.name}-rerun"))
    check_folder(out, request.overwrite)
    request = replace(request, out=out, json=False, quiet=True)
    printer = console(screen.json)
    # The figures are the run's own, and are told by the comparison: the same or not.
    status = carry_out(request, quietly=True)
    if status:
        return status
    from backtests.checks.file_differences import differences, other_versions

    differing, versions = differences(folder, out), other_versions(folder, out)
    by = ", ".join(f"{name} {here} instead of {there}" for name, (there, here) in versions.items())
    if screen.json:
        show_json(
            {
                "run": str(folder),
                "again": str(out),
                "identical": not differing,
                "differing": list(differing),
                "differences": differing,
                "versions": {name: {"run": there, "again": here} for name, (there, here) in versions.items()},
            }
        )
        return 1 if differing else 0
    if differing:
        told = "; ".join(f"{name}: {what}" for name, what in differing.items())
        printer.print(f"{out}: other than in {folder}: {told}", highlight=False, soft_wrap=True)
    else:
        printer.print(f"{out}: every file is the same as in {folder}, byte for byte", highlight=False, soft_wrap=True)
    if by:
        printer.print(f"repeated by other versions, which are not compared: {by}", highlight=False, soft_wrap=True)
    return 1 if differing else 0


def refuse_interrupted(folder: Path, inputs: RunInputs) -> None:
    """Refuse a run that did not come to its end."""
    from backtests.reports.run_files import INTERRUPTED

    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Refusal(
            f"{folder}: its summary.json cannot be read, so it is no complete run; start it with "
            f"{command_line(folder, inputs)}"
        ) from None
    if summary.get(INTERRUPTED):
        raise Refusal(
            f"{folder}: was interrupted, so there is no whole run to repeat; start it with "
            f"{command_line(folder, inputs)}"
        )


def _refuse_other_data(request: RunRequest, inputs: RunInputs) -> None:
    """Refuse to repeat a run on other bars than its own."""
    if request.data in DATA_SOURCES_OF_THEIR_OWN:
        return
    from backtests.data.bar_files import data_hash

    if data_hash(Path(request.data)) != inputs.data_hash:
        raise Refusal(
            f"{request.data}: is not the file that the run was made of (its SHA-256 begins {inputs.data_hash[:12]}); "
            "name that one with --data"
        )
