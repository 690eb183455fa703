"""The times in which shares of ours were without a working stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.quantities import digits
from brokers.reporting.events import EventKind, about
from config.values.counting import unit_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnprotectedInterval:
    """A time in which shares were not behind a stop."""

    symbol: str
    since: datetime
    until: datetime
    why: str

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


class UnprotectedLog:
    """Measures unprotected times.

    Parameters
    ----------
    now : callable
        The venue's time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._open: dict[str, tuple[datetime, str]] = {}
        self._too_few: set[str] = set()
        self.intervals: list[UnprotectedInterval] = []
        """Those that have ended."""

    def see(
        self, symbol: str, missing: Decimal, reason: Callable[[], str] = lambda: "", *, too_few: bool = False
    ) -> None:
        """So many shares of a symbol are without a stop now; ``reason`` is asked where that is news.

        They are ``too_few`` where the venue takes no order for them.
        """
        if too_few:
            self._too_few.add(symbol)
        else:
            self._too_few.discard(symbol)
        if missing > 0 and symbol not in self._open:
            why = f"{digits(missing)} {unit_of(symbol)} without a working stop"
            self._open[symbol] = (self._now(), why)
            told = "; ".join(filter(None, (why, reason())))
            log.info("%s: %s", symbol, told, extra=about(EventKind.UNPROTECTED, symbol, reason=told))
        elif missing <= 0 and symbol in self._open:
            since, why = self._open.pop(symbol)
            self.intervals.append(UnprotectedInterval(symbol, since, self._now(), why))
            seconds = self.intervals[-1].seconds
            event = about(EventKind.UNPROTECTED, symbol, over=True, seconds=seconds)
            log.info("%s: nothing of it is without a stop any more, after %.1f s", symbol, seconds, extra=event)

    @property
    def present(self) -> dict[str, str]:
        """Symbols with shares that no stop covers now, and why."""
        return {symbol: why for symbol, (_, why) in dict(self._open).items()}

    @property
    def protectable(self) -> frozenset[str]:
        """Those of the present for which the venue would take an order: each moment counts for them."""
        return frozenset(self.present.keys() - self._too_few)

    def seconds(self, symbol: str) -> float:
        """How long a symbol has been without a stop now; 0 if it isn't."""
        since = self._open.get(symbol)
        return 0.0 if since is None else (self._now() - since[0]).total_seconds()
