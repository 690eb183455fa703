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


@dataclass(frozen=True, slots=True)
class WeeklyBudget:
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
        charge = now._open(symbol)
        if charge is None:
            return replace(now, day_usd=day_usd, charges=(*now.charges, Charge(symbol, day, usd)))
        return replace(now._with(charge, replace(charge, usd=charge.usd + usd)), day_usd=day_usd)

    def reduced(self, symbol: str, notional: float, day: date) -> WeeklyBudget:
        """Free a part that was sold, so that two halves free what the whole would have freed.

        ``notional`` is the sold quantity at the position's entry price: at the sale's price a winner would free
        more than was charged. A symbol that isn't charged frees nothing.
        """
        usd = _amount(notional)
        now = self.rolled(max(day, self.day))
        charge = now._open(symbol)
        return now if charge is None else now._with(charge, replace(charge, usd=max(0.0, charge.usd - usd)))

    def closed(self, symbol: str, day: date) -> WeeklyBudget:
        """Free the dollars of a position; it stays in the counts. A symbol that isn't charged frees nothing."""
        now = self.rolled(max(day, self.day))
        charge = now._open(symbol)
        if charge is None:
            return now
        return now._with(charge, replace(charge, usd=0.0, closed=max(day, charge.opened)))._pruned()

    def rolled(self, day: date) -> WeeklyBudget:
        """The bill at the beginning of session ``day``.

        Raises
        ------
        ValueError
            ``day`` is an earlier session.
        """
        if day < self.day:
            raise ValueError(f"the budget is of {self.day}, it cannot go back to {day}")
        return self if day == self.day else replace(self, day=day, day_usd=0.0)._pruned()

    def deployed(self, day: date) -> DeployedBudget:
        """What counts in session ``day``.

        The sums are a copy: a desk that takes one per scan makes a close that was booked before the scan count
        as freed in it, and one that happens during the scan only in the next.
        """
        now = self.rolled(day)
        return DeployedBudget(
            day=day,
            day_usd=now.day_usd,
            day_positions=sum(c.opened == day for c in now.charges),
            week_usd=math.fsum(c.usd for c in now.charges),
            week_positions=len(now.charges),
        )

    def _open(self, symbol: str) -> Charge | None:
        return next((c for c in self.charges if c.symbol == symbol and c.closed is None), None)

    def _with(self, old: Charge, new: Charge) -> WeeklyBudget:
        return replace(self, charges=tuple(new if c is old else c for c in self.charges))

    def _pruned(self) -> WeeklyBudget:
        week = _week(self.day)
        return replace(self, charges=tuple(c for c in self.charges if c.closed is None or _week(c.closed) >= week))
