"""What a comparison of two runs comes to: each difference with its cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pandas as pd


class Cause(StrEnum):
    """Why two decisions differ."""

    DECIDED_EARLIER = "decided_earlier_in_bar"
    DECIDED_AGAIN = "decided_again_in_bar"
    ENTERED_AGAIN = "entered_again_in_bar"
    BOOK = "book_differs"
    HAND = "cash_held_by_hand"
    QUOTE = "quote_differs"
    BARS = "bars_differ"
    FILL = "fill_differs"
    VENUE = "venue_refused"
    HALTED = "halted"
    NO_ITERATION = "no_iteration"
    EDGE_LIVE = "only_in_live: window edge"
    EDGE_BACKTEST = "only_in_backtest: window edge"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision that differs: the opening of the bar it was made in, New York time."""

    bar: pd.Timestamp
    symbol: str
    signal: str
    cause: Cause
    detail: str


@dataclass(slots=True)
class Comparison:
    """What came of it; ``repeated`` live decisions only said again what the first of their bar had said."""

    live: Path
    backtest: Path
    pairs: int = 0
    same: int = 0
    repeated: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Cause]:
        return Counter(d.cause for d in self.differences)

    @property
    def unexplained(self) -> int:
        return self.counts[Cause.UNEXPLAINED]
