"""``scan``: one iteration that sends nothing."""

from __future__ import annotations

from commands.composition import command
from commands.options import (
    ConsentOptions,
    DataOptions,
    FolderOptions,
    PaceOptions,
    ScreenOptions,
    SeedOptions,
    SettingsOptions,
    StateOptions,
    UniverseOptions,
    VenueOptions,
)
from commands.runs.iteration import WhereOptions, iterate


@command(
    "risk-first scan",
    "risk-first scan --data bars.parquet --end 2024-01-25",
    "risk-first scan --paper --json",
)
def scan(
    where: WhereOptions,
    universe: UniverseOptions,
    chosen: SettingsOptions,
    data: DataOptions,
    venue: VenueOptions,
    state: StateOptions,
    consent: ConsentOptions,
    pace: PaceOptions,
    seed: SeedOptions,
    folder: FolderOptions,
    screen: ScreenOptions,
) -> int:
    """Decide once, say why, and send nothing.

    Every symbol with what was seen of it, every verdict, the exits of each entry. On historical bars it decides at the
    opening of the last bar up to --end.
    """
    groups = (universe, chosen, data, venue, state, consent, pace, seed, folder, screen)
    return iterate(where, *groups, scan=True)
