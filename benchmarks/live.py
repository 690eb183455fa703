"""What a whole trader costs: requests a minute, its own CPU per iteration and its memory, by the number of symbols.

``python benchmarks/live.py [symbols …] [--minutes N]`` starts an exchange in this process and the trader's command in
one of its own, at the pace of the day: profile intraday, five-minute bars, an iteration every 15 seconds. Own CPU is
that of iterations and of the looks of the watch; the whole process has Lumibot's loop, both streams, the operator's
screens and the log besides.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from brokers.rehearsal.alpaca.server import RehearsalServer
from market.calendar import session_times, sessions_until

LAST_DAY, SESSIONS, BAR_MINUTES = "2023-03-09", 20, 5
START = datetime(2023, 3, 9, 11, 2, tzinfo=ZoneInfo("America/New_York"))
PACE_S = 15
WARM_UP_S, PATIENCE_S = 45.0, 600.0


@dataclass(frozen=True)
class Costs:
    """Requests a minute, CPU milliseconds per iteration and megabytes, the start aside; and the most with the start."""

    asked: float
    own_ms: float
    whole_ms: float
    size_mb: float
    peak_mb: float
    ever_mb: float


def bars(symbols: list[str]) -> pd.DataFrame:
    """Random five-minute bars of twenty sessions, the same each time."""
    chance = np.random.default_rng(1)
    opens, closes = session_times(sessions_until(pd.Timestamp(LAST_DAY), SESSIONS))
    step = f"{BAR_MINUTES}min"
    times = pd.DatetimeIndex(
        np.concatenate([pd.date_range(o, c, freq=step, inclusive="left") for o, c in zip(opens, closes, strict=True)])
    )
    parts = []
    for symbol in symbols:
        close = 20 * (1 + 9 * chance.random()) * np.exp(np.cumsum(chance.normal(0, 0.001, len(times))))
        first = np.r_[close[0], close[:-1]]
        high, low = np.maximum(first, close) * 1.0005, np.minimum(first, close) * 0.9995
        parts.append(
            pd.DataFrame(
                {"symbol": symbol, "datetime": times, "open": first, "high": high, "low": low, "close": close,
                 "volume": 10_000}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def command(server: RehearsalServer, symbols: list[str], own: Path) -> list[str]:
    """The trader's command line, with a file for the CPU of its own work."""
    return [
        sys.executable, str(ROOT / "benchmarks/metered_trader.py"), str(own),
        "--strategy", "combined", "--paper", "--profile", "intraday",
        "--alpaca-url", server.url, "--sleeptime", f"{PACE_S}S", "--set", "live.yahoo=false",
        "--symbols", ",".join(symbols), "--benchmark", symbols[0], "--out", "run", "--overwrite", "--quiet",
    ]  # fmt: skip


def measure(count: int, minutes: float, folder: Path) -> Costs:
    """Run a trader for so many minutes after its start."""
    symbols, own = [f"S{number:04d}" for number in range(count)], folder / "own"
    with RehearsalServer(bars(symbols), start=START, sessions=1) as server:
        keys = {"ALPACA_API_KEY": server.key, "ALPACA_API_SECRET": server.secret}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                command(server, symbols, own), cwd=folder, env={**os.environ, **keys}, stdout=log, stderr=log
            )
            trader = psutil.Process(process.pid)
            try:
                deadline = time.monotonic() + PATIENCE_S
                # Before its first decision a trader reads its history.
                while not any((folder / "state/snapshots").glob("*")):
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit((folder / "log").read_text())
                    time.sleep(0.5)
                time.sleep(WARM_UP_S)
                before, asked, (began, known) = trader.cpu_times(), len(server.log), own_work(own)
                peak, ends = 0, time.monotonic() + minutes * 60
                while time.monotonic() < ends:
                    time.sleep(1)
                    peak = max(peak, trader.memory_info().rss)
                after, (ended, spent) = trader.cpu_times(), own_work(own)
                done = max(ended - began, 1)
                return Costs(
                    asked=(len(server.log) - asked) / minutes,
                    own_ms=1000 * (spent - known) / done,
                    whole_ms=1000 * (after.user + after.system - before.user - before.system) / done,
                    size_mb=trader.memory_info().rss / 1e6,
                    peak_mb=peak / 1e6,
                    ever_mb=ever_mb(process.pid),
                )
            finally:
                process.terminate()
                process.wait(30)


def own_work(own: Path) -> tuple[int, float]:
    """Iterations so far, and the CPU seconds of them and of all looks."""
    lines = [line.split() for line in own.read_text().splitlines()]
    return sum(name == "on_trading_iteration" for name, _ in lines), sum(float(seconds) for _, seconds in lines)


def ever_mb(pid: int) -> float:
    """The most memory that a process ever had, by the kernel's count; NaN where it keeps none."""
    status = Path(f"/proc/{pid}/status")
    told = status.read_text() if status.exists() else ""
    found = [line.split()[1] for line in told.splitlines() if line.startswith("VmHWM:")]
    return float(found[0]) * 1024 / 1e6 if found else float("nan")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("symbols", type=int, nargs="*", default=[8, 33, 300, 1000])
    parser.add_argument("--minutes", type=float, default=5.0, help="measured, of the day (default: %(default)s)")
    args = parser.parse_args()
    print(
        f"{'symbols':>8} {'requests/min':>13} {'own CPU ms/iteration':>21} {'of all':>7} {'MB':>6} {'most MB':>8} "
        f"{'ever MB':>8}"
    )
    for count in args.symbols:
        with tempfile.TemporaryDirectory() as folder:
            it = measure(count, args.minutes, Path(folder))
        print(
            f"{count:8,d} {it.asked:13.1f} {it.own_ms:21.0f} {it.whole_ms:7.0f} {it.size_mb:6.0f} {it.peak_mb:8.0f} "
            f"{it.ever_mb:8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
