"""``risk-bill``: what each risk rule cost in return and saved in drawdown."""

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
from config.values.counting import counted, signed


@command(
    "risk-first risk-bill --profile swing --start 2016-01-04 --end 2021-12-31 --data bars.parquet",
    "risk-first risk-bill --json --out bill.html",
)
def risk_bill(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    screen: ScreenOptions,
    workers: Annotated[
        int | None, typer.Option(parser=a_count, metavar="W", help="Processes (default: one for each core).")
    ] = None,
    out: PageOption = None,
) -> int:
    """What each risk module cost and saved.

    Runs again without each risk rule, and says what it cost in return and saved in drawdown.
    Each run without a rule is registered as a trial: whoever drops a rule by these figures has chosen on them.
    """
    from backtests.research.overfit import figure
    from backtests.research.rerun_pages import risk_bill_page, risk_bill_sentence
    from backtests.research.reruns import risk_bill as carried_out
    from backtests.research.reruns import without
    from backtests.research.search.executors import executor
    from backtests.research.search.registry import Entry, TrialRegistry
    from backtests.research.search.trials import configuration
    from monitoring.record_table import Column, RecordTable

    found = prepared(merged(universe, chosen, data, seed, screen, mode="backtest"))
    context = found.context
    chain = context.settings["risk"]["chain"]
    window = (context.start.isoformat(), context.end.isoformat())
    TrialRegistry().add(
        Entry(
            found.data.hash,
            f"risk-bill-{context.key[:12]}",
            number,
            {"without": name},
            window,
            configuration(context.settings, without(chain, name)),
        )
        for number, name in enumerate(chain)
    )
    at_once = workers or os.cpu_count() or 1
    with (
        executor(at_once) as where,
        progress(len(chain) + 1, "run", found.request.quiet, at_once) as bar,
    ):
        whole, lines = carried_out(context, where, bar.update)
    documents = [line.document(whole) for line in lines]
    write_out(out, lambda: risk_bill_page(context, whole, documents))
    if screen.json:
        with_all = {
            "total_return": whole.total_return,
            "max_drawdown": whole.max_drawdown,
            "sharpe": whole.told_sharpe,
            "trades": whole.trades,
        }
        show_json({"with_all": with_all, "modules": documents})
        return 0
    title = (
        f"with all rules: return {whole.total_return:.1%}, drawdown {whole.max_drawdown:.1%}, "
        f"Sharpe {figure(whole.told_sharpe, '.2f')}, {counted(whole.trades, 'trade')}"
    )
    headings = ("cost in return", "saved in drawdown", "Sharpe it adds", "trades without")
    table = RecordTable([Column("rule"), *(Column(heading, right=True) for heading in headings)], title)
    for d in documents:
        if "refused" in d:
            table.add(d["module"], "can't be left out", "", "", "")
            continue
        table.add(
            d["module"],
            signed(d["return_cost"], ".1%"),
            signed(d["drawdown_saved"], ".1%"),
            figure(d["sharpe_change"], "+.2f"),
            str(d["trades_without"]),
        )
    console(screen.json).print(table)
    console(screen.json).print(risk_bill_sentence(documents), highlight=False, soft_wrap=True)
    return 0
