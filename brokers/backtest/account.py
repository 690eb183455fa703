"""Opens a backtest: bars from the source, features, pipeline, account and desk, wired together."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brokers.backtest.broker import BarFillBroker
from brokers.backtest.desk import BacktestDesk
from brokers.backtest.source import dividends_of, table_of
from brokers.record import RunRecord
from config import Refusal, Settings
from market.bars import BarTable
from market.features import FeatureTable
from market.market import Market
from market.sectors import inverse_funds
from strategies.adapt_to_bars import fit
from strategies.pipeline import Pipeline
from strategies.registry import build_pipeline
from strategies.run_notes import absent_symbols, lacking, nothing_to_trade, unknown, without_faults

log = logging.getLogger(__name__)
EXCHANGES = ("NASDAQ", "NYSE")


class BacktestFeed:
    """Snapshots of the features at the broker's clock: the last closed bar, never a forming one."""

    def __init__(self, broker: BarFillBroker, features: FeatureTable) -> None:
        self._broker = broker
        self.features = features

    def snapshot(self) -> Market:
        return self.features.market_at_row(self._broker.closed_row(), self._broker.datetime)


@dataclass(frozen=True, slots=True)
class BacktestAccount:
    """Everything ``CombinedStrategy`` needs in a backtest.

    ``sleeptime`` is one bar, in Lumibot's notation; ``notes`` is what a reader of the figures must know.
    """

    desk: BacktestDesk
    feed: BacktestFeed
    pipeline: Pipeline
    record: RunRecord
    sleeptime: str
    notes: tuple[str, ...]

    def spare_lumibot(self, strategy: Any) -> None:
        """Keep Lumibot's loop from work whose result nobody reads."""
        # That stock markets close at night it would learn from 130 years of holidays.
        if self.desk.broker.market in EXCHANGES:
            strategy._executor._market_type_cache.setdefault(self.desk.broker.market, False)


def open_backtest(strategy: Any, broker: BarFillBroker, settings: Settings, submit: bool = True) -> BacktestAccount:
    """Wire a backtest for ``strategy`` on ``broker``.

    Raises
    ------
    Refusal
        If a module is unknown, a setting is wrong or can't work on these bars, or the source has none of the universe.
    """
    pipeline = build_pipeline(settings)
    symbols = tuple(dict.fromkeys([*pipeline.symbols(), settings.universe.benchmark]))
    bars = table_of(broker.data_source, symbols, frozenset(symbols) - frozenset(settings.universe.traded))
    notes = (*fit(pipeline, bars, settings), *_notes(bars, pipeline, settings, broker.data_source.datetime_end))
    for note in notes:
        log.warning("%s", note)
    features = FeatureTable(bars, pipeline.needs(), settings.universe.sectors)
    record = RunRecord(initial_equity=float(strategy.cash))
    lot = settings.sizing.lot
    broker.open_account(
        bars, float(strategy.cash), settings.fills, settings.gate, record, lot, settings.sizing.max_notional_frac,
        inverse_funds(settings.universe.sectors), dividends_of(broker.data_source, bars),
    )  # fmt: skip
    desk = BacktestDesk(broker, strategy, lot, pipeline.halters, submit, settings.live.protection.renew_days)
    return BacktestAccount(desk, BacktestFeed(broker, features), pipeline, record, pace(bars), notes)


def _notes(bars: BarTable, pipeline: Pipeline, settings: Settings, end: datetime) -> tuple[str, ...]:
    """What the bars lack for this pipeline; a refusal if that is everything."""
    wanted = settings.universe.traded
    absent = lacking(bars, pipeline.symbols(), end)
    missing, helpers = absent_symbols(absent, pipeline)
    if not set(wanted) & set(bars.symbols):
        raise Refusal(nothing_to_trade(bars.source, wanted, "universe.symbols"))
    return (*unknown(missing), *helpers, *without_faults(bars.left_out))


def pace(bars: BarTable) -> str:
    """One iteration per bar: on longer steps resting orders would be seen late, on shorter ones nothing is new."""
    return "1D" if bars.daily else f"{bars.minutes}M"
