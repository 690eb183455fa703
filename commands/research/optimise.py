"""``optimise``: a search of parameters in which every trial is counted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from commands.composition import command
from commands.options import (
    DataOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    UniverseOptions,
    a_count,
)
from commands.research.context import prepared
from commands.research.progress import progress
from commands.runs.request import merged
from commands.screen import console, show_json
from config.errors import Refusal
from config.research import research
from config.values.counting import counted

DEFAULTS = research().optimise


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Where trials run and where they are counted."""

    workers: Annotated[
        int | None, typer.Option(parser=a_count, metavar="W", help="Processes (default: one for each core).")
    ] = None
    cluster: Annotated[
        str, typer.Option(metavar="URL", help="dask://HOST:PORT or ray://HOST:PORT; without host on loopback.")
    ] = ""
    registry: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Register of trials (default: the user's, on this machine).")
    ] = None


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What is searched."""

    grid: Annotated[
        list[str], typer.Option(metavar="KEY=v1,v2", help="Values of a setting, all combined; repeatable.")
    ] = field(default_factory=list)
    search: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML of ranges: KEY: {low, high, step or log}, or a list.")
    ] = None
    sampler: Annotated[
        Literal["tpe", "random"], typer.Option(help="How a search draws: tpe learns from trials, random does not.")
    ] = "tpe"
    objective: Annotated[Literal["sharpe", "total_return", "calmar"], typer.Option(help="What is maximised.")] = (
        DEFAULTS.objective
    )


@command(
    "risk-first optimise --grid exits.models.fixed.stop_frac=0.03,0.05 --grid sizing.risk_frac=0.01,0.02 --out study",
    "risk-first optimise --profile swing --search ranges.yaml --trials 200 --seed 1 --workers 2 --out study",
    "risk-first optimise --search ranges.yaml --trials 500 --cluster dask://10.0.0.5:8786 --out study",
)
def optimise(
    search: SearchOptions,
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    workers: WorkerOptions,
    screen: ScreenOptions,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the study; an unfinished one is gone on with.")],
    trials: Annotated[
        int | None, typer.Option(parser=a_count, metavar="N", help="Trials of a search, with --search.")
    ] = None,
) -> int:
    """Search parameters, and say how much of the best is luck.

    Every trial is registered before it runs and counted for good, across studies. The same command again goes on
    where it was interrupted. The verdict is an edge, no edge, overfit, or too short, with the deflated Sharpe ratio
    and the probability of overfitting (0.5 = chance).
    """
    from backtests.research.overfit import figure
    from backtests.research.search.executors import executor
    from backtests.research.search.optimise import optimise as carried_out
    from backtests.research.search.registry import TrialRegistry

    space, plan = planned(search, seed, trials)
    found = prepared(merged(universe, chosen, data, seed, screen, mode="backtest"))
    total = space.size if space.grid is not None else plan.trials
    at_once = workers.workers or os.cpu_count() or 1
    with (
        executor(at_once, workers.cluster) as where,
        progress(total, "trial", found.request.quiet, at_once) as bar,
    ):
        done = carried_out(
            out,
            found.context,
            space,
            plan,
            where,
            TrialRegistry(workers.registry),
            found.data.hash,
            bar.update,
            found.data.notes,
        )
    if screen.json:
        show_json(done.document)
        return 0
    best = done.trial
    told = ", ".join(f"{key} {value}" for key, value in best.parameters.items())
    sharpe = figure(done.document["best"]["sharpe"], ".2f")
    figures = f"Sharpe {sharpe}, return {best.total_return:.1%}, drawdown {best.max_drawdown:.1%}"
    lines = (
        f"{done.verdict.verdict}: {done.verdict.sentence()}",
        f"best of {len(done.study.trials):,}: trial {done.best}, {told}",
        f"{figures}, {counted(best.trades, 'trade')}",
        f"DSR {figure(done.verdict.dsr, '.3f')}, PBO {done.verdict.pbo_told()}, "
        f"{counted(done.verdict.counted, 'trial')} counted on these data",
        f"{out / 'report.html'}",
    )
    console(screen.json).print("\n".join(lines), highlight=False, soft_wrap=True)
    return 0


def planned(search: SearchOptions, seed: SeedOptions, trials: int | None) -> tuple[Any, Any]:
    """Space and plan of the options; Refusal where they contradict each other."""
    from backtests.research.search.space import file_space, grid_space
    from backtests.research.search.study import Plan

    if bool(search.grid) == (search.search is not None):
        raise Refusal("give what to search: --grid KEY=v1,v2 (repeatable), or --search FILE with --trials N")
    space = grid_space(search.grid) if search.search is None else file_space(search.search)
    if search.search is None:
        if trials is not None:
            raise Refusal("--trials is not read with --grid: every combination is tried; leave it out")
        if (size := space.size or 0) > DEFAULTS.max_grid:
            raise Refusal(
                f"--grid: {size:,} combinations are more than {DEFAULTS.max_grid:,}; use --search and --trials"
            )
    elif trials is None:
        raise Refusal("--trials is missing: say how many trials the search may make")
    sampler = "grid" if search.search is None else search.sampler
    plan = Plan(sampler, trials or 0, seed.seed or 0, DEFAULTS.batch, DEFAULTS.startup_trials, search.objective)
    return space, plan
