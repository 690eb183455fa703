"""Who moves the venue's clock: a test by hand, or time itself, faster or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from brokers.rehearsal.core.hours import Phase
from brokers.rehearsal.core.player import LEAD, Player
from brokers.rehearsal.core.venue import Venue

BEAT_S = 0.02


class ByHand:
    """The clock stands still between calls of :meth:`move`."""

    def __init__(self, player: Player[Venue]) -> None:
        self._player = player

    def catch_up(self) -> None:
        """No time has passed, so what the venue has promised is not due either."""

    def move(self, to: datetime) -> None:
        """Let everything up to ``to`` happen."""
        self._player.play(to)

    async def run(self) -> None:
        """Nothing happens by itself, for ever."""
        await asyncio.Event().wait()


class ByTime:
    """Venue time is local time, ``speed`` times as fast.

    Parameters
    ----------
    player : Player
    speed : float
        Venue seconds per local second.
    skip_nights : bool
        Whether the clock jumps to five minutes before the next open, or bar, when trading is over.
    gap_s : float
        Local seconds that it waits before the jump.
    monotonic : callable
        Local seconds.
    """

    def __init__(
        self,
        player: Player[Venue],
        speed: float,
        skip_nights: bool,
        gap_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._player, self._speed, self._skip_nights, self._gap_s = player, speed, skip_nights, gap_s
        self._monotonic = monotonic
        self._quiet_since: float | None = None
        self._anchor = monotonic(), player.exchange.now

    def restart(self) -> None:
        """Count from now on: time before the doors opened doesn't matter."""
        self._anchor = self._monotonic(), self._player.exchange.now

    def catch_up(self) -> None:
        """Let everything up to the present happen, and the night pass if it is time for that."""
        since, venue = self._anchor
        elapsed = self._monotonic() - since
        self._player.play(max(venue + timedelta(seconds=elapsed * self._speed), self._player.exchange.now))
        target = self._morning()
        if target is None:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = self._monotonic()
        elif self._monotonic() - self._quiet_since >= self._gap_s:
            self._quiet_since = None
            self._player.play(target)
            self.restart()

    def move(self, to: datetime) -> None:
        """Refused: this clock moves by itself."""
        raise ValueError('the clock moves by itself; build the server with clock="manual" to move it')

    async def run(self) -> None:
        """Keep the venue going between requests."""
        while True:
            self.catch_up()
            await asyncio.sleep(BEAT_S)

    def _morning(self) -> datetime | None:
        """Where the clock may jump to; None while anything goes on, or nothing comes any more."""
        now, bar, hours = self._player.exchange.now, self._player.next_bar, self._player.playback.hours
        if not self._skip_nights or bar is None or not self._player.quiet or hours.phase_at(now) is Phase.REGULAR:
            return None
        # Days without bars are passed over: the data decide which sessions there are.
        opens = hours.next_open(bar - timedelta(days=1)) if hours.phase_at(bar) is Phase.REGULAR else bar
        target = min(opens, bar) - LEAD
        return target if target > now else None
