"""The halts of a record: which rule ended entries when, until when, and how many proposals it refused meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from brokers.record import HaltRecord, RunRecord
from config.values.counting import counted

SHOWN = 5
"""Halts that a screen lists; of earlier ones it says how many there were."""


@dataclass(frozen=True, slots=True)
class HaltScore:
    """One halt; ``refused`` counts the proposals that the rule refused from its beginning on, up to its next halt."""

    rule: str
    began: datetime
    until: datetime
    refused: int

    @property
    def text(self) -> str:
        """The halt as it is read."""
        span = f"{self.began:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"
        return f"halted by {self.rule} {span}, refused {self.refused:,d}"


def halt_scores(halts: Iterable[HaltRecord], refusals: Iterable[tuple[str, datetime]]) -> list[HaltScore]:
    """The halts, the latest first; ``refusals`` are the rule and the time of each refused proposal."""
    ordered = sorted(halts, key=lambda halt: halt.time)
    found: Counter[int] = Counter()
    for rule, time in refusals:
        begun = [place for place, halt in enumerate(ordered) if halt.module == rule and halt.time <= time]
        if begun:
            found[begun[-1]] += 1
    return [HaltScore(h.module, h.time, h.until, found[place]) for place, h in enumerate(ordered)][::-1]


def refusals_of(record: RunRecord) -> Iterator[tuple[str, datetime]]:
    """Which rule refused a proposal when."""
    for decision in record.decisions:
        if decision.verdicts and decision.verdicts[-1].refused:
            yield decision.verdicts[-1].module, decision.time


def halts_told(halts: Sequence[tuple[str, int]]) -> list[str]:
    """A line for each of the latest halts, and one for those before them; of each its text and what it refused."""
    earlier = halts[SHOWN:]
    refused = sum(count for _, count in earlier)
    rest = [f"and {counted(len(earlier), 'earlier halt')}, refused {refused:,d}"] if earlier else []
    return [*(text for text, _ in halts[:SHOWN]), *rest]
