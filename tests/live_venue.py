"""A trader's command against the rehearsal exchange in another process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from brokers.rehearsal.alpaca.server import RehearsalServer

ROOT = Path(__file__).parents[1]


SYMBOLS = ("AAPL", "KO", "MSFT")


NEW_YORK = ZoneInfo("America/New_York")


START = datetime(2023, 3, 9, 13, 2, tzinfo=NEW_YORK)


def falling_bars() -> pd.DataFrame:
    """Five-minute bars of eight sessions: AAPL has fallen for two hours at the moment the venue opens its doors."""
    chance = np.random.default_rng(5)
    days = [
        "2023-02-28",
        "2023-03-01",
        "2023-03-02",
        "2023-03-03",
        "2023-03-06",
        "2023-03-07",
        "2023-03-08",
        "2023-03-09",
    ]
    times = pd.DatetimeIndex(
        np.concatenate([pd.date_range(f"{d} 09:30", f"{d} 15:55", freq="5min").to_numpy() for d in days])
    ).tz_localize(NEW_YORK)
    falls = np.asarray((times >= "2023-03-09 11:00") & (times < "2023-03-09 13:05"))
    parts = []
    for k, symbol in enumerate(SYMBOLS):
        steps = chance.normal(0, 0.0008, len(times)) - (0.0015 * falls if symbol == "AAPL" else 0)
        close = (50 + 40 * k) * np.exp(np.cumsum(steps))
        opens = np.r_[close[0], close[:-1]]
        parts.append(
            pd.DataFrame(
                {
                    "symbol": symbol, "datetime": times, "open": opens, "high": np.maximum(opens, close) * 1.0005,
                    "low": np.minimum(opens, close) * 0.9995, "close": close, "volume": 10_000,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@contextmanager
def venue(**options: object) -> Iterator[RehearsalServer]:
    with RehearsalServer(falling_bars(), start=START, sessions=1, **options) as server:
        yield server


def command(server: RehearsalServer, folder: Path, *extra: str, secret: str = "", **options: object):
    keys = {"ALPACA_API_KEY": server.key, "ALPACA_API_SECRET": secret or server.secret}
    return subprocess.Popen(
        [
            sys.executable, str(ROOT / "live_trader.py"), "--strategy", "combined", "--paper",
            "--alpaca-url", server.url, "--sleeptime", "6S", "--set", "market=24/7", "--set", "pace.bars=5",
            "--set", "live.yahoo=false",
            "--set", "gate.max_order_notional_frac=0.5",
            "--symbols", ",".join(SYMBOLS), "--benchmark", "KO", "--out", "run", "--overwrite", *extra,
        ],
        cwd=folder, env={**os.environ, **keys}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )  # fmt: skip


def wait_until(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
