"""Runs on Lumibot's own YahooDataBacktesting: its clock, its cache, its bars."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from lumibot.backtesting import YahooDataBacktesting
from lumibot.constants import LUMIBOT_DEFAULT_PYTZ
from lumibot.entities import Asset

from brokers.backtest.source import dividends_of, table_of
from brokers.backtest.yahoo import require_yahoo
from config.values.markets import NEW_YORK
from market.bars import FIELDS, BarTable
from market.calendar import nanoseconds

ZONE = ZoneInfo(NEW_YORK)


def yahoo_source(start: date, end: date) -> Any:
    """A Lumibot Yahoo source for the sessions from ``start`` to ``end``, both included."""
    return YahooDataBacktesting(
        datetime_start=_midnight(start),
        datetime_end=_midnight(end + timedelta(days=1)),
        show_progress_bar=False,
    )


def _midnight(day: date) -> datetime:
    # Lumibot's clock adds seconds to its time; only with its own kind of time zone that is right across DST.
    moment: datetime = LUMIBOT_DEFAULT_PYTZ.localize(datetime.combine(day, time()))
    return moment


def preload(source: Any, table: BarTable) -> None:
    """Hand a source these bars instead of its cache, without dividends, so that altered ones can be tried."""
    for k, symbol in enumerate(table.symbols):
        frame = pd.DataFrame({name.capitalize(): getattr(table, name)[:, k] for name in FIELDS}, index=table.closes_at)
        source._append_data(Asset(symbol), frame.dropna().assign(Dividends=0.0, **{"Stock Splits": 0.0}))


def yahoo_table(
    symbols: Sequence[str], end: date | None, watched: Collection[str] = ()
) -> tuple[BarTable, str, tuple[str, ...]]:
    """What Yahoo (or its cache) has: the table, a hash of its bars, and the symbols it doesn't know.

    ``watched`` are those of the symbols that are not traded.

    Raises
    ------
    Refusal
        If neither the cache nor Yahoo can serve the bars.
    """
    last = require_yahoo(symbols, end or datetime.now(ZONE).date() - timedelta(days=1), watched)
    table = table_of(yahoo_source(last, last), tuple(symbols), watched)
    digest = hashlib.sha256(repr(table.symbols).encode())
    digest.update(nanoseconds(table.opens_at).tobytes())
    for name in FIELDS:
        digest.update(getattr(table, name).tobytes())
    missing = tuple(s for s in symbols if s not in table.symbols)
    return table, digest.hexdigest(), missing


def yahoo_dividends(table: BarTable, start: date, end: date) -> dict[int, dict[str, float]]:
    """Dividends in USD a share, by row of the ex-date in ``table`` and symbol, as Lumibot's source knows them."""
    return dividends_of(yahoo_source(start, end), table)
