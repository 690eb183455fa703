"""A small made-up market and a context on it, for tests of the lab."""

from __future__ import annotations

import itertools

import pandas as pd

from backtests.research.search.trials import TrialContext
from config import load
from market.bars import BarTable
from tests.backtests.replay.tables import table_on

RSI = "signals.modules.mean_reversion.oversold_rsi"
STOP = "signals.modules.mean_reversion.stop_atr"
FAST = "signals.modules.trend.fast_bars"

# Workers tell contexts apart by their key.
_contexts = itertools.count()


def market(bars: int = 320, seed: int = 5) -> BarTable:
    return table_on(pd.bdate_range("2022-01-03", periods=bars), seed)


def context(table: BarTable | None = None, **sets) -> TrialContext:
    table = market() if table is None else table
    settings = load(
        "bench",
        overrides={
            "universe.symbols": list(table.symbols), "universe.benchmark": "AAA", "universe.sectors": {}, RSI: 45.0,
            "risk.modules.overbought_exit.rsi_above": 55.0, **sets,
        },
    )  # fmt: skip
    return TrialContext(
        f"lab-{next(_contexts)}", settings.as_dict(), table, table.opens_at[20], table.opens_at[-1], 252
    )
