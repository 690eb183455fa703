"""The scene of a bot that somebody wrote on top of this package, and that orders by itself."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from commands.demonstration.bars import PRICES, day_at_the_exchange, two_years
from commands.demonstration.exchange import EQUITY_USD, TRADED, exchange, settle, trader
from commands.demonstration.scene import Scene, Seen, Stage
from config.reading import strict_yaml

DAYS = 12
SHARES = ("MARA", "RIOT", "COIN", "AAPL", "MSFT", "KO", "XOM", "CAT")
TRIES_FRAC = (0.5, 0.10, 0.05)
"""Of the account: the sizes that it tries, one after the other, in everything it sees."""
SYMBOL_FRAC, DAY_FRAC, SLACK = 0.105, 0.21, 0.005
BUFFER_FRAC = 0.15


def buys_everything(stage: Stage, seen: Seen) -> None:
    """In a backtest by Lumibot, and against the exchange."""
    _in_a_backtest(stage, seen)
    _at_the_exchange(stage, seen)


def _in_a_backtest(stage: Stage, seen: Seen) -> None:
    record = backtested(stage)
    filled = [order for order in record.orders if order.role == "entry" and order.status == "filled"]
    opened: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for order in filled:
        opened[order.filled_time.date()][order.symbol] += order.filled_quantity * order.filled_price
    equity = {row.time.date(): row for row in record.equity}
    lowest = min(row.cash / row.equity for row in record.equity)
    shares = [sum(symbols.values()) / equity[day].equity for day, symbols in opened.items()]
    one = max((usd / equity[day].equity for day, symbols in opened.items() for usd in symbols.values()), default=0.0)
    refused = [order for order in record.orders if order.status == "rejected"]
    codes = sorted({order.reason.partition(":")[0] for order in refused})
    day = max(shares, default=0.0)
    seen.say(f"backtest: {len(record.orders)} orders of its own, {len(refused)} refused: {', '.join(codes)}")
    seen.say(f"at most {day:.1%} in a day and {one:.1%} in a share; cash never below {lowest:.0%}")
    seen.check("it bought", filled)
    seen.check("at most 21% in a day", day <= DAY_FRAC + SLACK)
    seen.check("at most 10.5% in a share", one <= SYMBOL_FRAC + SLACK)
    seen.check("at least 15% in cash", lowest >= BUFFER_FRAC - SLACK)


def _at_the_exchange(stage: Stage, seen: Seen) -> None:
    refused: set[str] = set()
    with exchange(day_at_the_exchange({})) as at, trader(at, stage) as of:
        of.iterate()
        for frac in TRIES_FRAC:
            for symbol in TRADED:
                try:
                    of.hours.router.submit(single(symbol, "buy", int(frac * EQUITY_USD / PRICES[symbol]), None))
                except OrderRefused as refusal:
                    refused.add(str(refusal.code).partition(":")[0])
            settle(at, of, looks=2)
        spent = sum(float(quantity) * PRICES[symbol] for symbol, quantity in at.positions().items())
    seen.say(f"at the exchange: {spent / EQUITY_USD:.1%} bought, then {', '.join(sorted(refused))}")
    seen.check("the exchange got at most 21% of orders", 0 < spent <= (DAY_FRAC + SLACK) * EQUITY_USD)


def backtested(stage: Stage) -> Any:
    """The record of a Lumibot backtest in which a subclass orders everything it sees."""
    # Lumibot takes seconds to import, and only this scene needs it.
    from config.process.environment import own_the_run

    own_the_run()
    from lumibot.backtesting import PandasDataBacktesting
    from lumibot.entities import Asset, Data

    from strategies.combined import CombinedStrategy

    class BuysEverything(CombinedStrategy):
        """Orders by itself, past the pipeline."""

        def on_trading_iteration(self) -> None:
            """What the rules decide, and then everything else."""
            super().on_trading_iteration()
            for symbol in SHARES:
                for frac in TRIES_FRAC:
                    price = self.broker.quote(symbol)
                    shares = int(frac * self.broker.equity() / price) if np.isfinite(price) else 0
                    if shares:
                        self.submit_order(self.create_order(symbol, shares, "buy"))

    bars = two_years()
    bars = bars[bars["datetime"] >= sorted(bars["datetime"].unique())[-DAYS]]
    frames = {
        Asset(symbol): Data(
            Asset(symbol), own.set_index("datetime")[["open", "high", "low", "close", "volume"]], timestep="day"
        )
        for symbol, own in bars.groupby("symbol")
    }
    first, last = bars["datetime"].min(), bars["datetime"].max()
    settings = {
        key: strict_yaml.parse(value, key) for key, _, value in (text.partition("=") for text in stage.overrides)
    }
    _, strategy = BuysEverything.run_backtest(
        PandasDataBacktesting,
        first.to_pydatetime(),
        last.to_pydatetime(),
        pandas_data=frames,
        budget=EQUITY_USD,
        parameters={"profile": "active", "set": settings},
        analyze_backtest=False,
        show_progress_bar=False,
        quiet_logs=True,
        save_stats_file=False,
    )
    return strategy.record


SCENES = (
    Scene(
        "own-bot",
        "A bot of one's own that orders past the rules",
        "Rules were lines in one bot; another one with the same keys put 98% to work in a day.",
        "class Mine(CombinedStrategy): … self.submit_order(…)",
        buys_everything,
    ),
)
