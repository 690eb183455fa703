"""Hand-written bars, a strategy that sends scripted orders, and the honest broker between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from lumibot.entities import Order
from lumibot.strategies import Strategy
from lumibot.traders import Trader

from brokers.backtest.broker import BarFillBroker
from brokers.backtest.source import CausalPandasData
from brokers.record import RunRecord
from config.schema import Fills, Gate
from market.bar_tables import to_table
from market.bars import BarTable

FREE = Fills(
    market_slippage_bps=0, stop_slippage_bps=0, limit_slippage_bps=0, fee_per_share_usd=0, fee_frac=0,
    cash_interest_frac=0,
)  # fmt: skip
OPEN_GATE = Gate(
    max_order_notional_frac=1, max_day_notional_frac=4, max_order_notional_usd=None, max_day_notional_usd=None,
    max_new_positions=100, max_open_positions=100, min_cash_frac=0, restricted=(), price_collar_frac=1,
)  # fmt: skip
Bar = tuple[float, float, float, float]


def daily_table(**bars: Sequence[Bar | None]) -> BarTable:
    """One row of (open, high, low, close) per weekday from 2024-03-04 on; None leaves a gap."""
    days = pd.bdate_range("2024-03-04", periods=max(map(len, bars.values())))
    rows = [
        (symbol, day, *bar, 1000.0)
        for symbol, series in bars.items()
        for day, bar in zip(days, series, strict=False)
        if bar is not None
    ]
    frame = pd.DataFrame(rows, columns=["symbol", "datetime", "open", "high", "low", "close", "volume"])
    return to_table(frame, list(bars), "hand-written")


def minute_table(minutes: int, days: Sequence[Sequence[Bar]]) -> BarTable:
    """Symbol X with the given bars from 09:30 on for each day from 2024-03-04 on."""
    rows = []
    for day, bars in zip(pd.bdate_range("2024-03-04", periods=len(days)), days, strict=True):
        for number, bar in enumerate(bars):
            at = day.tz_localize("America/New_York") + pd.Timedelta(hours=9, minutes=30 + minutes * number)
            rows.append(("X", at, *bar, 1000.0))
    frame = pd.DataFrame(rows, columns=["symbol", "datetime", "open", "high", "low", "close", "volume"])
    return to_table(frame, ["X"], "hand-written")


class Scripted(Strategy):
    """Calls ``script[n](self)`` in its n-th iteration (from 0)."""

    def initialize(self) -> None:
        self.sleeptime = self.parameters["sleeptime"]
        self.minutes_before_closing = 0
        self.seen = 0
        p = self.parameters
        self.record = RunRecord(initial_equity=float(self.cash))
        self.broker.open_account(p["table"], float(self.cash), p["fills"], p["gate"], self.record)

    def on_trading_iteration(self) -> None:
        action = self.parameters["script"].get(self.seen)
        self.seen += 1
        if action is not None:
            action(self)

    def after_market_closes(self) -> None:
        if self.parameters["after_close"] is not None and not self.record.orders:
            self.parameters["after_close"](self)


def run(
    table: BarTable,
    script: dict[int, Callable[[Any], Any]],
    *,
    cash: float = 10_000,
    fills: Fills = FREE,
    gate: Gate = OPEN_GATE,
    sleeptime: str = "",
    after_close: Callable[[Any], Any] | None = None,
) -> Any:
    """Run the script over every bar of the table; returns the strategy, whose ``record`` tells what happened."""
    opens = table.opens_at.to_pydatetime()
    source = CausalPandasData(table, opens[0], opens[-1], show_progress_bar=False)
    strategy = Scripted(
        BarFillBroker(source),
        budget=cash,
        parameters={
            "table": table, "script": script, "after_close": after_close, "fills": fills, "gate": gate,
            "sleeptime": sleeptime or ("1D" if table.daily else f"{table.minutes}M"),
        },
        backtesting_start=source.datetime_start,
        backtesting_end=source.datetime_end,
        benchmark_asset=None,
        analyze_backtest=False,
        include_cash_positions=True,
        risk_free_rate=0.0,
    )  # fmt: skip
    trader = Trader(backtest=True, quiet_logs=True)
    trader.add_strategy(strategy)
    trader.run_all(show_plot=False, show_tearsheet=False, save_tearsheet=False, show_indicators=False)
    if strategy._executor.exception is not None:
        raise strategy._executor.exception
    process = strategy.broker.ledger
    assert np.isclose(float(strategy.cash), process.cash), "Lumibot's cash and the ledger's must agree"
    return strategy


def bracket(quantity: float, stop: float, target: float, symbol: str = "X", **more: Any) -> Callable[[Any], Order]:
    return lambda s: s.submit_order(
        s.create_order(
            symbol,
            quantity,
            "buy",
            order_class="bracket",
            secondary_stop_price=stop,
            secondary_limit_price=target,
            time_in_force="gtc",
            **more,
        )
    )


def send(quantity: float, side: str, symbol: str = "X", **more: Any) -> Callable[[Any], Order]:
    return lambda s: s.submit_order(s.create_order(symbol, quantity, side, **more))


def fills_of(strategy: Any) -> list[tuple[str, float, float]]:
    """(role, quantity, price) of every fill, in order of filling."""
    done = [o for o in strategy.record.orders if o.status == "filled"]
    done.sort(key=lambda o: o.filled_time)
    return [(o.role, o.filled_quantity, o.filled_price) for o in done]
