"""A page on a free port, served from a thread, and requests whose every header is the test's."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from dashboard.server import application, listening
from dashboard.settings import PageSettings
from monitoring.state import JOURNAL_FILE

TOKEN = "a-token-of-the-test-0123456789"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Served:
    """``get`` asks as a reader with the token; ``ask`` sends what it is given."""

    port: int
    loop: asyncio.AbstractEventLoop
    _held: threading.Event

    def pause(self) -> None:
        """Let the page's process hang."""
        self._held.clear()
        self.loop.call_soon_threadsafe(self._held.wait)

    def go_on(self) -> None:
        self._held.set()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, {"Authorization": f"Bearer {TOKEN}", **headers})

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            got = connection.getresponse()
            return Answer(got.status, dict(got.getheaders()), got.read().decode("utf-8", "replace"))
        finally:
            connection.close()


@contextmanager
def served(state: Path, runs: Path, journal: str = "", beat_s: float = 0.2) -> Iterator[Served]:
    settings = PageSettings(
        journal=journal or str(state / JOURNAL_FILE),
        state_dir=str(state),
        runs=str(runs),
        token=TOKEN,
        port=0,
        beat_s=beat_s,
    )
    sock = listening(settings)
    loop = asyncio.new_event_loop()
    up = threading.Event()

    async def run() -> web.AppRunner:
        runner = web.AppRunner(application(settings), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        return runner

    def main() -> None:
        asyncio.set_event_loop(loop)
        nonlocal runner
        runner = loop.run_until_complete(run())
        up.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    runner: web.AppRunner | None = None
    held = threading.Event()
    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    assert up.wait(20)
    try:
        yield Served(sock.getsockname()[1], loop, held)
    finally:
        held.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
