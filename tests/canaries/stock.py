"""Hand-written bars and scripted orders through Lumibot's own classes, nothing of this package between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from lumibot.backtesting import BacktestingBroker, PandasDataBacktesting
from lumibot.entities import Asset, Data, Order
from lumibot.strategies import Strategy
from lumibot.traders import Trader

from config.values.markets import NEW_YORK

Bar = tuple[float, float, float, float]
Fill = tuple[str, float, float]
Action = Callable[[Any], Any]
Script = Mapping[int, Action]
QUIET: Bar = (100.0, 101.0, 99.0, 100.0)
FIRST_DAY = "2024-03-04"
COLUMNS = ["open", "high", "low", "close"]
LEAD = timedelta(minutes=1)


def still(observed: object, defect: object, right: object, workaround: Callable[..., Any]) -> None:
    """Pass while stock Lumibot behaves as known; say what to do once it doesn't.

    Parameters
    ----------
    observed, defect, right : object
        What stock Lumibot did, what the pinned version does, and what would be correct.
    workaround : callable
        Where this package makes up for the defect.
    """
    assert right != defect, "a defect that equals the right behaviour is none"
    place = f"{workaround.__module__}.{workaround.__qualname__}"
    if observed == right:
        pytest.fail(f"the defect is gone: the work-around {place} can go (Lumibot now gives {right})", pytrace=False)
    if observed != defect:
        pytest.fail(
            f"Lumibot changed and is still not right, review the work-around {place}: "
            f"now {observed}, before {defect}, right would be {right}",
            pytrace=False,
        )


def daily(bars: Sequence[Bar]) -> pd.DataFrame:
    """One bar per weekday from 2024-03-04 on, stamped midnight New York as stock daily frames are."""
    return _frame(bars, pd.bdate_range(FIRST_DAY, periods=len(bars), tz=NEW_YORK))


def intraday(minutes: int, *days: Sequence[Bar]) -> pd.DataFrame:
    """Bars of the given length from 09:30 New York on, one sequence per weekday from 2024-03-04 on."""
    opens = [
        day + timedelta(hours=9, minutes=30 + minutes * number)
        for day, bars in zip(pd.bdate_range(FIRST_DAY, periods=len(days), tz=NEW_YORK), days, strict=True)
        for number in range(len(bars))
    ]
    return _frame([bar for bars in days for bar in bars], pd.DatetimeIndex(opens))


def _frame(bars: Sequence[Bar], opens: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame(bars, columns=COLUMNS, index=opens).assign(volume=1000.0)


class Scripted(Strategy):
    """Does ``script[n]`` in its n-th iteration (from 0); notes its ``times`` and the ``fills`` it is told of."""

    def initialize(self) -> None:
        self.sleeptime = self.parameters["sleeptime"]
        self.minutes_before_closing = 0
        self.times: list[datetime] = []
        self.fills: list[Fill] = []
        self.after_close = self.parameters["after_close"]

    def on_trading_iteration(self) -> None:
        action = self.parameters["script"].get(len(self.times))
        self.times.append(self.get_datetime())
        if action is not None:
            action(self)

    def after_market_closes(self) -> None:
        action, self.after_close = self.after_close, None
        if action is not None:
            action(self)

    def on_filled_order(self, position: Any, order: Order, price: float, quantity: float, multiplier: float) -> None:
        self.fills.append(("buy" if order.is_buy_order() else "sell", float(quantity), float(price)))


def pandas_source(
    frame: pd.DataFrame, kind: type[PandasDataBacktesting] = PandasDataBacktesting, lead: timedelta = LEAD
) -> Any:
    """A stock source over all bars, begun ``lead`` before the first; bars from midnight on are daily."""
    step = "day" if frame.index[0].hour == 0 else "minute"
    data = Data(Asset("X"), frame, timestep=step, quote=Asset("USD", "forex"))
    return kind(
        datetime_start=(frame.index[0] - lead).to_pydatetime(),
        datetime_end=frame.index[-1].to_pydatetime(),
        pandas_data={Asset("X"): data},
        show_progress_bar=False,
    )


def run_stock(
    source: Any,
    script: Script,
    *,
    sleeptime: str = "1D",
    after_close: Action | None = None,
    stop_stream: bool = True,
    **options: Any,
) -> Any:
    """Run the script on a stock source and broker with 10,000 USD; returns the strategy with its notes.

    Parameters
    ----------
    source : DataSourceBacktesting
        Symbol X and the window of the run.
    script : mapping of int to callable
        What to do in which iteration.
    sleeptime : str, default="1D"
        In Lumibot's notation.
    after_close : callable, optional
        What to do after the first close.
    stop_stream : bool, default=True
        End the run's thread, which Lumibot leaves behind.
    **options
        Passed on to the strategy.
    """
    quiet = {"benchmark_asset": None, "risk_free_rate": 0.0, "analyze_backtest": False}
    strategy = Scripted(
        BacktestingBroker(source),
        budget=10_000,
        parameters={"script": script, "sleeptime": sleeptime, "after_close": after_close},
        backtesting_start=source.datetime_start,
        backtesting_end=source.datetime_end,
        include_cash_positions=True,
        **(quiet | options),
    )
    # Unset, Lumibot works out 130 years of holidays first.
    strategy._executor._market_type_cache["NASDAQ"] = False
    trader = Trader(backtest=True, quiet_logs=True)
    trader.add_strategy(strategy)
    try:
        trader.run_all(show_plot=False, show_tearsheet=False, save_tearsheet=False, show_indicators=False)
    finally:
        if stop_stream:
            strategy.broker.stream.stop()
    return strategy


def bracket(quantity: float, stop: float, target: float, side: str = "buy") -> Action:
    return send(
        quantity, side, order_class="bracket", secondary_stop_price=stop, secondary_limit_price=target,
        time_in_force="gtc",
    )  # fmt: skip


def send(quantity: float, side: str, **more: Any) -> Action:
    return lambda strategy: strategy.submit_order(strategy.create_order("X", quantity, side, **more))


def both(*actions: Action) -> Action:
    return lambda strategy: [action(strategy) for action in actions]
