"""Runs risk modules on a position of X in the honest broker, over hand-written bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from brokers.backtest.desk import BacktestDesk
from market.bars import BarTable
from market.features import FeatureTable
from risk.interface import RiskModule
from risk.model import Plan
from strategies.pipeline import strictest
from tests.brokers.harness import daily_table, run

Bar = tuple[float, float, float, float]


class Seen(NamedTuple):
    """What is held at the opening of a bar, after the modules have acted."""

    best: float
    stop: float
    quantity: float
    protected: float


def managed(table: BarTable, enter: Callable[[Any], Any], *modules: RiskModule, **options: Any) -> tuple[Any, list]:
    """Enter at the first bar, let the modules manage at every later one; the strategy, and what was seen there."""
    features = FeatureTable(table, (), {})
    seen: list[Seen | None] = []

    def step(s: Any) -> None:
        desk = BacktestDesk(s.broker, s)
        book = desk.reconcile()
        market = features.market_at_row(s.broker.closed_row(), s.broker.datetime)
        changes = strictest(change for module in modules for change in module.manage(book, market))
        desk.execute(Plan(book.time, tuple(changes)))
        held = s.broker.ledger.positions.get("X")
        seen.append(held and Seen(held.best_price, held.stop, held.quantity, s.broker.protected_quantity("X")))

    strategy = run(table, {0: enter, **dict.fromkeys(range(1, len(table)), step)}, **options)
    return strategy, seen


def short_bracket(quantity: float, stop: float, target: float, **more: Any) -> Callable[[Any], Any]:
    return lambda s: s.submit_order(
        s.create_order(
            "X",
            quantity,
            "sell_short",
            order_class="bracket",
            secondary_stop_price=stop,
            secondary_limit_price=target,
            time_in_force="gtc",
            **more,
        )
    )


def daily_x(bars: list[Bar | None], short: bool = False) -> BarTable:
    """Daily bars of X, for a short those of a price that moves the other way around 100; None is a missing one."""
    if short:
        bars = [bar and (200 - bar[0], 200 - bar[2], 200 - bar[1], 200 - bar[3]) for bar in bars]
    return daily_table(X=bars, OTHER=[(10.0, 10.0, 10.0, 10.0)] * len(bars))
