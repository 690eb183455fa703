"""Causal features of a whole universe, computed once per table and looked up by time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from market import indicators
from market.bars import FIELDS, PRICES, BarTable, sane
from market.calendar import nanoseconds
from market.feature_registry import OwnBars, parse
from market.market import Market

ALWAYS = (*FIELDS, "mark", "usable")


def read_only(column: np.ndarray) -> np.ndarray:
    """The column as signals and rules see it: one that writes into what it was given would change every later bar."""
    if isinstance(column, np.ndarray):
        # A view: whoever collects the bars goes on writing into the array itself.
        column = column.view()
        column.flags.writeable = False
    return column


def bars_to_settle(names: Iterable[str], session_bars: int = 1) -> int:
    """History that makes the named features independent of where it began: what a live feed asks for.

    Parameters
    ----------
    names : iterable of str
        Features; columns that are always there need none.
    session_bars : int, default=1
        Bars of a session: 1 for daily bars, 78 for five-minute bars of New York.
    """
    found = [parse(name) for name in names if name not in ALWAYS]
    return max((f.settled_bars * (session_bars if f.entry.by_session else 1) for f in found), default=1)


class FeatureTable:
    """Named feature columns over a bar table; hands out causal views of itself.

    The same class serves a backtest over the full history and a live feed over its last
    ``bars_to_settle`` bars: only recursive averages differ, by what is left of their seed.

    Parameters
    ----------
    bars : BarTable
        The bars; used in place, not copied.
    names : iterable of str
        Features wanted beyond ``open high low close volume mark usable``, e.g. ``rsi_14``.
    sectors : mapping of str to str
        Symbol to sector label.
    known : dict of str to ndarray, optional
        Features of the same bars, computed for an earlier table; new ones are added to it.

    Raises
    ------
    Refusal
        A name that no feature has.
    """

    def __init__(
        self,
        bars: BarTable,
        names: Iterable[str],
        sectors: Mapping[str, str],
        known: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.bars = bars
        self.names = tuple(name for name in dict.fromkeys(names) if name not in ALWAYS)
        self.index = {symbol: k for k, symbol in enumerate(bars.symbols)}
        self._sectors = sectors
        wanted = {name: parse(name) for name in self.names}
        self._first_bars = {name: found.first_bars for name, found in wanted.items() if found.entry.required}
        good = sane(bars)
        computed, usable = self._computed(good, {} if known is None else known)
        mark = indicators.forward_filled(bars.close if good.all() else np.where(good, bars.close, np.nan))
        self._sane = good
        self._times = np.stack([nanoseconds(bars.opens_at), nanoseconds(bars.closes_at)]) / 1e9
        found = {**{name: getattr(bars, name) for name in FIELDS}, **computed, "mark": mark, "usable": usable}
        self.columns: dict[str, np.ndarray] = {name: read_only(column) for name, column in found.items()}

    def _computed(self, good: np.ndarray, known: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The features, and where a symbol has a sane bar and all that are required of them."""
        own = OwnBars(self.bars, good)
        known.update({name: own.on_grid(name) for name in self.names if name not in known})
        computed = {name: known[name] for name in self.names}
        usable = good.copy()
        for name in self._first_bars:
            usable &= np.isfinite(computed[name])
        return computed, usable

    def market_at(self, moment: pd.Timestamp) -> Market:
        """What is known at ``moment``: the last bar closed by then and all before it."""
        return self.market_at_row(self.bars.row_closed_at(moment), moment)

    def market_at_row(self, row: int, time: datetime) -> Market:
        """The view whose last closed bar is ``row``; before the first bar (-1) it holds one row of nothing."""
        return Market(
            time=time,
            row=row,
            symbols=self.bars.symbols,
            index=self.index,
            columns=self.columns if row >= 0 else self._nothing(),
            sectors=self._sectors,
            times=self._times,
        )

    def why_unusable(self, row: int, symbol: str) -> str:
        """Why a symbol makes no order at ``row``, in words; empty when it is usable."""
        k = self.index.get(symbol)
        if k is None:
            return "not in the data"
        if row < 0:
            return "no bar has closed yet"
        if self.columns["usable"][row, k]:
            return ""
        if not self._sane[row, k]:
            return self._why_not_sane(row, k)
        have = int(self._sane[: row + 1, k].sum())
        for name, first_bars in self._first_bars.items():
            if not np.isfinite(self.columns[name][row, k]):
                if have < first_bars:
                    return f"warming up: {name} needs {first_bars} bars, has {have}"
                return f"{name} has no value" + (": no volume in this session yet" if "vwap" in name else "")
        raise AssertionError(f"{symbol} is unusable at row {row} for no reason")

    def too_long_for(self, symbols: Iterable[str], row: int) -> list[str]:
        """Features for which none of ``symbols`` has enough bars up to ``row``."""
        columns = [self.index[symbol] for symbol in symbols if symbol in self.index]
        bars = int(self._sane[: row + 1, columns].sum(axis=0).max(initial=0))
        sessions = int(self.bars.session[row]) + 1 if row >= 0 else 0

        def never(name: str) -> bool:
            found = parse(name)
            if found.entry.required:
                return found.first_bars > (sessions if found.entry.by_session else bars)
            # How many bars make up the next timeframe is up to the data: a week may have two.
            return not np.isfinite(self.columns[name][: row + 1, columns]).any()

        return [name for name in self.names if never(name)]

    def _why_not_sane(self, row: int, k: int) -> str:
        prices = {name: float(getattr(self.bars, name)[row, k]) for name in PRICES}
        if all(np.isnan(price) for price in prices.values()):
            earlier = np.flatnonzero(self._sane[:row, k])
            if not len(earlier):
                return "no bar yet"
            return f"stale since {self.bars.closes_at[earlier[-1]].isoformat()}: the newest bar is missing"
        told = " ".join(f"{name} {price:g}" for name, price in prices.items())
        if not all(np.isfinite(price) for price in prices.values()):
            return f"price is not a number: {told}"
        if min(prices.values()) <= 0:
            return f"price is not positive: {told}"
        return f"high or low contradicts open or close: {told}"

    def _nothing(self) -> dict[str, np.ndarray]:
        width = len(self.bars.symbols)
        nothing = dict.fromkeys(self.columns, np.full((1, width), np.nan))
        return {**nothing, "usable": np.zeros((1, width), bool)}
