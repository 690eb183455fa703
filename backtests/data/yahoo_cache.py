"""Lumibot's Yahoo cache, filled from a bar file, so that YahooDataBacktesting runs without a network.

Lumibot keeps one pickle per symbol, ``$LUMIBOT_CACHE_FOLDER/yahoo/SYM_1d.pickle``, and downloads again
only if the newest row is older than what is asked for. For the strategy's own bars that is the last day
of the backtest, however long ago: a file that covers the window is enough. Lumibot's own benchmark asks
for today instead. A cache filled with ``hold=True`` therefore ends in a copy of its last row dated in the
far future: no download is tried any more, and no window ever shows that row, since all reads are cut at
the simulated time or at the end of the backtest.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from brokers.backtest.yahoo import HELD_UNTIL, yahoo_helper
from config.errors import Refusal
from config.values.markets import NEW_YORK
from config.values.symbols import at_yahoo, canonical
from market.calendar import REGULAR_CLOSE

_HELD = (pd.Timestamp(HELD_UNTIL) + REGULAR_CLOSE).tz_localize(NEW_YORK)


def yahoo_frame(bars: pd.DataFrame, hold: bool = False) -> pd.DataFrame:
    """Bars of one symbol in the form in which Lumibot stores what Yahoo sent.

    Parameters
    ----------
    bars : DataFrame
        Daily rows of one symbol from :func:`backtests.data.bar_files.read_bars`, prices adjusted.
    hold : bool, default=False
        Add the row that stops Lumibot from ever downloading the symbol again.

    Returns
    -------
    DataFrame
        Open, High, Low, Close, Adj Close, Volume, Dividends, Stock Splits, indexed by 16:00 New York.
        Dividends and splits are zero, as adjusted prices contain them.
    """
    dates = pd.DatetimeIndex(bars["datetime"])
    frame = pd.DataFrame(
        {
            "Open": bars["open"].to_numpy(),
            "High": bars["high"].to_numpy(),
            "Low": bars["low"].to_numpy(),
            "Close": bars["close"].to_numpy(),
            "Adj Close": bars["close"].to_numpy(),
            "Volume": bars["volume"].to_numpy(),
            "Dividends": 0.0,
            "Stock Splits": 0.0,
        },
        index=(dates + REGULAR_CLOSE).tz_localize(NEW_YORK).rename("Date"),
    )
    if hold:
        last = frame.iloc[[-1]].set_axis(pd.DatetimeIndex([_HELD], name=frame.index.name))
        frame = pd.concat([frame, last.assign(Volume=0)])
    return frame


def fill(bars: pd.DataFrame, hold: bool = False) -> dict[str, date]:
    """Write every symbol of a daily table into Lumibot's Yahoo cache, replacing what is there.

    Parameters
    ----------
    bars : DataFrame
        From :func:`backtests.data.bar_files.read_bars`.
    hold : bool, default=False
        See :func:`yahoo_frame`; for a cache folder of its own, as these symbols stay frozen.

    Returns
    -------
    dict of str to date
        The last bar of each symbol written.

    Raises
    ------
    Refusal
        If the bars are intraday or Lumibot's cache folder cannot be written.
    """
    if bars["datetime"].dt.tz is not None:
        raise Refusal("the Yahoo cache holds daily bars, but these are intraday; give a file with daily bars")
    helper = yahoo_helper()
    written = {}
    names = {str(symbol): _name(str(symbol)) for symbol in bars["symbol"].unique()}
    for symbol, rows in bars.groupby("symbol", observed=True, sort=True):
        try:
            helper.dump_pickle_file(names[str(symbol)], "1d", yahoo_frame(rows, hold))
        except OSError as error:
            raise Refusal(f"cannot write Lumibot's Yahoo cache ({error}); set LUMIBOT_CACHE_FOLDER") from error
        if not helper.CACHING_ENABLED:
            raise Refusal(f"{helper.LUMIBOT_YAHOO_CACHE_FOLDER} cannot be created; set LUMIBOT_CACHE_FOLDER")
        written[str(symbol)] = rows["datetime"].iloc[-1].date()
    return written


def _name(symbol: str) -> str:
    """What Yahoo calls a symbol; it becomes a file's name, so nothing else may pass."""
    try:
        return at_yahoo(canonical(symbol))
    except ValueError as error:
        raise Refusal(f"the Yahoo cache: {symbol!r} is no ticker; {error}") from None
