"""Lumibot's ccxt data source for Kraken: the venue's clock, its own bars, no stream and no sleeping."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import pandas as pd
from lumibot.data_sources import CcxtData
from lumibot.data_sources.data_source import DataSource
from lumibot.entities import Asset, AssetsMapping, Bars
from lumibot.tools.helpers import parse_canonical_timestep

from brokers.kraken.venue import KrakenVenue
from brokers.venue_errors import VenueError

USD = "USD"
MINUTES = {"minute": 1, "hour": 60, "day": 1440}

log = logging.getLogger(__name__)


class KrakenData(CcxtData):
    """Prices of coins in USD for strategies that ask Lumibot for them; closed bars only.

    Parameters
    ----------
    venue : KrakenVenue
    """

    def __init__(self, venue: KrakenVenue) -> None:
        # Lumibot's own constructor makes a client of its own, with another nonce for the same key.
        DataSource.__init__(self)
        self.name, self.max_workers, self.chunk_size = "ccxt", 1, 100
        self.config = {"exchange_id": "kraken", "sandbox": False}
        self._markets_loaded, self._markets_lock, self._stream = False, Lock(), None
        self.api = venue.client.rest
        self.venue = venue

    def get_datetime(self, adjust_for_delay: bool = False) -> datetime:
        """The venue's time, in Lumibot's zone."""
        local: datetime = self.venue.clock.now().astimezone(self.tzinfo)
        return local

    def get_last_price(self, asset: Any, quote: Any = None, exchange: Any = None, **_: Any) -> float | None:
        """Middle of the newest quote; None where there is none or the venue is out of reach."""
        price: float | None = self.get_last_prices([asset], quote)[asset]
        return price

    def get_last_prices(self, assets: Iterable[Any], quote: Any = None, exchange: Any = None) -> AssetsMapping:
        """``get_last_price`` of each, in one request."""
        symbols = {asset: symbol_of(asset, quote) for asset in assets}
        try:
            quotes = self.venue.quotes(symbols.values())
        except VenueError as error:
            log.warning("no quotes: %s", error)
            quotes = {}
        middles = {s: float((q.bid + q.ask) / 2) for s, q in quotes.items() if q.bid > 0 < q.ask}
        return AssetsMapping({asset: middles.get(symbol) for asset, symbol in symbols.items()})

    def get_historical_prices(
        self,
        asset: Any,
        length: int,
        timestep: str = "",
        timeshift: timedelta | None = None,
        quote: Any = None,
        exchange: Any = None,
        include_after_hours: bool = True,
        return_polars: bool = False,
    ) -> Bars | None:
        """The newest ``length`` closed bars; None where there are none. Kraken has 720 of each length."""
        count, unit = parse_canonical_timestep(timestep or "minute") or (0, "")
        minutes, now = count * MINUTES.get(unit, 0), self.get_datetime() - (timeshift or timedelta(0))
        if not minutes:
            raise ValueError(f"{timestep!r} is no length of bars that this source has")
        try:
            start = now - timedelta(minutes=minutes * (length + 1))
            frame = self.venue.bars([symbol_of(asset, quote)], minutes, start, now)
        except VenueError as error:
            log.warning("no bars: %s", error)
            return None
        frame = frame[frame["datetime"] + pd.Timedelta(minutes=minutes) <= pd.Timestamp(now)].iloc[-length:]
        if frame.empty:
            return None
        index = pd.DatetimeIndex(frame["datetime"]).tz_convert(self.tzinfo)
        rows = frame.drop(columns=["symbol", "datetime"]).set_index(index)
        return Bars(rows, self.SOURCE, asset, raw=rows, tzinfo=self.tzinfo)


def symbol_of(asset: Any, quote: Any = None) -> str:
    """The pair of a coin and a currency as it is written here."""
    if isinstance(asset, tuple):
        asset, quote = asset
    name = asset.symbol if isinstance(asset, Asset) else str(asset)
    return name if "/" in name else f"{name}/{quote.symbol if isinstance(quote, Asset) else USD}"
