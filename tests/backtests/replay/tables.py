"""Tables of bars on grids of several lengths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from market.bar_tables import to_table
from market.bars import BarTable

NEW_YORK = "America/New_York"


def grid_of(kind: str) -> pd.DatetimeIndex:
    """Bar times of markets that are not whole: holes, late first bars, nights, changes of the clock."""
    days = pd.bdate_range("2023-03-06", periods=9)
    if kind == "daily with holes":
        return pd.bdate_range("2023-01-02", periods=120).delete([3, 14, 15, 60])
    if kind == "around the clock":
        hours = pd.date_range("2022-11-01", "2022-11-12", freq="1h", tz="UTC")
        return hours.delete([29, 57, 58, 118, 119, 120, 200])
    minutes = {"5 minutes with holes": (5, 78, "09:30"), "hours": (60, 7, "09:30"), "extended": (15, 64, "04:00")}
    step, count, first = minutes[kind]
    times = [pd.Timestamp(f"{day:%Y-%m-%d} {first}", tz=NEW_YORK) + pd.Timedelta(minutes=step * n)
             for day in days for n in range(count)]  # fmt: skip
    gone = {0, 5, 6, count - 1, count, 2 * count + 3} if kind != "hours" else set()
    return pd.DatetimeIndex([time for n, time in enumerate(times) if n not in gone])


def table_on(times: pd.DatetimeIndex, seed: int = 5) -> BarTable:
    rng = np.random.default_rng(seed)
    parts = []
    for symbol in ("AAA", "BBB", "CCC"):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.012, len(times))))
        opens = close * np.exp(rng.normal(0, 0.006, len(times)))
        high, low = np.maximum(opens, close) * 1.004, np.minimum(opens, close) * 0.996
        bars = {"symbol": symbol, "datetime": times, "open": opens, "high": high, "low": low, "close": close}
        parts.append(pd.DataFrame(bars).assign(volume=1e6))
    return to_table(pd.concat(parts), ["AAA", "BBB", "CCC"], "random")
