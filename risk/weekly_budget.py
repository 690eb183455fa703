"""What was newly deployed this session and this week: the state behind the exposure budget.

The session's dollars and positions are spent for good: nothing that closes on the same day gives them back.
The week counts what is still held, in dollars at entry prices, and every position that was open at some time
in it. It is the ISO week of the session date, so that it ends with its last session, whatever the holidays.
In a new week closed positions are forgotten and those still open stay charged, dollars and count: no position
is charged for longer than it is open and the rest of the week in which it closes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

from risk.model import DeployedBudget


def _week(day: date) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return year, week


def _amount(usd: float) -> float:
    if not (math.isfinite(usd) and usd > 0):
        raise ValueError(f"{usd} is not an amount in USD")
    return float(usd)


@dataclass(frozen=True, slots=True)
class Charge:
    """One position on the week's bill; ``usd`` is the entry notional of what is still held of it."""

    symbol: str
    opened: date
    usd: float
    closed: date | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.usd) and self.usd >= 0):
            raise ValueError(f"{self.symbol} is charged with {self.usd} USD")
        if self.closed is not None and (self.closed < self.opened or self.usd > 0):
            raise ValueError(f"{self.symbol} closed on {self.closed} but opened on {self.opened} or still charged")


class _OpenCharges:
    """Room for where the open charges stand and what they sum up to; no fields: neither compared nor saved."""

    __slots__ = ("_count", "_place", "_sum")
    _count: int
    _place: dict[str, int]
    _sum: DeployedBudget


@dataclass(frozen=True, slots=True)
class WeeklyBudget(_OpenCharges):
    """The bill as of session ``day``; every transition returns a new one.

    A transition for a later session rolls forward first. One for an earlier session, a fill that was missed
    and is booked late, leaves the present session's sums alone and is charged to the week if it reaches into it.

    Parameters
    ----------
    day : date
        Session of the last change.
    day_usd : float
        Opened in that session, in USD at entry prices, whatever closed since.
    charges : tuple of Charge
        Positions charged to the week, in the order they were booked.

    Raises
    ------
    ValueError
        An amount is negative or not a number, a date lies after ``day``, or a symbol is open twice.
    """

    day: date
    day_usd: float = 0.0
    charges: tuple[Charge, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.day_usd) and self.day_usd >= 0):
            raise ValueError(f"{self.day_usd} USD were opened on {self.day}")
        for charge in self.charges:
            if max(charge.opened, charge.closed or charge.opened) > self.day:
                raise ValueError(f"{charge.symbol} was opened or closed after {self.day}")
        still_open = [c.symbol for c in self.charges if c.closed is None]
        if len(set(still_open)) < len(still_open):
            raise ValueError("a symbol is open twice")

    def opened(self, symbol: str, notional: float, day: date) -> WeeklyBudget:
        """Charge a fill that opens a position or adds to one; what is added is no new position."""
        usd = _amount(notional)
        now = self.rolled(max(day, self.day))
        day_usd = now.day_usd + usd if day == now.day else now.day_usd
        place = now._places.get(symbol)
        if place is None:
            charges = now.charges + (Charge(symbol, day, usd),)  # noqa: RUF005  # copies a week's many charges once
            today = now._today + (day == now.day)
            return now._next(day_usd, charges, now._places | {symbol: len(now.charges)}, today=today)
        charge = now.charges[place]
        return now._with(place, Charge(symbol, charge.opened, charge.usd + usd), day_usd)

    def reduced(self, symbol: str, notional: float, day: date) -> WeeklyBudget:
        """Free a part that was sold, so that two halves free what the whole would have freed.

        ``notional`` is the sold quantity at the position's entry price: at the sale's price a winner would free
        more than was charged. A symbol that isn't charged frees nothing.
        """
        usd = _amount(notional)
        now = self.rolled(max(day, self.day))
        place = now._places.get(symbol)
        if place is None:
            return now
        charge = now.charges[place]
        return now._with(place, Charge(symbol, charge.opened, max(0.0, charge.usd - usd)), now.day_usd)

    def closed(self, symbol: str, day: date) -> WeeklyBudget:
        """Free the dollars of a position; it stays in the counts. A symbol that isn't charged frees nothing."""
        now = self.rolled(max(day, self.day))
        place = now._places.get(symbol)
        if place is None:
            return now
        charge = now.charges[place]
        over = Charge(symbol, charge.opened, 0.0, max(day, charge.opened))
        left = now._with(place, over, now.day_usd)
        # The other charges were looked through when the week began.
        return left if _counts(over, _week(now.day)) else left._pruned()

    def rolled(self, day: date) -> WeeklyBudget:
        """The bill at the beginning of session ``day``.

        Raises
        ------
        ValueError
            ``day`` is an earlier session.
        """
        if day < self.day:
            raise ValueError(f"the budget is of {self.day}, it cannot go back to {day}")
        if day == self.day:
            return self
        week = _week(day)
        if week == _week(self.day):
            # Nothing of this week is forgotten before it ends.
            return self._next(0.0, self.charges, self._places, day, today=0)
        charges = tuple([c for c in self.charges if _counts(c, week)])
        return self._next(0.0, charges, {c.symbol: i for i, c in enumerate(charges) if c.closed is None}, day, today=0)

    def deployed(self, day: date) -> DeployedBudget:
        """What counts in session ``day``.

        The sums are a copy: a desk that takes one per scan makes a close that was booked before the scan count
        as freed in it, and one that happens during the scan only in the next.
        """
        now = self.rolled(day)
        return now._sums

    @property
    def _sums(self) -> DeployedBudget:
        """What counts in the session of the last change; gates and books ask between two changes."""
        try:
            return self._sum
        except AttributeError:
            sums = DeployedBudget(
                day=self.day,
                day_usd=self.day_usd,
                day_positions=self._today,
                # What has closed is charged with nothing.
                week_usd=math.fsum([self.charges[place].usd for place in self._places.values()]),
                week_positions=len(self.charges),
            )
            object.__setattr__(self, "_sum", sums)
            return sums

    @property
    def _today(self) -> int:
        """How many positions were opened in the session of the last change."""
        try:
            return self._count
        except AttributeError:
            count = [charge.opened for charge in self.charges].count(self.day)
            object.__setattr__(self, "_count", count)
            return count

    @property
    def _places(self) -> dict[str, int]:
        """Where the charge of each open position stands."""
        try:
            return self._place
        except AttributeError:
            place = {c.symbol: i for i, c in enumerate(self.charges) if c.closed is None}
            object.__setattr__(self, "_place", place)
            return place

    def _with(self, place: int, new: Charge, day_usd: float) -> WeeklyBudget:
        charges = list(self.charges)
        charges[place] = new
        places = self._places
        if new.closed is not None:
            places = {symbol: i for symbol, i in places.items() if i != place}
        return self._next(day_usd, tuple(charges), places, today=self._today)

    def _next(
        self,
        day_usd: float,
        charges: tuple[Charge, ...],
        places: dict[str, int],
        day: date | None = None,
        today: int | None = None,
    ) -> WeeklyBudget:
        """The state after one change of a state that is in order: a week of many positions is not gone through anew."""
        if not math.isfinite(day_usd):
            raise ValueError(f"{day_usd} USD were opened on {self.day}")
        after = object.__new__(WeeklyBudget)
        put = object.__setattr__
        put(after, "day", day or self.day)
        put(after, "day_usd", day_usd)
        put(after, "charges", charges)
        put(after, "_place", places)
        if today is not None:
            put(after, "_count", today)
        return after

    def _pruned(self) -> WeeklyBudget:
        week = _week(self.day)
        return replace(self, charges=tuple(c for c in self.charges if _counts(c, week)))


def _counts(charge: Charge, week: tuple[int, int]) -> bool:
    return charge.closed is None or _week(charge.closed) >= week
