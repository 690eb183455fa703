"""A file's symbols are its universe: what is traded where only the file says what there is."""

from __future__ import annotations

from pathlib import Path

from backtests.data.bar_files import symbols_of
from backtests.data.reading.options import ReadOptions
from config import Settings
from config.reading.loader import Override

FROM_FILE = "--data "
INVERSE = "inverse"


def file_universe(settings: Settings, data: str, reading: ReadOptions) -> list[Override]:
    """The setting that makes the symbols of ``data`` the universe; none where the user has named one.

    Funds labelled inverse are a hedge's to buy and those that count as cash a sweep's, and are left to them, unless
    nothing else is there.

    Raises
    ------
    Refusal
        The file cannot be read.
    """
    if settings.provenance.chosen("universe.symbols"):
        return []
    symbols = symbols_of(Path(data), reading)
    sectors = settings.universe.sectors
    parked = frozenset(settings.policy_gate.cash_funds)
    traded = [s for s in symbols if sectors.get(s) != INVERSE and s not in parked] or symbols
    return [(f"{FROM_FILE}{data}", "universe.symbols", traded)]
