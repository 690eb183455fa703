"""Bars as a venue would have served them, so that a rehearsal and a backtest read the same history."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtests.data.bar_notes import around_the_clock
from config.errors import Refusal
from market.bars import DAY_MINUTES, PRICES
from market.calendar import session_times

SYNTHETIC = "SYN_INV_SPY"
BASE = "SPY"
FIRST_PRICE = 100.0


def session_bars(frame: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """Bars of regular hours on the grid of their length, prices in cents.

    A venue has no bar off the grid and quotes no tenths of a cent; what a file holds after the close of a half
    day, or of an odd second, a live run would never see and a backtest would.

    Parameters
    ----------
    frame : DataFrame
        Long table: symbol, datetime (aware, New York), open, high, low, close, volume.
    minutes : int
    """
    times = pd.DatetimeIndex(frame["datetime"])
    days = times.tz_localize(None).normalize()
    unique = days.unique().sort_values()
    opens, closes = session_times(unique)
    place = unique.get_indexer(days)
    since = times - opens[place]
    on_grid = (since % pd.Timedelta(minutes=minutes) == pd.Timedelta(0)) & (since >= pd.Timedelta(0))
    kept = frame[np.asarray(on_grid & (times < closes[place]))].reset_index(drop=True)
    prices = kept[list(PRICES)].round(2)
    prices["high"], prices["low"] = prices.max(axis=1), prices.min(axis=1)
    return kept.assign(symbol=kept["symbol"].astype(str), **{name: prices[name] for name in PRICES})


def put_together(frame: pd.DataFrame, minutes: int, wanted: int) -> pd.DataFrame:
    """Longer bars, on the grid that begins with the session, as a live run makes them.

    Parameters
    ----------
    frame : DataFrame
        Long table of bars of ``minutes``: symbol, datetime (aware, New York), open, high, low, close, volume; ascending
        in time within each symbol.
    minutes, wanted : int
        Lengths; 1440 is a day, which is made of the session's own bars.

    Returns
    -------
    DataFrame
        The same columns; ``datetime`` is the opening of a bar, or the naive date of a day.

    Raises
    ------
    Refusal
        The longer bars are no multiple of the shorter.
    """
    if wanted < DAY_MINUTES and wanted % minutes:
        raise Refusal(f"bars of {minutes} minutes make none of {wanted}; give --set pace.bars={minutes}")
    always = around_the_clock(frame)
    times = pd.DatetimeIndex(frame["datetime"])
    days = times.tz_localize(None).normalize()
    unique = days.unique().sort_values()
    opens, closes = (edge[unique.get_indexer(days)] for edge in session_times(unique))
    if wanted == DAY_MINUTES:
        # A bar that has begun before the opening, or ends after the close, has a part in the session.
        within = np.asarray((times + pd.Timedelta(minutes=minutes) > opens) & (times < closes)) | always
        frame, begins = frame[within], days[within]
    else:
        anchors = opens.where(~always, times.normalize())
        begins = anchors + (times - anchors) // pd.Timedelta(minutes=wanted) * pd.Timedelta(minutes=wanted)
    grouped = frame.assign(datetime=begins).groupby(["symbol", "datetime"], sort=False, observed=True)
    whole = grouped.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
    )
    return whole.reset_index()


def with_inverse(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the synthetic ``SYN_INV_SPY``: every price moves as far from the close before as SPY's, the other way."""
    base = frame[frame["symbol"] == BASE].sort_values("datetime")
    before = base["close"].shift().fillna(base["open"])
    moves = {name: 1 - (base[name] / before - 1) for name in PRICES}
    start = FIRST_PRICE * moves["close"].cumprod().shift().fillna(1.0)
    prices = {name: (start * moves[name]).round(2) for name in PRICES}
    # Upside down: where SPY was lowest, its mirror was highest.
    prices["high"], prices["low"] = prices["low"], prices["high"]
    made = pd.DataFrame(prices)
    made["high"], made["low"] = made.max(axis=1), made.min(axis=1)
    made = made.assign(symbol=SYNTHETIC, datetime=base["datetime"], volume=base["volume"])
    return pd.concat([frame, made[list(frame.columns)]], ignore_index=True)
