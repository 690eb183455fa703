"""Bars from Yahoo, for a ticker that the venue has none of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from brokers.desk.data.bar_collector import joined
from config.values.markets import NEW_YORK
from config.values.symbols import at_yahoo, is_symbol
from market.bars import DAY_MINUTES, FIELDS

TIMEOUT_S = 4
LONGEST_INTRADAY_DAYS = 59
LONGEST_MINUTES_DAYS, MINUTES_A_REQUEST_DAYS = 29, 7
"""Yahoo has bars of a minute for 30 days, and gives those of 7 days in one answer; of longer ones 60 days."""
HOUR_MINUTES = 60
INTERVALS = {1: "1m", 5: "5m", 15: "15m", 30: "30m", HOUR_MINUTES: "30m", DAY_MINUTES: "1d"}
"""Yahoo's hours begin with the session, at half past, the venue's on the clock: two halves make one of those."""


class YahooFallback:
    """Asks Yahoo for one ticker at a time, with a time limit."""

    def __init__(self) -> None:
        # It reports the same failure in several lines of its own.
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)

    def bars(self, symbol: str, minutes: int, start: datetime) -> pd.DataFrame:
        """Bars since ``start`` as a long table (symbol, datetime, open … volume); empty if there are none.

        Raises
        ------
        Exception
            Whatever yfinance raises; the network's errors come through it unchanged.
        """
        import yfinance

        begin = pd.Timestamp(start)
        if minutes != DAY_MINUTES:
            longest = LONGEST_MINUTES_DAYS if minutes == 1 else LONGEST_INTRADAY_DAYS
            begin = max(begin, pd.Timestamp.now(tz="UTC") - pd.Timedelta(days=longest))
        if not is_symbol(symbol):
            return pd.DataFrame({"symbol": [], "datetime": pd.DatetimeIndex([], tz="UTC"), **{f: [] for f in FIELDS}})
        ticker = yfinance.Ticker(at_yahoo(symbol))
        parts = [
            ticker.history(
                interval=INTERVALS[minutes],
                start=first.isoformat(),
                prepost=False,
                auto_adjust=True,
                timeout=TIMEOUT_S,
                **({} if last is None else {"end": last.isoformat()}),
            )
            for first, last in _requests(begin.date(), minutes)
        ]
        answered = [part for part in parts if len(part)]
        frame = pd.concat(answered) if answered else pd.DataFrame()
        found = frame.rename(columns=str.lower)[list(FIELDS)] if len(frame) else pd.DataFrame(columns=list(FIELDS))
        times = pd.DatetimeIndex(found.index)
        times = times.tz_localize(NEW_YORK) if times.tz is None else times
        found = found.assign(symbol=symbol, datetime=times.tz_convert("UTC")).reset_index(drop=True)
        if minutes == HOUR_MINUTES and len(found):
            return joined(found.assign(datetime=found["datetime"].dt.floor("h")))
        return found


def _requests(first: date, minutes: int) -> Iterator[tuple[date, date | None]]:
    """The days of each request, the last one left out; None for up to now."""
    step = timedelta(days=MINUTES_A_REQUEST_DAYS)
    while minutes == 1 and first + step <= datetime.now(UTC).date():
        yield first, first + step
        first += step
    yield first, None
