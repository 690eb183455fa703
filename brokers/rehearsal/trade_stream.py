"""The stream of trade updates: binary JSON frames, none of which is ever sent twice by the venue itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import WSMsgType, web

from brokers.rehearsal.network_faults import NetworkFaults
from brokers.rehearsal.sockets import KeyCheck, Line, new_socket

UPDATES = "trade_updates"


class TradeStream:
    """Everybody who listens to the account.

    Parameters
    ----------
    keys : tuple of str
        Key and secret that are let in.
    faults : NetworkFaults
    """

    def __init__(self, keys: KeyCheck, faults: NetworkFaults) -> None:
        self._keys, self._faults = keys, faults
        self._lines: dict[Line, web.Request] = {}
        self._listening: set[Line] = set()

    @property
    def listeners(self) -> int:
        """How many clients are told of trade updates."""
        return len(self._listening)

    def publish(self, update: Mapping[str, Any]) -> None:
        """Send a trade update to all who listen, or let befall it what is in force."""
        frame = json.dumps({"stream": UPDATES, "data": update}).encode()
        for delay in self._faults.delays():
            for line in list(self._listening):
                if delay:
                    asyncio.get_running_loop().call_later(delay, line.put, frame)
                else:
                    line.put(frame)

    def drop(self) -> None:
        """Break every connection."""
        for line, request in list(self._lines.items()):
            line.abort(request)
            self._forget(line)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = new_socket()
        await socket.prepare(request)
        line = Line(socket)
        self._lines[line] = request
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._answer(line, message.data)
        finally:
            line.end()
            self._forget(line)
        return socket

    def _forget(self, line: Line) -> None:
        self._lines.pop(line, None)
        self._listening.discard(line)

    def _answer(self, line: Line, data: str | bytes) -> None:
        try:
            request = json.loads(data)
            action, content = request["action"], request.get("data") or request
        except (ValueError, TypeError, KeyError):
            return
        if action in ("authenticate", "auth"):
            given = (content.get("key_id", content.get("key")), content.get("secret_key", content.get("secret")))
            line.authorized = given == self._keys
            self._say(line, "authorization", _status(line, "authenticate"))
        elif action == "listen" and not line.authorized:
            self._say(line, "authorization", _status(line, "listen"))
        elif action == "listen":
            streams = [name for name in content.get("streams", []) if name == UPDATES]
            # A client names all it wants each time; what it leaves out it no longer hears.
            (self._listening.add if streams else self._listening.discard)(line)
            self._say(line, "listening", {"streams": streams})

    @staticmethod
    def _say(line: Line, stream: str, data: Mapping[str, object]) -> None:
        line.put(json.dumps({"stream": stream, "data": data}).encode())


def _status(line: Line, action: str) -> dict[str, object]:
    return {"status": "authorized" if line.authorized else "unauthorized", "action": action}
