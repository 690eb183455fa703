"""For how long shares were without a stop at the venue, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

ANSWERING, RESTARTED = "the venue answers", "after a restart"
CLOSING, NO_ANSWER, HELD = (
    "the position is being closed",
    "an answer was lost or late",
    "the venue holds shares or orders",
)
SILENT, NO_PROCESS, DATABASE = "the stream loses events", "there is no process", "the database is away"


@dataclass
class Lot:
    """Shares that have been unprotected for as long as one another."""

    since: datetime
    quantity: Decimal
    causes: set[str]


@dataclass
class Unprotected:
    """For how long shares were without a stop at the venue, by cause; a spell may have several.

    Shares are told apart by when they lost their stop or were bought: those that have waited longest are covered first.
    """

    lots: dict[str, list[Lot]] = field(default_factory=dict)
    spells: list[tuple[str, float, frozenset[str]]] = field(default_factory=list)

    def look(self, symbol: str, held: Decimal, stopped: Decimal, now: datetime, causes: set[str]) -> None:
        """So many shares are held now, and so many of them are protected."""
        lots = self.lots.setdefault(symbol, [])
        before, was = self._seen.get(symbol, (Decimal(0), Decimal(0)))
        self._seen[symbol] = held, stopped
        # What left the position, or got a stop, is taken from the oldest; what came, or lost one, is new.
        gone = max(before - held, Decimal(0)) + max(stopped - was, Decimal(0))
        if (come := max(held - before, Decimal(0)) + max(was - stopped, Decimal(0))) > 0:
            lots.append(Lot(now, come, set()))
        for lot in lots:
            lot.causes |= causes
        while gone > 0 and lots:
            taken = min(gone, lots[0].quantity)
            gone, lots[0].quantity = gone - taken, lots[0].quantity - taken
            if not lots[0].quantity:
                self._end(symbol, lots.pop(0), now)
        if stopped >= held:
            for lot in lots:
                self._end(symbol, lot, now)
            lots.clear()

    def restart(self, now: datetime, cause: str) -> None:
        """What was open ends with the process; what is open after that begins anew, and is counted by itself."""
        for symbol, lots in self.lots.items():
            for lot in lots:
                lot.causes.add(NO_PROCESS)
                self._end(symbol, lot, now)
                lot.since, lot.causes = now, {cause}

    @property
    def open(self) -> bool:
        """Whether any share is unprotected now."""
        return any(self.lots.values())

    def _end(self, symbol: str, lot: Lot, now: datetime) -> None:
        if now > lot.since:
            self.spells.append((symbol, (now - lot.since).total_seconds(), frozenset(lot.causes)))

    _seen: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
