"""``rehearse``: the live stack against the embedded exchange."""

from __future__ import annotations

from commands.composition import command
from commands.options import (
    DataOptions,
    FolderOptions,
    PaceOptions,
    ScoreboardOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    SpeedOptions,
    UniverseOptions,
)
from commands.runs.request import merged, start


@command(
    "risk-first rehearse",
    "risk-first rehearse --profile intraday --data bars_5min.parquet --start 2022-11-10 --end 2022-11-10 --speed 120",
)
def rehearse(
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    speed: SpeedOptions,
    pace: PaceOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    board: ScoreboardOptions,
    screen: ScreenOptions,
) -> int:
    """Rehearse trading against a local exchange.

    The exchange speaks Alpaca's protocol and plays the bars of a file, or of the embedded data, at --speed times
    the time of day. Without --start it plays the last three sessions of a file, which takes about ten minutes at
    120 times. No keys are needed; the state of the trader is in the run's folder.
    """
    return start(merged(universe, chosen, data, speed, pace, seed, folder, board, screen, mode="rehearse"))
