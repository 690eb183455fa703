"""Kraken's tickers and bars, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from brokers.kraken.answers.pairs import Pairs
from brokers.network.figures import LAST_YEAR, NOTHING, figure
from brokers.venue_values import VenueQuote
from market.bars import FIELDS

LATEST = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Lengths of bars that Kraken has, minutes."""
PLACES = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 6}


def quotes_of(answer: Mapping[str, Any], pairs: Pairs, now: datetime) -> dict[str, VenueQuote]:
    """Bid and ask by symbol. A ticker has no time: it is of the moment at which it was asked for."""
    found: dict[str, VenueQuote] = {}
    for name, row in answer.items():
        if (pair := pairs.named(str(name))) is None:
            continue
        try:
            found[pair.symbol] = VenueQuote(figure(row["b"][0], "bid"), figure(row["a"][0], "ask"), now)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            found[pair.symbol] = VenueQuote(unreadable=repr(error))
    return found


def prices_of(quotes: Mapping[str, VenueQuote]) -> dict[str, Decimal]:
    """What a coin could be sold for: the bid of each quote that can be right."""
    return {symbol: quote.bid for symbol, quote in quotes.items() if NOTHING < quote.bid <= quote.ask}


def bars_of(symbol: str, rows: Sequence[Any]) -> pd.DataFrame:
    """Rows of OHLC as a long table; those without a readable time are left out."""
    kept = [row for row in rows if isinstance(row, Sequence) and len(row) > PLACES["volume"] and _is_time(row[0])]
    times = pd.to_datetime([int(row[0]) for row in kept], unit="s", utc=True)
    values = {name: [_number(row[place]) for row in kept] for name, place in PLACES.items()}
    return pd.DataFrame({"symbol": symbol, "datetime": times, **values})


def no_bars() -> pd.DataFrame:
    """A long table without rows."""
    empty: dict[str, Any] = {"symbol": [], "datetime": pd.DatetimeIndex([], tz="UTC"), **{f: [] for f in FIELDS}}
    return pd.DataFrame(empty)


def _is_time(value: Any) -> bool:
    """Whether it is seconds since 1970 within the years that an account has seen."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < LATEST


def _number(value: Any) -> float:
    """NaN for whatever is no number: the features say then why the symbol makes no order."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return float("nan")
    return number if np.isfinite(number) else float("nan")
