"""Which bars the data of a backtest lack, read from the file that the run names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import pandas as pd

from backtests.data.bar_files import data_hash, read_bars
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal

LACK = "the backtest's data lack the bar of"


class MissingBars:
    """Bars that a backtest did not have.

    A venue that trades around the clock serves an hour without trades as a flat bar; a file of bars lacks it. Whoever
    trades live counts such a bar in every average, the backtest does not.

    Parameters
    ----------
    folder : Path
        Of the backtest. Where its data are no file, or the file is gone or has changed since, nothing counts as
        missing: what cannot be looked up proves nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def told(self, symbol: str, opens: Iterable[pd.Timestamp]) -> str:
        """In words the first of some bars, by their openings, that should be in the data and is not; else empty."""
        known = self._opens.get(symbol)
        if known is None:
            return ""
        missing = (at for at in opens if known[0] < at < known[-1] and at not in known)
        at = next(missing, None)
        return "" if at is None else f"; {LACK} {at.tz_convert('UTC'):%m-%d %H:%M} UTC"

    @cached_property
    def _opens(self) -> dict[str, pd.DatetimeIndex]:
        try:
            about = json.loads((self._folder / "run.json").read_text(encoding="utf-8"))
            path = Path(about["data"])
            if not path.is_file() or data_hash(path) != about["data_hash"]:
                return {}
            options = ReadOptions(
                about["date_order"], about["timezone"], decimal=about["decimal"], labels=about.get("labels")
            )
            bars = read_bars(path, options=options)
        except (OSError, ValueError, KeyError, Refusal):
            return {}
        by_symbol = bars.groupby("symbol", observed=True)["datetime"]
        return {str(symbol): pd.DatetimeIndex(times) for symbol, times in by_symbol}
