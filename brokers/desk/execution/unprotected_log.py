"""The times in which shares of ours were without a working stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.quantities import NOTHING, digits
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


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares that have been without a stop since the same moment: ``bought`` then, or their stop ended."""

    since: datetime
    quantity: Decimal
    bought: bool


class UnprotectedLog:
    """Measures unprotected times.

    Shares are told apart by when they were bought or lost their stop, and those that have waited longest are covered
    first: an entry that fills in parts, each of them protected in time, was never without a stop for longer than that.

    Parameters
    ----------
    now : callable
        The venue's time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lots: dict[str, tuple[Lot, ...]] = {}
        self._why: dict[str, str] = {}
        self._seen: dict[str, tuple[Decimal, Decimal]] = {}
        self._longest: dict[str, float] = {}
        self._too_few: set[str] = set()
        self.intervals: list[UnprotectedInterval] = []
        """Those that have ended, each of one lot."""

    def see(
        self,
        symbol: str,
        held: Decimal,
        protected: Decimal,
        reason: Callable[[], str] = lambda: "",
        *,
        too_few: bool = False,
        doubted: bool = False,
    ) -> None:
        """So many shares of a symbol are held now and so many of them protected; ``reason`` is asked where it is news.

        They are ``too_few`` where the venue takes no order for them, ``doubted`` where the cancel of their stop has no
        answer.
        """
        if too_few:
            self._too_few.add(symbol)
        else:
            self._too_few.discard(symbol)
        missing, now = held - protected, self._now()
        # By a clock that was far ahead and is back they have waited for less than nothing: no alarm would come.
        before = tuple(replace(lot, since=min(lot.since, now)) for lot in self._lots.get(symbol, ()))
        lots, ended = _moved(before, self._seen.get(symbol, (NOTHING, NOTHING)), (held, protected), now)
        self._seen[symbol] = held, protected
        if lots:
            lacks = "may have no stop, the cancel of theirs has no answer" if doubted else "without a working stop"
            self._why[symbol] = f"{digits(missing)} {unit_of(symbol, missing)} {lacks}"
            self._lots[symbol] = lots
        else:
            self._lots.pop(symbol, None)
        for lot in ended:
            self._end(symbol, lot)
        if lots and not before:
            told = "; ".join(filter(None, (self._why[symbol], reason())))
            log.info("%s: %s", symbol, told, extra=about(EventKind.UNPROTECTED, symbol, reason=told))
        elif before and not lots:
            seconds = self._longest.pop(symbol)
            event = about(EventKind.UNPROTECTED, symbol, over=True, seconds=seconds)
            log.info("%s: nothing of it is without a stop any more, after %.1f s", symbol, seconds, extra=event)
        if not held:
            self._seen.pop(symbol)

    def _end(self, symbol: str, lot: Lot) -> None:
        spell = UnprotectedInterval(symbol, lot.since, self._now(), self._why[symbol])
        self.intervals.append(spell)
        self._longest[symbol] = max(self._longest.get(symbol, 0.0), spell.seconds)

    @property
    def present(self) -> dict[str, str]:
        """Symbols with shares that no stop covers now, and why."""
        return {symbol: self._why[symbol] for symbol in list(self._lots)}

    @property
    def waiting(self) -> dict[str, str]:
        """The same, and how many of them have waited for ``seconds`` where others came later."""
        found = {}
        for symbol, why in self.present.items():
            lots = self._lots.get(symbol, ())
            found[symbol] = f"{why}, {digits(lots[0].quantity)} of them" if len(lots) > 1 else why
        return found

    @property
    def protectable(self) -> frozenset[str]:
        """Those of the present for which the venue would take an order: each moment counts for them."""
        return frozenset(self.present.keys() - self._too_few)

    def seconds(self, symbol: str) -> float:
        """For how long those shares of a symbol have waited that have waited longest; 0 if none is without a stop."""
        lots = self._lots.get(symbol)
        return max((self._now() - lots[0].since).total_seconds(), 0.0) if lots else 0.0

    def since_bought(self, symbol: str) -> float | None:
        """The same where these shares are without a stop since they were bought; None where their stop has ended."""
        lots = self._lots.get(symbol)
        return self.seconds(symbol) if lots and lots[0].bought else None


def _moved(
    lots: tuple[Lot, ...], before: tuple[Decimal, Decimal], seen: tuple[Decimal, Decimal], now: datetime
) -> tuple[tuple[Lot, ...], list[Lot]]:
    """What is without a stop after a change of what is held and what is protected, and the lots that this has ended."""
    (was_held, was_protected), (held, protected) = before, seen
    bought, lost = held - was_held, was_protected - protected
    waiting = [*lots, *(Lot(now, quantity, quantity is bought) for quantity in (bought, lost) if quantity > 0)]
    # What was sold or got a stop are those that have waited longest.
    gone = sum((lot.quantity for lot in waiting), NOTHING) - max(held - protected, NOTHING)
    ended: list[Lot] = []
    while gone > 0:
        first = waiting.pop(0)
        if first.quantity > gone:
            waiting.insert(0, replace(first, quantity=first.quantity - gone))
        else:
            ended.append(first)
        gone -= first.quantity
    # Of shares that are bought with their stop nothing was ever missing.
    return tuple(waiting), [lot for lot in ended if lot in lots]
