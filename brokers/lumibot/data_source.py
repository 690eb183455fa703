"""Lumibot's Alpaca data source, on the venue's clock and with one request for any number of symbols."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from lumibot.data_sources import AlpacaData
from lumibot.entities import Asset, AssetsMapping, Bars
from lumibot.tools.helpers import parse_canonical_timestep
from lumibot.tools.symbol_normalization import normalize_symbol_for_broker

from brokers.alpaca.client import DAY_MINUTES, VenueClient
from brokers.alpaca.payloads import Json
from brokers.network.figures import amount
from brokers.venue_errors import VenueError
from config.values.markets import SESSION_MINUTES
from market.calendar import session_times

COLUMNS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
HOW: Any = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
HALF_HOUR = 30
# The venue has no bars of minutes beyond this; longer ones are put together here.
LONGEST_MINUTES = 59

log = logging.getLogger(__name__)


class HardenedAlpacaData(AlpacaData):
    """Prices of stocks for strategies that ask Lumibot for them; without delay, closed bars only.

    Parameters
    ----------
    client : VenueClient
    config : mapping
        Lumibot's: API_KEY, API_SECRET, PAPER.
    """

    def __init__(self, client: VenueClient, config: Mapping[str, Any]) -> None:
        super().__init__(dict(config), delay=0, stock_client=client.data)
        self.client = client

    def get_datetime(self, adjust_for_delay: bool = False) -> datetime:
        """The venue's time, in New York."""
        local: datetime = self.client.clock.now().astimezone(self.tzinfo)
        return local

    def get_last_price(self, asset: Any, quote: Any = None, exchange: Any = None, **_: Any) -> float | None:
        """Middle of the newest quote; None where there is none or the venue is out of reach."""
        prices: Mapping[Any, float | None] = self.get_last_prices([asset])
        return prices[asset]

    def get_last_prices(self, assets: Iterable[Any], quote: Any = None, exchange: Any = None) -> AssetsMapping:
        """``get_last_price`` of each, in one request."""
        symbols = {asset: _symbol(asset) for asset in assets}
        try:
            quotes = self.client.latest_quotes(symbols.values())
        except VenueError as error:
            log.warning("no quotes: %s", error)
            quotes = {}
        return AssetsMapping({asset: _middle(quotes.get(symbol) or {}) for asset, symbol in symbols.items()})

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
        """The newest ``length`` closed bars; None where there are none."""
        step = timestep or self.get_timestep()
        return self.get_bars([asset], length, step, timeshift, include_after_hours=include_after_hours).get(asset)

    def get_bars(
        self,
        assets: Iterable[Any],
        length: int,
        timestep: str = "minute",
        timeshift: timedelta | None = None,
        *_: Any,
        include_after_hours: bool = True,
        **__: Any,
    ) -> dict[Any, Bars]:
        """The newest ``length`` closed bars of each asset that has any, in one request."""
        symbols = {asset: _symbol(asset) for asset in assets}
        minutes = _minutes(timestep)
        now = pd.Timestamp(self.get_datetime() - (timeshift or timedelta(0)))
        asked = minutes if minutes <= LONGEST_MINUTES or minutes % DAY_MINUTES == 0 else HALF_HOUR
        sessions = length if minutes >= DAY_MINUTES else math.ceil(length * minutes / SESSION_MINUTES)
        start = (now - timedelta(days=2 * sessions + 5)).normalize()
        try:
            found = self.client.bars(symbols.values(), min(asked, DAY_MINUTES), start.to_pydatetime())
        except VenueError as error:
            log.warning("no bars: %s", error)
            return {}
        result: dict[Any, Bars] = {}
        for asset, symbol in symbols.items():
            frame = self._frame(found.get(symbol) or [])
            if minutes != asked and not frame.empty:
                frame = frame.resample(f"{minutes}min", origin="start_day").agg(HOW).dropna(subset=["open"])
            if not include_after_hours and minutes < DAY_MINUTES:
                frame = frame.between_time("09:30", "16:00", inclusive="left")
            frame = frame[_ends(pd.DatetimeIndex(frame.index), minutes) <= now].iloc[-length:]
            if not frame.empty:
                result[asset] = Bars(frame, self.SOURCE, asset, raw=frame, tzinfo=self.tzinfo)
        return result

    def _frame(self, rows: list[Json]) -> pd.DataFrame:
        opens = pd.DatetimeIndex(pd.to_datetime([row["t"] for row in rows], utc=True)).tz_convert(self.tzinfo)
        values = {name: [float(row[key]) for row in rows] for key, name in COLUMNS.items()}
        frame = pd.DataFrame(values, index=opens)
        return frame[~frame.index.duplicated(keep="last") & (frame["close"] > 0)].sort_index()


def _symbol(asset: Any) -> str:
    asset = asset if isinstance(asset, Asset) else Asset(str(asset))
    if asset.asset_type != Asset.AssetType.STOCK:
        raise ValueError(f"{asset} is no stock; this source has prices of stocks only")
    return str(normalize_symbol_for_broker(asset.symbol, "alpaca", Asset.AssetType.STOCK))


def _middle(quote: Json) -> float | None:
    sides = [price for price in (amount(quote, "bp"), amount(quote, "ap")) if price > 0]
    return float(sum(sides) / len(sides)) if sides else None


def _minutes(timestep: str) -> int:
    count, unit = parse_canonical_timestep(timestep) or (0, "")
    length = {"minute": 1, "hour": 60, "day": DAY_MINUTES}.get(unit, 0)
    if not count * length or (unit == "day" and count > 1):
        raise ValueError(f"{timestep!r} is no length of bars that this source has")
    return int(count * length)


def _ends(opens: pd.DatetimeIndex, minutes: int) -> pd.DatetimeIndex:
    """When each bar is complete; a daily one at the session's close."""
    if minutes < DAY_MINUTES or opens.empty:
        return opens + timedelta(minutes=minutes)
    return session_times(pd.DatetimeIndex(opens.tz_localize(None).normalize()))[1]
