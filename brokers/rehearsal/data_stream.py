"""The stream of market data: trades, quotes and minute bars, as MessagePack or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types
from aiohttp import WSMsgType, web

from brokers.rehearsal.market_data import MarketDataApi
from brokers.rehearsal.model import Json
from brokers.rehearsal.sockets import KeyCheck, Line, new_socket
from brokers.rehearsal.tape import MINUTE, Tape

CHANNELS = ("trades", "quotes", "bars")
SILENT = ("updatedBars", "dailyBars", "statuses", "lulds", "corrections", "cancelErrors")
PATHS = ("/v2/iex", "/v2/sip")
CODES = {
    "invalid syntax": 400,
    "not authenticated": 401,
    "auth failed": 402,
    "already authenticated": 403,
}


class DataStream:
    """Everybody who listens to the market.

    Parameters
    ----------
    keys : tuple of str
        Key and secret that are let in.
    tape : Tape
    api : MarketDataApi
        Words quotes and trades.
    """

    def __init__(self, keys: KeyCheck, tape: Tape, api: MarketDataApi) -> None:
        self._keys, self._tape, self._api = keys, tape, api
        self._wanted: dict[Line, dict[str, set[str]]] = {}
        self._codecs: dict[Line, bool] = {}
        self._minutes: dict[str, datetime] = {}

    def on_trades(self, at: datetime, prices: Mapping[str, Decimal]) -> None:
        """Tell of new prices."""
        for symbol in sorted(prices):
            self._minutes.setdefault(symbol, at.replace(second=0, microsecond=0))
            self._send("trades", "t", symbol, self._api.trade(symbol))
            self._send("quotes", "q", symbol, self._api.quote(symbol))

    def on_time(self, now: datetime) -> None:
        """Tell of the minutes that are over."""
        for symbol, minute in list(self._minutes.items()):
            if now < minute + timedelta(minutes=1):
                continue
            del self._minutes[symbol]
            for bar in self._tape.bars(symbol, MINUTE, minute, now, now):
                begins = datetime.fromisoformat(str(bar["t"]))
                if begins + timedelta(minutes=1) <= now:
                    self._send("bars", "b", symbol, bar)
                else:
                    self._minutes[symbol] = begins

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = new_socket()
        await socket.prepare(request)
        line = Line(socket)
        self._codecs[line] = request.headers.get("Content-Type") == "application/msgpack"
        self._put(line, {"T": "success", "msg": "connected"})
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._answer(line, message.data if isinstance(message.data, bytes) else message.data.encode())
        finally:
            line.end()
            self._wanted.pop(line, None)
            del self._codecs[line]
        return socket

    def _answer(self, line: Line, data: bytes) -> None:
        try:
            request = msgpack.unpackb(data) if self._codecs[line] else json.loads(data)
            action = request["action"]
        except (ValueError, TypeError, KeyError, msgpack.UnpackException):
            self._refuse(line, "invalid syntax")
            return
        if action == "auth" and line.authorized:
            self._refuse(line, "already authenticated")
        elif action == "auth":
            line.authorized = (request.get("key"), request.get("secret")) == self._keys
            if line.authorized:
                self._wanted[line] = {channel: set() for channel in CHANNELS}
                self._put(line, {"T": "success", "msg": "authenticated"})
            else:
                self._refuse(line, "auth failed")
        elif not line.authorized:
            self._refuse(line, "not authenticated")
        elif action in ("subscribe", "unsubscribe"):
            wanted = self._wanted[line]
            for channel in CHANNELS:
                change = set(request.get(channel) or ())
                wanted[channel] = wanted[channel] | change if action == "subscribe" else wanted[channel] - change
            lists = {channel: sorted(wanted[channel]) for channel in CHANNELS}
            self._put(line, {"T": "subscription", **lists, **{channel: [] for channel in SILENT}})
        else:
            self._refuse(line, "invalid syntax")

    def _send(self, channel: str, kind: str, symbol: str, body: Json | None) -> None:
        if body is None:
            return
        for line, wanted in self._wanted.items():
            if {"*", symbol} & wanted[channel]:
                self._put(line, {"T": kind, "S": symbol, **body})

    def _refuse(self, line: Line, message: str) -> None:
        self._put(line, {"T": "error", "code": CODES[message], "msg": message})

    def _put(self, line: Line, message: dict[str, Any]) -> None:
        if not self._codecs[line]:
            line.put(json.dumps([message]))
            return
        if "t" in message:
            message = {**message, "t": msgpack.Timestamp.from_datetime(datetime.fromisoformat(message["t"]))}
        line.put(msgpack.packb([message]))
