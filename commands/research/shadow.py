"""``shadow``: what was refused or shrunk, followed on paper to its own exits."""

from __future__ import annotations

from dataclasses import asdict

from commands.composition import command
from commands.options import DataOptions, ScreenOptions, SeedOptions, SettingsOptions, UniverseOptions
from commands.research.context import PageOption, prepared
from commands.runs.request import merged
from commands.screen import console, show_json, write_out
from config.research import research
from config.values.counting import signed

DEFAULTS = research().bootstrap


@command(
    "risk-first shadow --profile swing --start 2016-01-04 --end 2021-12-31 --data bars.parquet",
    "risk-first shadow --json",
)
def shadow(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    seed: SeedOptions,
    screen: ScreenOptions,
    out: PageOption = None,
) -> int:
    """Follow what was refused on paper.

    Every refused or shrunk proposal of a backtest is followed to its own stop or target.
    By rule: what the refusals kept from being won and from being lost, with an interval. Proposals are followed by
    themselves, as if each had been entered alone.
    """
    from backtests.replay.engine import replay
    from backtests.research.rerun_pages import shadow_page, shadow_sentence
    from backtests.research.search.trials import settings_with
    from backtests.research.shadow import bill, follow
    from monitoring.record_table import Column, RecordTable

    found = prepared(merged(universe, chosen, data, seed, screen, mode="backtest"))
    context, settings = found.context, settings_with(found.context.settings, {})
    record = replay(settings, context.table, context.start, context.end, progress=not found.request.quiet).record
    last = int(context.table.opens_at.searchsorted(context.end, side="right"))
    followed = follow(record.decisions, context.table.head(last), settings.fills)
    lines = bill(followed, DEFAULTS.repetitions, DEFAULTS.confidence, DEFAULTS.seed)
    write_out(out, lambda: shadow_page(context, lines, len(followed), DEFAULTS.confidence))
    if screen.json:
        show_json(
            {"proposals": len(followed), "confidence": DEFAULTS.confidence, "modules": [asdict(x) for x in lines]}
        )
        return 0
    share = f"{DEFAULTS.confidence:.0%} interval"
    headings = ("proposals", "cost, USD", "saved, USD", "net cost, USD", share)
    table = RecordTable([Column("rule"), *(Column(heading, right=True) for heading in headings)])
    for line in lines:
        table.add(
            line.module,
            f"{line.proposals:,}",
            f"{line.cost:,.0f}",
            f"{line.saved:,.0f}",
            signed(line.net, ",.0f"),
            f"{signed(line.low, ',.0f')} to {signed(line.high, ',.0f')}",
        )
    console(screen.json).print(table)
    console(screen.json).print(shadow_sentence(lines), highlight=False, soft_wrap=True)
    return 0
