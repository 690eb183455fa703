"""Alpaca's quotes and bars, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from brokers.alpaca.listings import moment
from brokers.alpaca.payloads import Json
from brokers.network.figures import amount
from brokers.venue_values import VenueQuote
from market.bars import FIELDS

KEYS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


def quote_of(raw: Mapping[str, Any]) -> VenueQuote:
    """A quote as Alpaca writes it (bp, ap, t)."""
    try:
        return VenueQuote(amount(raw, "bp"), amount(raw, "ap"), moment(raw.get("t")))
    except ValueError as error:
        return VenueQuote(unreadable=str(error))


def bars_of(rows: Mapping[str, Sequence[Json]]) -> pd.DataFrame:
    """Bars by symbol as a long table (symbol, datetime, open … volume); rows without a readable time are left out."""
    # The columns of an empty one have no types of their own.
    if parts := [part for symbol, bars in rows.items() if len(part := _frame(symbol, bars))]:
        return pd.concat(parts, ignore_index=True)
    empty: dict[str, Any] = {"symbol": [], "datetime": pd.DatetimeIndex([], tz="UTC"), **{f: [] for f in FIELDS}}
    return pd.DataFrame(empty)


def _frame(symbol: str, bars: Sequence[Any]) -> pd.DataFrame:
    rows = [bar for bar in bars if isinstance(bar, Mapping)]
    values = {name: [_number(bar.get(key)) for bar in rows] for name, key in KEYS.items()}
    stamps = pd.Series([bar.get("t") for bar in rows], dtype=object)
    times = pd.to_datetime(stamps, utc=True, format="ISO8601", errors="coerce")
    frame = pd.DataFrame({"symbol": symbol, "datetime": times, **values})
    return frame[frame["datetime"].notna()]


def _number(value: Any) -> float:
    """NaN for whatever is no number: the features say then why the symbol makes no order."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
