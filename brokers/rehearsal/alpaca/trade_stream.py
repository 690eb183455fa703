"""The stream of trade updates: binary JSON frames, none of which is ever sent twice by the venue itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import WSMsgType, web

from brokers.rehearsal.serving.access import KeyRing
from brokers.rehearsal.serving.network_faults import NetworkFaults
from brokers.rehearsal.serving.sockets import Connection, end_unless_authorized, new_socket

UPDATES = "trade_updates"


class TradeUpdateServer:
    """Everybody who listens to the account.

    Parameters
    ----------
    keys : KeyRing
        What is let in.
    faults : NetworkFaults
    """

    def __init__(self, keys: KeyRing, faults: NetworkFaults) -> None:
        self._keys, self._faults = keys, faults
        self._connections: dict[Connection, web.Request] = {}
        self._listening: set[Connection] = set()

    @property
    def listeners(self) -> int:
        """How many clients are told of trade updates."""
        return len(self._listening)

    def publish(self, update: Mapping[str, Any]) -> None:
        """Send a trade update to all who listen, or let befall it what is in force."""
        frame = json.dumps({"stream": UPDATES, "data": update}).encode()
        for delay in self._faults.delays():
            for connection in list(self._listening):
                if delay:
                    asyncio.get_running_loop().call_later(delay, connection.put, frame)
                else:
                    connection.put(frame)

    def drop(self) -> None:
        """Break every connection."""
        for connection, request in list(self._connections.items()):
            connection.abort(request)
            self._forget(connection)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = new_socket()
        await socket.prepare(request)
        connection = Connection(socket)
        connection.authorized = self._keys.opens(
            request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")
        )
        self._connections[connection] = request
        patience = end_unless_authorized(connection, request)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._answer(connection, message.data)
        finally:
            patience.cancel()
            connection.end()
            self._forget(connection)
        return socket

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._listening.discard(connection)

    def _answer(self, connection: Connection, data: str | bytes) -> None:
        try:
            request = json.loads(data)
            action, content = request["action"], request.get("data") or request
            asked = content.get("streams", [])
            streams = [UPDATES] if UPDATES in asked else []
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        if action in ("authenticate", "auth"):
            connection.authorized = self._keys.opens(
                content.get("key_id", content.get("key")), content.get("secret_key", content.get("secret"))
            )
            self._say(connection, "authorization", _status(connection, "authenticate"))
        elif action == "listen" and not connection.authorized:
            self._say(connection, "authorization", _status(connection, "listen"))
        elif action == "listen":
            # A client names all it wants each time; what it leaves out it no longer hears.
            (self._listening.add if streams else self._listening.discard)(connection)
            self._say(connection, "listening", {"streams": streams})

    @staticmethod
    def _say(connection: Connection, stream: str, data: Mapping[str, object]) -> None:
        connection.put(json.dumps({"stream": stream, "data": data}).encode())


def _status(connection: Connection, action: str) -> dict[str, object]:
    return {"status": "authorized" if connection.authorized else "unauthorized", "action": action}
