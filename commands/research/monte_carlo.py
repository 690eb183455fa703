"""``monte-carlo``: a run against random strategies, and its trades in other orders."""

from __future__ import annotations

import os
from typing import Annotated

import numpy as np
import typer

from commands.composition import command
from commands.options import DataOptions, ScreenOptions, SeedOptions, SettingsOptions, UniverseOptions, a_count
from commands.research.context import PageOption, prepared
from commands.research.progress import progress
from commands.runs.request import merged
from commands.screen import console, show_json, write_out
from config.research import research

DEFAULTS = research().monte_carlo


@command(
    "risk-first monte-carlo --profile swing --start 2016-01-04 --end 2021-12-31 --data bars.parquet",
    "risk-first monte-carlo --runs 1000 --seed 1 --json",
)
def monte_carlo(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    screen: ScreenOptions,
    runs: Annotated[
        int | None,
        typer.Option(parser=a_count, metavar="N", help=f"Random strategies (default: {DEFAULTS.runs})."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(parser=a_count, metavar="W", help="Processes (default: one for each core).")
    ] = None,
    out: PageOption = None,
) -> int:
    """Compare a run with random strategies.

    Says how many random strategies did as well as the run. A random strategy has the signals' own entries shifted to
    another time: as many are proposed, in the same symbols, as much together, with the same sizes, risk rules and
    exits; the rules refuse more of them. The run's trades are also shuffled: how deep could the drawdown have been by
    their order alone.
    """
    from backtests.research.monte_carlo import monte_carlo as carried_out
    from backtests.research.rerun_pages import monte_carlo_page, monte_carlo_sentence, order_sentence
    from backtests.research.search.executors import executor

    count = runs or DEFAULTS.runs
    found = prepared(merged(universe, chosen, data, seed, screen, mode="backtest"))
    at_once = workers or os.cpu_count() or 1
    with (
        executor(at_once) as where,
        progress(count, "run", found.request.quiet, at_once) as bar,
    ):
        done = carried_out(found.context, count, DEFAULTS.seed if seed.seed is None else seed.seed, where, bar.update)
    write_out(out, lambda: monte_carlo_page(found.context, done))
    falls = np.quantile(done.shuffled_drawdowns, [0.5, 0.95])
    others = [o.sharpe for o in done.random]
    document = {
        "runs": count,
        "sharpe": None if done.better is None else done.run.sharpe,
        "total_return": done.run.total_return,
        "trades": done.run.trades,
        "random_sharpe_median": None if done.better is None else float(np.median(others)),
        "random_sharpe_95": None if done.better is None else float(np.quantile(others, 0.95)),
        "random_trades_median": float(np.median([o.trades for o in done.random])),
        "better": done.better,
        "better_return": done.better_return,
        "drawdown_usd": done.drawdown_usd,
        "shuffled_drawdown_usd_median": float(falls[0]),
        "shuffled_drawdown_usd_95": float(falls[1]),
    }
    if screen.json:
        show_json(document)
        return 0
    lines = (monte_carlo_sentence(done), order_sentence(done))
    console(screen.json).print("\n".join(lines), highlight=False, soft_wrap=True)
    return 0
