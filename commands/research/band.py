"""``band``: the result as an interval over assumptions about fills, not one number."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from commands.composition import command
from commands.options import DataOptions, ScreenOptions, SeedOptions, SettingsOptions, UniverseOptions, a_count
from commands.research.context import PageOption, prepared
from commands.research.progress import progress
from commands.runs.request import merged
from commands.screen import console, show_json, write_out
from config.errors import Refusal
from config.research import research

DEFAULTS = research().band


def _numbers(text: str | None, defaults: tuple[float, ...], option: str) -> tuple[float, ...]:
    if text is None:
        return defaults
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise Refusal(f"{option} {text}: write numbers separated by commas") from None
    if not all(value >= 0 for value in found):
        raise Refusal(f"{option} {text}: costs can't be negative")
    return found


@command(
    "risk-first band --profile swing --start 2016-01-04 --end 2021-12-31 --data bars.parquet",
    "risk-first band --slippage-bps 0,5,20 --fee-frac 0,0.001 --json",
)
def band(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    screen: ScreenOptions,
    slippage_bps: Annotated[
        str | None, typer.Option(metavar="A,B", help="Slippage of market and stop orders, hundredths of a percent.")
    ] = None,
    fee_frac: Annotated[
        str | None, typer.Option(metavar="A,B", help="Fees of all fills, fractions of their value.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(parser=a_count, metavar="W", help="Processes (default: one for each core).")
    ] = None,
    out: PageOption = None,
) -> int:
    """The result over several fill assumptions.

    Runs over several assumptions about slippage and fees, and shows the result as an interval.
    """
    from backtests.research.rerun_pages import band_page, band_sentence
    from backtests.research.reruns import band as carried_out
    from backtests.research.reruns import spread
    from backtests.research.search.executors import executor
    from monitoring.record_table import Column, RecordTable

    slippage = _numbers(slippage_bps, DEFAULTS.slippage_bps, "--slippage-bps")
    fees = _numbers(fee_frac, DEFAULTS.fee_frac, "--fee-frac")
    found = prepared(merged(universe, chosen, data, seed, screen, mode="backtest"))
    at_once = workers or os.cpu_count() or 1
    with (
        executor(at_once) as where,
        progress(len(slippage) * len(fees), "run", found.request.quiet, at_once) as bar,
    ):
        cells = carried_out(found.context, slippage, fees, where, bar.update)
    trials = [cell.trial for cell in cells]
    write_out(out, lambda: band_page(found.context, cells))
    if screen.json:
        rows = [
            {
                "slippage_bps": c.slippage_bps,
                "fee_frac": c.fee_frac,
                "total_return": c.trial.total_return,
                "sharpe": c.trial.told_sharpe,
                "max_drawdown": c.trial.max_drawdown,
                "trades": c.trial.trades,
            }
            for c in cells
        ]
        names = {"total_return": "total_return", "sharpe": "told_sharpe", "max_drawdown": "max_drawdown"}
        show_json({**{key: spread(trials, name) for key, name in names.items()}, "cells": rows})
        return 0
    headings = [f"fee {value:.2%}" for value in fees]
    table = RecordTable([Column("slippage, bps"), *(Column(heading, right=True) for heading in headings)], "return")
    for s in slippage:
        table.add(f"{s:g}", *[f"{c.trial.total_return:.1%}" for c in cells if c.slippage_bps == s])
    console(screen.json).print(table)
    console(screen.json).print(band_sentence(cells), highlight=False, soft_wrap=True)
    return 0
