"""``backtest``: the strategy on historical bars."""

from __future__ import annotations

from commands.composition import command
from commands.options import (
    DataOptions,
    FolderOptions,
    KeyOptions,
    ReportOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    UniverseOptions,
)
from commands.runs.request import merged, start


@command(
    "risk-first backtest",
    "risk-first backtest --profile swing --start 2020-01-02 --end 2020-12-31",
    "risk-first backtest --data bars.parquet --symbols AAPL,NVDA --benchmark SPY --out runs/mine",
    "risk-first backtest --set sizing.risk_frac=0.01 --json",
)
def backtest(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    keys: KeyOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    report: ReportOptions,
    screen: ScreenOptions,
) -> int:
    """Run the strategy on historical bars.

    Without --data these are the embedded days of six stocks. The files of the run, with all its settings, go into a
    new folder below runs/ or into --out; risk-first rerun FOLDER repeats it.
    """
    return start(merged(universe, chosen, data, keys, seed, folder, report, screen, mode="backtest"))
