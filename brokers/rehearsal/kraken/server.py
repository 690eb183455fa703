"""Serves the rehearsed Kraken to any client of its REST interface, on one address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

import pandas as pd
from aiohttp import web

from brokers.rehearsal.core.bar_playback import BarPlayback
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.hours import AlwaysOpen
from brokers.rehearsal.core.pace import ByHand, ByTime
from brokers.rehearsal.core.player import Player
from brokers.rehearsal.core.replay_bars import load_bars, play_as_of
from brokers.rehearsal.kraken.auth import Keys, new_keys
from brokers.rehearsal.kraken.exchange import KrakenExchange
from brokers.rehearsal.kraken.market_data import MarketData
from brokers.rehearsal.kraken.reference.listings import listings
from brokers.rehearsal.kraken.routes import KrakenFace
from brokers.rehearsal.kraken.settings import KrakenSettings
from brokers.rehearsal.serving.gateway import Gateway
from brokers.rehearsal.serving.host import VenueHost
from brokers.rehearsal.serving.network_faults import NetworkFaults
from brokers.rehearsal.serving.rate import MINUTE_S, RequestCount, Unlimited
from config.errors import Refusal
from config.values.symbols import spelled


class KrakenServer(VenueHost[KrakenExchange]):
    """The venue in a thread of its own; a context manager.

    Parameters
    ----------
    data : DataFrame
        Bars of coins in USD, see :func:`brokers.rehearsal.core.replay_bars.load_bars`; what lies before ``start`` is
        served as history. Symbols may be written ``BTC-USD``, ``BTC/USD`` or by any of Kraken's names.
    start : date or datetime, optional
        First day played, from five minutes before midnight UTC, or the moment at which the clock starts (naive: UTC).
        By default the last ``sessions`` days of the data.
    sessions : int, optional
        Days played; all from ``start`` on by default. After them the clock goes on, without new prices.
    symbols : sequence of str, optional
        All of the data by default.
    settings : KrakenSettings, optional
    venue_faults : FaultPlan, optional
        The venue's own mishaps; those of the network are set in :attr:`faults`.
    clock : {"auto", "manual"}
        Whether time passes by itself or by :meth:`advance_to`.
    speed : float
        Venue seconds per local second; the counters fall in the venue's time.
    key, secret : str, optional
        What clients sign with; made anew for each server by default. The secret is base64.
    other_keys : mapping, optional
        Further keys of the same account with their secrets: each has a nonce and a counter of its own.
    host, port
        Where to listen; port 0 takes a free one.
    as_of : date, optional
        The day that the first day played is moved to.

    Raises
    ------
    Refusal
        The data can't be replayed, a pair is not listed, or the address is taken.
    """

    def __init__(
        self,
        data: pd.DataFrame,
        *,
        start: date | None = None,
        sessions: int | None = None,
        symbols: Sequence[str] | None = None,
        settings: KrakenSettings | None = None,
        venue_faults: FaultPlan | None = None,
        clock: Literal["auto", "manual"] = "auto",
        speed: float = 1.0,
        key: str | None = None,
        secret: str | None = None,
        other_keys: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        as_of: date | None = None,
    ) -> None:
        settings, venue_faults = settings or KrakenSettings(), venue_faults or FaultPlan()
        made = new_keys()
        self.key, self.secret = key or made[0], secret or made[1]
        keys = Keys({**(other_keys or {}), self.key: self.secret})
        faults = NetworkFaults(settings.seed, venue_faults)
        data = data.assign(symbol=[pair_symbol(str(name)) for name in data["symbol"]])
        ticks = {pair.symbol: pair.tick for pair in listings().pairs.values()}
        wanted = [pair_symbol(name) for name in symbols] if symbols else None
        bars = load_bars(data, AlwaysOpen(), wanted, ticks, whole_shares=False)
        if as_of is not None:
            bars, start = play_as_of(bars, as_of, start, sessions)
        playback = BarPlayback(bars)
        player = Player(
            playback,
            start,
            sessions,
            lambda known, now: KrakenExchange(listings().only(known), now, settings, venue_faults),
        )
        exchange = player.exchange
        pace: ByHand | ByTime = ByHand(player)
        if clock == "auto":
            pace = ByTime(player, speed, skip_nights=False, gap_s=0.0)
        self._face = KrakenFace(exchange, MarketData(playback, exchange), keys)
        gateway = Gateway(
            self._face,
            faults,
            pace.catch_up,
            lambda: exchange.now,
            player.schedule,
            Unlimited,
            lambda: RequestCount(MINUTE_S / speed),
        )
        super().__init__(player, pace, gateway, faults, host, port)

    def by_hand(self, method: str, **parameters: object) -> object:
        """Let the account's owner do something elsewhere: ``by_hand("AddOrder", pair="XBTUSD", …)``.

        Returns
        -------
        object
            What Kraken would answer as ``result``.

        Raises
        ------
        KrakenError
            It is refused.
        """
        return self.call(lambda _: self._face.by_hand(method, parameters))

    def _add_streams(self, router: web.UrlDispatcher) -> None:
        """None: REST is all that is served."""

    def _drop_streams(self) -> None:
        """There are none."""


def pair_symbol(name: str) -> str:
    """The symbol inside of a pair that is written in any way; Refusal for one that is not listed."""
    pair = listings().pair(spelled(name)) or listings().pair(name.upper())
    if pair is None:
        known = ", ".join(sorted(p.symbol for p in listings().pairs.values()))
        raise Refusal(f"{name} is no pair that the rehearsed Kraken lists; it has {known}")
    return pair.symbol
