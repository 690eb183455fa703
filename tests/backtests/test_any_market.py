"""Whatever the market does and however the limits are set, no promise is broken at any bar."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtests.checks.audit import audit
from backtests.engine import run_table
from config import load
from market.bar_tables import to_table
from strategies.combined import CombinedStrategy
from tests.backtests.market import TRADED, market


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    volatility=st.sampled_from([0.005, 0.02, 0.05]),
    jumps=st.sampled_from([0, 0.03]),
    gaps=st.sampled_from([0, 0.05]),
    profile=st.sampled_from(["active", "swing"]),
    budget=st.sampled_from([2_000.0, 30_000.0, 1_000_000.0]),
    notional=st.sampled_from([0.05, 0.1, 0.2]),
    execute=st.integers(1, 5),
    day_frac=st.sampled_from([0.1, 0.2, 0.6]),
    buffer=st.sampled_from([0.0, 0.15, 0.6]),
    slippage=st.sampled_from([0, 5, 80]),
)
def test_no_promise_is_broken(
    seed, volatility, jumps, gaps, profile, budget, notional, execute, day_frac, buffer, slippage
):
    table = market(seed, volatility, jumps, gaps)
    chosen = load(
        profile,
        overrides={
            "account.budget_usd": budget,
            "universe.symbols": list(TRADED),
            "universe.sectors": {symbol: "left" if k % 2 else "right" for k, symbol in enumerate(TRADED)},
            "universe.benchmark": "AAA",
            "signals.enabled": ["mean_reversion", "momentum", "trend"],
            "selection.execute": execute,
            "sizing.max_notional_frac": notional,
            "gate.max_order_notional_frac": 1.0,
            "gate.max_day_notional_frac": 4.0,
            "gate.max_new_positions": 10,
            "risk.modules.sector_cap.max_share_frac": 0.6,
            "risk.modules.cash_buffer.buffer_frac": buffer,
            "risk.modules.exposure_budget.day_frac": day_frac,
            "risk.modules.exposure_budget.day_positions": 4,
            "risk.modules.exposure_budget.week_frac": max(day_frac, 0.5),
            "fills.market_slippage_bps": slippage,
            "fills.stop_slippage_bps": slippage,
            "fills.fee_per_share_usd": 0.01,
        },
    )
    result = run_table(CombinedStrategy, chosen, table, table.opens_at[30], table.opens_at[-1])
    assert audit(result.record, table, chosen).violations == ()
    # With gaps a symbol's last bar may be missing, and with it what could trigger a stop: the audit counts these.
    assert gaps or result.record.protected_bars == result.record.position_bars


def test_around_the_clock_every_decision_falls_on_the_opening_of_a_bar():
    hours = pd.date_range("2023-01-02", periods=24 * 40, freq="h", tz="UTC")
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(hours))))
    frame = pd.DataFrame({"symbol": "COIN", "datetime": hours, "open": close, "close": close, "volume": 1.0})
    frame["high"], frame["low"] = close * 1.002, close * 0.998
    # Hours in which nothing was traded are not there.
    frame = frame.drop(index=[400, 401, 650])
    table = to_table(frame, ("COIN",), "random")
    chosen = load(
        overrides={
            "universe.symbols": ["COIN"], "universe.benchmark": "COIN", "pace.market": "24/7", "sizing.lot": 0.001,
            "risk.chain": ["cash_buffer"],
        }
    )  # fmt: skip
    for first in (0, 200, 402, 650):
        start, end = table.opens_at[first], table.opens_at[-1]
        result = run_table(CombinedStrategy, chosen, table, start, end)
        times = {decision.time for decision in result.record.decisions}
        assert times
        assert times <= set(table.opens_at.to_pydatetime())
        opening = {order.filled_time for order in result.record.orders if order.role == "entry" and order.filled_time}
        assert opening <= times
