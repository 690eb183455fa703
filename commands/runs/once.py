"""``once``: one iteration whose orders are sent."""

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
    "risk-first once",
    "risk-first once --data bars.parquet --end 2024-01-25",
    "risk-first once --paper --json",
)
def once(
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
    """Run one iteration, say why, and send its orders.

    The same as scan, and the orders are sent: to the backtester, the exchange of this machine, or the broker.
    """
    groups = (universe, chosen, data, venue, state, consent, pace, seed, folder, screen)
    return iterate(where, *groups, scan=False)
