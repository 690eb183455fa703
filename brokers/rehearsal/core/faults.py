"""Seeded mishaps inside the venue; those of the network belong to the server in front of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import Literal

SHARE_STEP = Decimal("0.000000001")


@dataclass(slots=True)
class FaultPlan:
    """Which mishaps happen how often; each ``_frac`` is a probability per occasion, all off by default.

    Parameters
    ----------
    seed : int, default=0
    partial_fill_frac : float, default=0
        Executions that fill only a part; Alpaca's paper venue does so in 0.1 of all.
    late_release_frac : float, default=0
        Cancels after which the held shares come back ``late_release`` later than usual.
    late_release : timedelta, default=5 s
    cancel_race_frac : float, default=0
        Accepted cancels that find the order filled.
    cancel_delay_frac : float, default=0
        Cancels that take a while, in which the order goes on working: a fill wins the race.
    cancel_delay_s : tuple of float, default=(0.3, 2)
        Shortest and longest such cancel, seconds of the venue.
    replace_refused_frac : float, default=0
        Accepted replaces that the venue then refuses.
    silent_sibling_cancel : bool, default=False
        The stop that a filled take-profit cancels is not reported on the stream, as was seen at Alpaca.
    legs_beside_others : {"arm", "reserve"}, default="arm"
        What becomes of a bracket's exits when its entry has filled while other exits hold shares of the same
        position: armed for the entry's full quantity, so that together they exceed the position, or only for the
        shares that nobody else holds (cancelled where there are none).
    surplus_stop_goes_short : bool, default=True
        Whether an exit of a group that exceeds the position turns it round; else it fills what is there. An order
        that was declared to close never turns a position round.
    partial_pause : timedelta, default=0
        How long the rest of an order that filled in part waits before any of it can fill.
    stops_stick : {"", "untriggered", "unfilled"}, default=""
        Stops whose price is reached are not triggered, or are triggered and do not fill, while this is set.
    """

    seed: int = 0
    partial_fill_frac: float = 0.0
    late_release_frac: float = 0.0
    late_release: timedelta = field(default=timedelta(seconds=5))
    cancel_race_frac: float = 0.0
    replace_refused_frac: float = 0.0
    silent_sibling_cancel: bool = False
    cancel_delay_frac: float = 0.0
    cancel_delay_s: tuple[float, float] = (0.3, 2.0)
    legs_beside_others: Literal["arm", "reserve"] = "arm"
    surplus_stop_goes_short: bool = True
    partial_pause: timedelta = field(default=timedelta(0))
    stops_stick: Literal["", "untriggered", "unfilled"] = ""
    _random: Random = field(init=False, repr=False)
    _delays: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        # Of their own, so that a slow cancel shifts no other chance.
        self._delays = Random(f"cancel delays {self.seed}")

    def part(self, quantity: Decimal, lot: Decimal = SHARE_STEP) -> Decimal:
        """How much of ``quantity`` fills now: all of it, or some lots of it; whole units stay whole."""
        if self._random.random() >= self.partial_fill_frac:
            return quantity
        whole = quantity == quantity.to_integral_value()
        smallest = Decimal(1) if whole else lot
        share = (quantity * Decimal(repr(self._random.random()))).quantize(smallest, ROUND_DOWN)
        return min(max(share, smallest), quantity)

    def extra_release_delay(self) -> timedelta:
        """How much longer than usual held shares take to come back."""
        return self.late_release if self._random.random() < self.late_release_frac else timedelta(0)

    def fill_races_cancel(self) -> bool:
        """Whether an accepted cancel finds the order filled."""
        return self._random.random() < self.cancel_race_frac

    def cancel_delay(self) -> timedelta:
        """How long a cancel takes beyond the venue's next step."""
        if self._delays.random() >= self.cancel_delay_frac:
            return timedelta(0)
        return timedelta(seconds=self._delays.uniform(*self.cancel_delay_s))

    def refuses_replace(self) -> bool:
        """Whether an accepted replace is refused after all."""
        return self._random.random() < self.replace_refused_frac
