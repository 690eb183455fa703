"""A trader in a process of its own, to be killed: ``python -m commands.demonstration.trader_process URL FOLDER``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from commands.demonstration.exchange import Trader

PACE_S = 0.2


def main(url: str, folder: str, *settings: str) -> None:
    """Iterate until somebody ends it."""
    of = Trader(url, Path(folder), settings)
    while True:
        of.iterate()
        time.sleep(PACE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
