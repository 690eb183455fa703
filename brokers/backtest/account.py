"""Opens a Lumibot backtest: the bars of its data source, an account on them and a desk that sends Lumibot's orders."""

from __future__ import annotations

from typing import Any

from brokers.backtest.broker import BarFillBroker
from brokers.backtest.lumibot_orders import LumibotOrders
from brokers.backtest.opening import BacktestAccount, wire
from brokers.backtest.source import dividends_of, table_of
from config import Settings
from strategies.registry import build_pipeline


def open_backtest(strategy: Any, broker: BarFillBroker, settings: Settings, submit: bool = True) -> BacktestAccount:
    """Wire a backtest for ``strategy`` on ``broker``.

    Raises
    ------
    Refusal
        If a module is unknown, a setting is wrong or can't work on these bars, or the source has none of the universe.
    """
    pipeline = build_pipeline(settings)
    source = broker.data_source
    symbols = tuple(dict.fromkeys([*pipeline.symbols(), settings.universe.benchmark]))
    bars = table_of(source, symbols, frozenset(symbols) - frozenset(settings.universe.traded))
    orders, dividends = LumibotOrders(strategy.name), dividends_of(source, bars)
    return wire(strategy, broker, orders, settings, bars, dividends, source.datetime_end, submit, pipeline)
