"""The best price that each position has seen, of bars alone: a restart finds the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from market.bars import BarTable, sane
from risk.model import Position


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of a position's bars is in no table any more, and the table that was there last."""

    episode: str
    dropped: float
    bars: BarTable | None


class BestPrices:
    """Finds best prices in the bars that are there, as the venue has corrected them.

    Only of bars that a table has dropped for their age the best is remembered. A bar that is not sane counts as none.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def of(self, position: Position, bars: BarTable | None, split: bool) -> float:
        """The best price of the complete bars since the entry, of its own bar the close alone.

        After a ``split`` since the entry the bars that are there tell alone: what was seen before it, or before the
        venue had adjusted all, may be in old shares.
        """
        episode = f"{position.entry_time.isoformat()} {position.initial_quantity:g}"
        seen = self._seen.get(position.symbol)
        if seen is None or seen.episode != episode or split:
            seen = _Seen(episode, position.entry_price, None)
        before, bars = seen.bars, seen.bars if bars is None else bars
        dropped = seen.dropped
        if before is not None and bars is not None and before is not bars and len(bars):
            dropped = _best(position, before, dropped, bars.opens_at[0])
        self._seen[position.symbol] = _Seen(episode, dropped, bars)
        return dropped if bars is None else _best(position, bars, dropped)

    def keep(self, symbols: Collection[str]) -> None:
        """Forget what is not held any more, with its tables."""
        # A copy: another thread may be asking meanwhile.
        self._seen = {symbol: seen for symbol, seen in self._seen.copy().items() if symbol in symbols}


def _best(position: Position, bars: BarTable, known: float, until: pd.Timestamp | None = None) -> float:
    """The best of what is known and of the bars that begin before a time."""
    if position.symbol not in bars.symbols:
        return known
    entered, long = pd.Timestamp(position.entry_time), position.quantity > 0
    first = int(bars.opens_at.searchsorted(entered))
    last = len(bars) if until is None else int(bars.opens_at.searchsorted(until))
    if last < first:
        return known
    k = bars.symbols.index(position.symbol)
    mine = bars.columns(slice(k, k + 1))
    good = sane(mine)
    prices = [np.where(good, mine.high if long else mine.low, np.nan)[first:last, 0]]
    if first and bars.closes_at[first - 1] > entered:
        prices.append(np.where(good, mine.close, np.nan)[first - 1 : first, 0])
    seen = np.concatenate([*prices, [known]])
    return float(np.nanmax(seen) if long else np.nanmin(seen))
