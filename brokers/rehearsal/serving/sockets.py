"""What both streams share: a connection whose frames go out in order."""

from __future__ import annotations

import asyncio

from aiohttp import web

from brokers.rehearsal.serving.access import LONGEST_BODY

SIGN_IN_S = 10.0
"""Local seconds that a client may stay without signing in."""


class Connection:
    """One client's connection; frames queue up, so that nobody waits for a slow client."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._sender = asyncio.get_running_loop().create_task(self._send())
        self.authorized = False

    def put(self, frame: bytes | str) -> None:
        """Send a frame after all those before."""
        self._frames.put_nowait(frame)

    def abort(self, request: web.Request) -> None:
        """Break the connection as a network would, without a closing handshake."""
        self.end()
        if request.transport is not None:
            request.transport.abort()

    def end(self) -> None:
        """Send nothing more."""
        self._sender.cancel()

    async def _send(self) -> None:
        while True:
            frame = await self._frames.get()
            try:
                if isinstance(frame, bytes):
                    await self._socket.send_bytes(frame)
                else:
                    await self._socket.send_str(frame)
            except ConnectionError:
                return


def new_socket() -> web.WebSocketResponse:
    """A socket that answers pings and gives up on a client that doesn't answer its own."""
    return web.WebSocketResponse(heartbeat=30.0, max_msg_size=LONGEST_BODY)


def end_unless_authorized(connection: Connection, request: web.Request) -> asyncio.TimerHandle:
    """Break the connection of a client that hasn't signed in after a while."""

    def check() -> None:
        if not connection.authorized:
            connection.abort(request)

    return asyncio.get_running_loop().call_later(SIGN_IN_S, check)
