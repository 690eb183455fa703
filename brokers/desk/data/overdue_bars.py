"""Says which symbols have had no new bar for a while, and when bars of them come again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import pandas as pd

from brokers.desk.data.bar_collector import BarCollector
from brokers.network.clock import elapsed
from config.values.markets import NEW_YORK_ZONE

OVERDUE = pd.Timedelta(minutes=10)
"""How long after its end a bar may be missing before that is told: with bars of five minutes, a quarter of an hour."""
AGAIN = timedelta(hours=1)
"""A symbol that is seldom traded is named no more often."""
MOST_NAMED = 8

log = logging.getLogger(__name__)


class OverdueBars:
    """Compares the newest bar of each symbol with the bars that the clock says there should be.

    Parameters
    ----------
    symbols : sequence of str
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = tuple(symbols)
        self._overdue: set[str] = set()
        self._told: dict[str, datetime] = {}

    def see(self, now: datetime, collected: BarCollector) -> None:
        """Tell what has become overdue, and what comes again; symbols that never had a bar are told elsewhere."""
        found = collected.overdue(now, OVERDUE)
        if over := self._overdue - found.keys():
            log.warning("bars of %s come again", self._named(over))
            self._overdue -= over
        news = [symbol for symbol in found if symbol not in self._overdue and self._may_be_told(symbol, now)]
        if not news:
            return
        self._overdue.update(news)
        self._told |= dict.fromkeys(news, now)
        since = max(found[symbol] for symbol in news)
        log.warning(
            "no bar of %s has come since that of %s; nothing is entered on what is missing",
            self._named(news),
            f"{since:%Y-%m-%d}" if since.tzinfo is None else f"{since.tz_convert(NEW_YORK_ZONE):%H:%M}",
        )

    def _may_be_told(self, symbol: str, now: datetime) -> bool:
        told = self._told.get(symbol)
        return told is None or elapsed(now, told, AGAIN)

    def _named(self, symbols: Collection[str]) -> str:
        if len(symbols) == len(self._symbols) > 1:
            return f"all {len(symbols)} symbols"
        names = sorted(symbols)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return f"{', '.join(names[:MOST_NAMED])}{more}"
