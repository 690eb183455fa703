"""The stream of market data: trades, quotes and bars, as MessagePack or as JSON.

Nothing here is ever corrected, halted or cancelled: those channels are subscribed to, and stay quiet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types
from aiohttp import WSMsgType, web

from brokers.rehearsal.alpaca.data.data_json import bar_json
from brokers.rehearsal.alpaca.data.market_data import MarketDataApi
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.core.bar_playback import MINUTE, BarPlayback, from_ns
from brokers.rehearsal.serving.access import KeyRing
from brokers.rehearsal.serving.sockets import Connection, end_unless_authorized, new_socket

CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
# These come with the trades, unasked.
WITH_TRADES = ("corrections", "cancelErrors")
PATHS = ("/v2/iex", "/v2/sip")
MOST_SYMBOLS = 30
CODES = {
    "invalid syntax": 400,
    "not authenticated": 401,
    "auth failed": 402,
    "already authenticated": 403,
    "symbol limit exceeded": 405,
    "connection limit exceeded": 406,
    "insufficient subscription": 409,
}


class DataStream:
    """Everybody who listens to the market: one client at a time, and 30 symbols, as in Alpaca's basic plan.

    Parameters
    ----------
    keys : KeyRing
        What is let in.
    playback : BarPlayback
    api : MarketDataApi
        Words quotes and trades.
    """

    def __init__(self, keys: KeyRing, playback: BarPlayback, api: MarketDataApi) -> None:
        self._keys, self._playback, self._api = keys, playback, api
        self._wanted: dict[Connection, dict[str, set[str]]] = {}
        self._codecs: dict[Connection, bool] = {}
        self._minutes: dict[str, datetime] = {}

    def on_trades(self, at: datetime, prices: Mapping[str, Decimal]) -> None:
        """Tell of new prices."""
        for symbol in sorted(prices):
            self._minutes.setdefault(symbol, at.replace(second=0, microsecond=0))
            self._send("trades", "t", symbol, self._api.trade(symbol, at))
            self._send("quotes", "q", symbol, self._api.quote(symbol, at))

    def on_time(self, now: datetime) -> None:
        """Tell of the minutes that are over."""
        for symbol, minute in list(self._minutes.items()):
            if now < minute + timedelta(minutes=1):
                continue
            del self._minutes[symbol]
            told = False
            for bar in self._playback.bars(symbol, MINUTE, minute, now, now):
                begins = from_ns(bar.start)
                if begins + timedelta(minutes=1) <= now:
                    self._send("bars", "b", symbol, bar_json(bar))
                    told = True
                else:
                    self._minutes[symbol] = begins
            if told:
                self._send("dailyBars", "d", symbol, self._api.daily_bar(symbol, now))

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = new_socket()
        await socket.prepare(request)
        connection = Connection(socket)
        self._codecs[connection] = request.headers.get("Content-Type") == "application/msgpack"
        self._put(connection, {"T": "success", "msg": "connected"})
        key, secret = request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        if key or secret:
            self._sign_in(connection, request.path, key, secret)
        patience = end_unless_authorized(connection, request)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    data = message.data if isinstance(message.data, bytes) else message.data.encode()
                    self._answer(connection, request.path, data)
        finally:
            patience.cancel()
            connection.end()
            self._wanted.pop(connection, None)
            del self._codecs[connection]
        return socket

    def _answer(self, connection: Connection, path: str, data: bytes) -> None:
        request = self._read(connection, data)
        action = None if request is None else request.get("action")
        if request is None or action not in ("auth", "subscribe", "unsubscribe"):
            self._refuse(connection, "invalid syntax")
        elif action == "auth":
            self._sign_in(connection, path, request.get("key"), request.get("secret"))
        elif not connection.authorized:
            self._refuse(connection, "not authenticated")
        else:
            self._subscribe(connection, request, action == "subscribe")

    def _read(self, connection: Connection, data: bytes) -> dict[str, Any] | None:
        try:
            request = msgpack.unpackb(data) if self._codecs[connection] else json.loads(data)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
            return None
        return request if isinstance(request, dict) else None

    def _sign_in(self, connection: Connection, path: str, key: object, secret: object) -> None:
        if connection.authorized:
            self._refuse(connection, "already authenticated")
        elif not self._keys.opens(key, secret):
            self._refuse(connection, "auth failed")
        elif path == PATHS[1]:
            self._refuse(connection, "insufficient subscription")
        elif self._wanted:
            self._refuse(connection, "connection limit exceeded")
        else:
            connection.authorized = True
            self._wanted[connection] = {channel: set() for channel in CHANNELS}
            self._put(connection, {"T": "success", "msg": "authenticated"})

    def _subscribe(self, connection: Connection, request: Mapping[str, Any], adds: bool) -> None:
        wanted = dict(self._wanted[connection])
        for channel in CHANNELS:
            names = request.get(channel) or []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                # A bare text would be taken for its letters.
                self._refuse(connection, "invalid syntax")
                return
            wanted[channel] = wanted[channel] | set(names) if adds else wanted[channel] - set(names)
        if len(set().union(*wanted.values())) > MOST_SYMBOLS:
            self._refuse(connection, "symbol limit exceeded")
            return
        self._wanted[connection] = wanted
        lists = {channel: sorted(wanted[channel]) for channel in CHANNELS}
        self._put(connection, {"T": "subscription", **lists, **dict.fromkeys(WITH_TRADES, lists["trades"])})

    def _send(self, channel: str, kind: str, symbol: str, body: Json | None) -> None:
        if body is None:
            return
        for connection, wanted in self._wanted.items():
            if {"*", symbol} & wanted[channel]:
                self._put(connection, {"T": kind, "S": symbol, **body})

    def _refuse(self, connection: Connection, message: str) -> None:
        self._put(connection, {"T": "error", "code": CODES[message], "msg": message})

    def _put(self, connection: Connection, message: dict[str, Any]) -> None:
        if not self._codecs[connection]:
            connection.put(json.dumps([message]))
            return
        if "t" in message:
            message = {**message, "t": msgpack.Timestamp.from_datetime(datetime.fromisoformat(message["t"]))}
        connection.put(msgpack.packb([message]))
