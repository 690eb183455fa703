"""One account over consecutive windows with settings of their own; what is open at a seam keeps its old ones."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from backtests.replay.engine import ReplayRun
from backtests.replay.scores import TableEnsemble
from config import Settings
from market.bars import BarTable
from market.features import FeatureTable
from market.market import Market
from risk.model import Adjustment, Book, Plan
from strategies.adapt_to_bars import decision_bars, fit
from strategies.pipeline import Pipeline, later, strictest
from strategies.registry import build_pipeline


@dataclass(frozen=True, slots=True)
class Segment:
    """From ``start`` on these settings decide on entries."""

    start: pd.Timestamp
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Decider:
    pipeline: Pipeline
    features: FeatureTable


class SegmentedRun(ReplayRun):
    """Runs the first segment's account through all of them.

    At a seam nothing is closed: a position is managed by the settings it was opened under until it is gone, and
    counts for the new ones' limits like any other. Brackets rest where they were.

    Parameters
    ----------
    segments : sequence of Segment
        Ascending; they share account and fills. The gate is the present segment's.
    table : BarTable
    end : Timestamp
        Last bar that is decided on.
    columns : dict of str to ndarray
        Features of the table; new ones are added.
    """

    def __init__(
        self, segments: Sequence[Segment], table: BarTable, end: pd.Timestamp, columns: dict[str, Any]
    ) -> None:
        super().__init__(segments[0].settings, table, segments[0].start, end, columns=columns, brief=True)
        self._seams = [segment.start for segment in segments]
        self._deciders = [_Decider(self.pipeline, self.feed.features)]
        self._deciders += [self._decider(segment, table, columns) for segment in segments[1:]]
        self._current = 0

    def decide(self, now: datetime, book: Book) -> Plan:
        """The current window's entries and adjustments, and older windows' adjustments of what they opened."""
        self._current = bisect_right(self._seams, pd.Timestamp(now)) - 1
        row = self.feed.row()
        decider = self._deciders[self._current]
        owners = {s: bisect_right(self._seams, pd.Timestamp(p.entry_time)) - 1 for s, p in book.positions.items()}
        self.desk.halters, self.broker.gate = decider.pipeline.halters, decider.pipeline.gate
        plan = decider.pipeline.decide(decider.features.market_at_row(row, now), book)
        older = sorted({owner for owner in owners.values() if owner != self._current})
        if not older:
            return plan
        kept = [
            a
            for a in plan.adjustments
            if owners.get(a.symbol, self._current) == self._current or a.symbol in plan.funding
        ]
        for owner in older:
            mine = self._adjustments(self._deciders[owner], row, now, book)
            kept += [a for a in mine if owners.get(a.symbol) == owner]
        return replace(plan, adjustments=tuple(kept))

    @staticmethod
    def _adjustments(decider: _Decider, row: int, now: datetime, book: Book) -> list[Adjustment]:
        market: Market = decider.features.market_at_row(row, now)
        if market.empty:
            return []
        return strictest(
            a for module in decider.pipeline.chain for a in module.manage(book, market) if later(a, book, market)
        )

    @staticmethod
    def _decider(segment: Segment, table: BarTable, columns: dict[str, Any]) -> _Decider:
        pipeline = build_pipeline(segment.settings)
        fit(pipeline, table, segment.settings)
        pipeline.brief = True
        decided = decision_bars(table, segment.settings)
        known = columns if decided is table else None
        features = FeatureTable(decided, pipeline.needs(), segment.settings.universe.sectors, known)
        eligible = np.array([symbol in pipeline.universe for symbol in table.symbols], dtype=bool)
        pipeline.ensemble = TableEnsemble(pipeline.ensemble, features, eligible)
        return _Decider(pipeline, features)
