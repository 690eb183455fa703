"""Serves the rehearsal venue to any Alpaca client: REST, trade updates and market data on one address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

import pandas as pd
from aiohttp import web

from brokers.rehearsal.alpaca.activities import Activities
from brokers.rehearsal.alpaca.data.data_stream import PATHS, DataStream
from brokers.rehearsal.alpaca.data.market_data import MarketDataApi
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.portfolio_history import PortfolioHistory
from brokers.rehearsal.alpaca.routes import AlpacaFace, Routes
from brokers.rehearsal.alpaca.trade_stream import TradeUpdateServer
from brokers.rehearsal.alpaca.trading_api import TradingApi
from brokers.rehearsal.alpaca.us_hours import US_HOURS
from brokers.rehearsal.core.bar_playback import BarPlayback
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.pace import ByHand, ByTime
from brokers.rehearsal.core.player import Player
from brokers.rehearsal.core.replay_bars import load_bars, play_as_of
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.serving.access import KeyRing, new_keys
from brokers.rehearsal.serving.gateway import Gateway
from brokers.rehearsal.serving.host import VenueHost
from brokers.rehearsal.serving.network_faults import NetworkFaults
from brokers.rehearsal.serving.rate import MINUTE_S, RateLimit, RequestCount


class RehearsalServer(VenueHost[Exchange]):
    """The venue in a thread of its own; a context manager.

    Parameters
    ----------
    data : DataFrame
        Bars, see :func:`brokers.rehearsal.core.replay_bars.load_bars`. What lies before ``start`` is served as history.
    start : date or datetime, optional
        First day played (the clock starts five minutes before its open) or the moment at which the clock
        starts (naive: New York). By default the last ``sessions`` of the data.
    sessions : int, optional
        Days played; all from ``start`` on by default. After them the clock goes on, without prices.
    symbols : sequence of str, optional
        All of the data by default.
    settings, venue_faults : optional
        The venue's numbers and its own mishaps; those of the network are set in :attr:`faults`.
    clock : {"auto", "manual"}
        Whether time passes by itself or by :meth:`advance_to`.
    speed : float
        Venue seconds per local second; also of the minute that the rate limit counts in.
    skip_nights : bool, optional
        Jump over the time between sessions, ``gap_s`` local seconds after the last bar. By default if
        ``speed`` is above 1.
    key, secret : str, optional
        What clients have to sign in with; made anew for each server by default.
    other_keys : mapping, optional
        Further keys of the same account with their secrets: limited and counted by themselves.
    host, port
        Where to listen; port 0 takes a free one.
    requests_per_minute : int
        For each key, of trading and of market data.
    as_of : date, optional
        The session that the first day played is moved to, and all others with it; see
        :func:`brokers.rehearsal.core.replay_bars.play_as_of`.

    Raises
    ------
    Refusal
        The data can't be replayed, or the address is taken.
    """

    def __init__(
        self,
        data: pd.DataFrame,
        *,
        start: date | None = None,
        sessions: int | None = None,
        symbols: Sequence[str] | None = None,
        settings: VenueSettings | None = None,
        venue_faults: FaultPlan | None = None,
        clock: Literal["auto", "manual"] = "auto",
        speed: float = 1.0,
        skip_nights: bool | None = None,
        gap_s: float = 1.0,
        key: str | None = None,
        secret: str | None = None,
        other_keys: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        requests_per_minute: int = 200,
        as_of: date | None = None,
    ) -> None:
        settings, venue_faults = settings or VenueSettings(), venue_faults or FaultPlan()
        made = new_keys()
        self.key, self.secret = key or made[0], secret or made[1]
        keys = KeyRing({**(other_keys or {}), self.key: self.secret})
        faults = NetworkFaults(settings.seed, venue_faults)
        bars = load_bars(data, US_HOURS, symbols)
        if as_of is not None:
            bars, start = play_as_of(bars, as_of, start, sessions)
        playback = BarPlayback(bars)
        self._activities = Activities()
        self._stream = TradeUpdateServer(keys, faults)
        player = Player(
            playback, start, sessions, lambda known, now: Exchange(known, now, self._on_update, settings, venue_faults)
        )
        exchange = player.exchange
        pace: ByHand | ByTime = ByHand(player)
        if clock == "auto":
            pace = ByTime(player, speed, speed > 1 if skip_nights is None else skip_nights, gap_s)
        market = MarketDataApi(playback, lambda: exchange.now, settings)
        history = PortfolioHistory(exchange.now, exchange.equity)
        routes = Routes()
        TradingApi(exchange, self._activities, history, lambda: faults.clock_skew_s).add_to(routes)
        market.add_to(routes)
        self._market_stream = DataStream(keys, playback, market)
        player.listeners.trades.append(self._market_stream.on_trades)
        player.listeners.trades.append(lambda at, _: history.on_prices(at, exchange.equity))
        player.listeners.time.append(self._market_stream.on_time)
        player.listeners.close.append(lambda at: history.on_close(at, exchange.equity))
        gateway = Gateway(
            AlpacaFace(routes, keys),
            faults,
            pace.catch_up,
            lambda: exchange.now,
            player.schedule,
            lambda: RateLimit(requests_per_minute, speed),
            lambda: RequestCount(MINUTE_S / speed),
        )
        super().__init__(player, pace, gateway, faults, host, port)

    @property
    def stream_url(self) -> str:
        """Address of the trade updates."""
        return f"ws://{self._address}/stream"

    @property
    def data_stream_url(self) -> str:
        """Address of the market data stream."""
        return f"ws://{self._address}{PATHS[0]}"

    @property
    def listeners(self) -> int:
        """How many clients hear trade updates."""
        return self.call(lambda _: self._stream.listeners)

    def _on_update(self, update: Json) -> None:
        self._activities.on_update(update)
        self._stream.publish(update)

    def _add_streams(self, router: web.UrlDispatcher) -> None:
        for path in ("/stream", "/stream/"):
            router.add_get(path, self._stream.handle)
        for path in PATHS:
            router.add_get(path, self._market_stream.handle)

    def _drop_streams(self) -> None:
        self._stream.drop()
