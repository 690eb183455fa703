"""A desk on a rehearsed Kraken that answers, from a moment on and for a while, private requests with an error."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from brokers.venue_errors import VenueError
from tests.brokers.kraken.scene import KrakenScene


class TurnedAway:
    """A scene whose private requests are answered with an error for so many seconds, from the first request ``since``
    on."""

    def __init__(
        self, scene: KrakenScene, error: str, seconds: float, only: tuple[str, ...] = (), since: str = "CancelOrder"
    ) -> None:
        self.scene, self.error, self.seconds, self.only, self.since = scene, error, seconds, only, since
        self.asked: list[tuple[float, str]] = []
        self.began: datetime | None = None
        self._send = scene.rest._sent
        scene.rest._sent = self._answer  # type: ignore[method-assign]  # in the place of the wire

    @property
    def passed_s(self) -> float:
        return 0.0 if self.began is None else (self.scene.clock.time - self.began).total_seconds()

    def _answer(self, path: str, api: str, method: str, params: Any) -> Any:
        if api == "private" and self.began is not None:
            self.asked.append((self.passed_s, path))
            if self.passed_s < self.seconds and (not self.only or path in self.only):
                return {"error": [self.error]}
        answer = self._send(path, api, method, params)
        if path == self.since and self.began is None:
            self.began = self.scene.clock.time
        return answer

    def watch(self, seconds: float) -> None:
        """The monitor's ticks, one in two seconds."""
        for _ in range(int(seconds / 2)):
            self.scene.pass_time(2)
            self.tick()

    def tick(self) -> None:
        with suppress(VenueError):
            self.scene.desk.tick()
