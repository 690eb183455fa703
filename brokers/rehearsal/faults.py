"""Seeded mishaps inside the venue; those of the network belong to the server in front of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random

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
    replace_refused_frac : float, default=0
        Accepted replaces that the venue then refuses.
    silent_sibling_cancel : bool, default=False
        The stop that a filled take-profit cancels is not reported on the stream, as was seen at Alpaca.
    """

    seed: int = 0
    partial_fill_frac: float = 0.0
    late_release_frac: float = 0.0
    late_release: timedelta = field(default=timedelta(seconds=5))
    cancel_race_frac: float = 0.0
    replace_refused_frac: float = 0.0
    silent_sibling_cancel: bool = False
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def part(self, quantity: Decimal) -> Decimal:
        """How much of ``quantity`` fills now: all of it, or a share of it; whole shares stay whole."""
        if self._random.random() >= self.partial_fill_frac:
            return quantity
        whole = quantity == quantity.to_integral_value()
        smallest = Decimal(1) if whole else SHARE_STEP
        share = (quantity * Decimal(repr(self._random.random()))).quantize(smallest, ROUND_DOWN)
        return min(max(share, smallest), quantity)

    def extra_release_delay(self) -> timedelta:
        return self.late_release if self._random.random() < self.late_release_frac else timedelta(0)

    def fill_races_cancel(self) -> bool:
        return self._random.random() < self.cancel_race_frac

    def refuses_replace(self) -> bool:
        return self._random.random() < self.replace_refused_frac
