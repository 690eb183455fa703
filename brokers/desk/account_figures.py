"""Which reading of equity is believed: one that is far from the last counts once a second one agrees with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from brokers.venue_errors import AccountUnreadable
from brokers.venue_values import NOTHING, VenueAccount

FAR_FRAC = Decimal("0.02")
"""Of equity: a move of so much between two readings is a gap, a payment or a reading that was never true."""
AGREE_S = 3.0
"""The venue's seconds after a reading from which another counts as a second one: sooner it may come from a cache."""

log = logging.getLogger(__name__)


class AccountFigures:
    """Judges readings of the account.

    One that is wrong would fix the equity that a session opened with and the peak, and halt entries for sessions.

    Parameters
    ----------
    local : callable
        This machine's seconds in so many of the venue's.

    Attributes
    ----------
    at_start : Decimal or None
        Equity as it was read before the desk began to look, USD.
    first_counts : bool
        Whether the first reading counts by itself where nothing was read before it.
    """

    def __init__(self, local: Callable[[float], float]) -> None:
        self._local = local
        self.at_start: Decimal | None = None
        self.first_counts = True
        self._odd: Decimal | None = None
        self._odd_at = 0.0

    @property
    def waits_s(self) -> float | None:
        """Local seconds until another reading can settle which one is true; None where none is in doubt."""
        return None if self._odd is None else max(0.0, self._odd_at + self._local(AGREE_S) - time.monotonic())

    def believed(self, read: VenueAccount, known: Decimal | None) -> VenueAccount:
        """The reading, where it counts.

        Parameters
        ----------
        read : VenueAccount
        known : Decimal or None
            Equity that was believed last, USD; None before the first.

        Raises
        ------
        AccountUnreadable
            It is far from what was known, and no other reading agrees with it yet.
        """
        before = self.at_start if known is None else known
        if self.first_counts if before is None else _near(read.equity, before):
            if self._odd is not None:
                log.warning("equity is %.2f USD; the reading of %.2f did not come again", read.equity, self._odd)
            self._odd = None
            return read
        after = "" if before is None else f" after {before:,.2f}"
        if self._odd is None or not _near(read.equity, self._odd):
            self._odd, self._odd_at = read.equity, time.monotonic()
        elif self.waits_s == 0:
            self._odd = None
            log.info("equity is %.2f USD%s, by two readings", read.equity, after)
            return read
        raise AccountUnreadable(
            f"equity {read.equity:,.2f} USD{after} is read again before it counts",
            replace(read, equity=NOTHING, cash=NOTHING),
        )


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= FAR_FRAC * max(abs(one), abs(other))
