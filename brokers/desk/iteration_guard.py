"""Around one iteration: its time, its room below the rate limit, and what an error in it costs."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from brokers.desk.core import DeskCore
from brokers.desk.entry_halts import EntryHalts
from brokers.desk.symbol_work import SymbolWork
from brokers.venue_errors import VenueError, level_of

ITERATION_S = 12.0
"""Longest time that an iteration may spend asking the venue."""
ROOM_WITHIN_S, NAP_S = 60.0, 0.1
"""Local seconds that an iteration waits for room below the rate limit, and how often it asks for it."""
SLOW_S = 15.0

log = logging.getLogger(__name__)


class IterationGuard:
    """Lets iterations run, one after another.

    Parameters
    ----------
    core : DeskCore
    halts : EntryHalts
    work : SymbolWork
    """

    def __init__(self, core: DeskCore, halts: EntryHalts, work: SymbolWork) -> None:
        self._state, self._gateway, self._halts, self._work = core.state, core.gateway, halts, work
        self._limit = core.state.venue.request_limit
        self.iterations = 0
        self.crowded = False
        """Whether the iteration that runs gives way to the watch over stops, as there is no room for it."""

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """Around one iteration: whatever goes wrong in it stops entries, never the loop.

        A venue that doesn't answer costs the iteration. Any other error halts the session for entries; the
        monitor goes on looking after what is held.
        """
        was_crowded, self.crowded = self.crowded, not self.has_room()
        began = time.monotonic()
        try:
            with self._state.time_budget(ITERATION_S):
                yield
            self.iterations += 1
        except VenueError as error:
            # Why the venue counts as gone is told already.
            if str(error) != self._halts.venue_gone():
                self._halts.passing["venue"] = str(error)
            first = self.crowded and not was_crowded
            log.log(logging.WARNING if first else level_of(error), "iteration skipped: %s", error)
        except Exception as error:
            # At shutdown the journal is closed under an iteration that is still on its way.
            if not self._gateway.shutting_down:
                self._halts.crashed(error, self._state.now)
        finally:
            if (took := time.monotonic() - began) > SLOW_S:
                log.warning("an iteration took %.1f s", took)

    def has_room(self) -> bool:
        """Wait, without the lock, until an iteration leaves the watch the requests it needs.

        While shares are without their stop or a position is being closed, it does not wait but gives way.
        """
        ends, began = time.monotonic() + ROOM_WITHIN_S, time.monotonic()
        while not self._state.room(self._limit.iteration):
            urgent = self._work.protector.log.protectable or self._work.closer.working or self._gateway.shutting_down
            if urgent or time.monotonic() >= ends:
                return False
            time.sleep(NAP_S)
        if (waited := time.monotonic() - began) > SLOW_S:
            log.warning("an iteration waited %.0f s for the own rate limit", waited)
        return True
