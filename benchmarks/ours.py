"""Our engine on the common work: ``python benchmarks/ours.py W1 [SYMBOLS] --bench FOLDER`` prints one JSON line.

The bars come from ``common_data.py`` in FOLDER (the folder of the peers' scripts), the rules from profile
``bench``. From the frames in memory to the finished record is timed: building the table, features, decisions,
orders, journal. Making the frames and writing files is not.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from config.process.environment import own_the_run

own_the_run()

import numpy as np
import pandas as pd

from backtests.engine import run_table
from backtests.replay.engine import replay
from config import load
from market.bar_tables import frames_to_table
from strategies.combined import CombinedStrategy


def frames_of(work: str, count: int, folder: Path) -> tuple[dict[str, pd.DataFrame], int]:
    """The common bars, one frame per symbol as every engine gets them, and how many of them only warm up."""
    sys.path.insert(0, str(folder))
    common = import_module("common_data")
    return common.frames(work, count, tz="America/New_York"), common.WARM[work]


def main() -> None:
    """Run one piece of work and print its line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["W1", "W2"])
    parser.add_argument("count", type=int, nargs="?", default=30)
    parser.add_argument("--engine", choices=["lumibot", "replay"], default="lumibot")
    parser.add_argument("--bench", type=Path, required=True, help="folder with common_data.py")
    arguments = parser.parse_args()
    frames, warm = frames_of(arguments.work, arguments.count, arguments.bench)
    settings = load(
        profile="bench",
        overrides={
            "account.budget_usd": 1_000_000.0,
            "universe.symbols": list(frames),
            "universe.sectors": {},
            "universe.benchmark": next(iter(frames)),
            "universe.cap": None,
        },
    )
    begun, spent = time.perf_counter(), time.process_time()
    table = frames_to_table(frames, daily=arguments.work == "W1", source=arguments.work)
    window = table.opens_at[warm], table.opens_at[-1]
    if arguments.engine == "replay":
        result = replay(settings, table, *window)
    else:
        result = run_table(CombinedStrategy, settings, table, *window)
    wall, cpu = time.perf_counter() - begun, time.process_time() - spent
    record = result.record
    fills = sum(order.status == "filled" for order in record.orders)
    print(
        "JSON "
        + json.dumps(
            {
                "engine": f"risk-first {arguments.engine}",
                "w": arguments.work,
                "n": arguments.count,
                "wall": round(wall, 3),
                "cpu": round(cpu, 3),
                "fills": fills,
                "trades": len(record.trades),
                "decisions": len(record.decisions),
                "pv": round(record.equity[-1].equity, 2),
                "rss": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                "protected_share": record.protected_bars / max(1, record.position_bars),
                "finite": bool(np.isfinite(record.equity[-1].equity)),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
