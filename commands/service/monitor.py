"""``monitor``: sockets, threads and open files of a running trader."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import ScreenOptions, SettingsOptions, StateOptions, a_count


@command("risk-first monitor", "risk-first monitor --seconds 60 --every 5", "risk-first monitor --pid 4711 --json")
def monitor(
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    pid: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help="Process (default: the state folder's trader).")
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help="Look for so long, and say what grows.")
    ] = None,
    every: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help="Seconds between two looks (default: 1).")
    ] = None,
) -> int:
    """Watch sockets, threads and files of a trader.

    Without --seconds it looks once and compares with the warning levels in config/operating.yaml; with it, what grows
    and stays above the first look is called a leak.

    Exit status: 0 nothing to warn of, 1 a warning, 2 refused the input.
    """
    from brokers.health.process import Sample, judged, sample, trader_of
    from commands.screen import console, show_json
    from config.operating import operating
    from monitoring.state import JOURNAL_FILE

    folder = Path(settings_of(chosen, state, screen=screen).live.state_dir)
    number = pid if pid is not None else trader_of(folder, f"{JOURNAL_FILE}-lock")
    printer = console(screen.json)
    began, samples = time.monotonic(), list[Sample]()
    while True:
        now = sample(number, time.monotonic() - began)
        samples.append(now)
        states = ", ".join(f"{name} {count}" for name, count in sorted(now.states.items()))
        limit = f" of {now.limit}" if now.limit else ""
        printer.print(
            f"process {number}, {now.seconds:.0f} s: {now.sockets} sockets ({states}), {now.threads} threads, "
            f"{now.files}{limit} files, {now.memory_mb:.0f} MB",
            highlight=False,
            soft_wrap=True,
        )
        if seconds is None or now.seconds + (every or 1) > seconds:
            break
        time.sleep(every or 1)
    warnings = judged(samples, operating().monitor)
    for warning in warnings:
        printer.print(f"WARNING {warning}", style="bold red", highlight=False, markup=False, soft_wrap=True)
    if screen.json:
        show_json({"pid": number, "samples": [dataclasses.asdict(one) for one in samples], "warnings": warnings})
    return 1 if warnings else 0
