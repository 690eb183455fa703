"""What a backtest's account is wired from, whichever loop drives it: features, pipeline, account and desk."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brokers.backtest.desk import BacktestDesk, CashHolder, OrderMaker
from brokers.backtest.order_life import OrderLife
from brokers.record import RunRecord
from config import Refusal, Settings
from market.bar_tables import by_trading_day
from market.bars import BarTable
from market.features import FeatureTable
from market.market import Market
from market.sectors import inverse_funds
from market.trading_day import use_day_of
from strategies.adapt_to_bars import decision_bars, fit
from strategies.pipeline import Pipeline
from strategies.registry import build_pipeline
from strategies.run_notes import absent_symbols, lacking, nothing_to_trade, unknown, without_faults

log = logging.getLogger(__name__)
EXCHANGES = ("NASDAQ", "NYSE")


class BacktestFeed:
    """Snapshots of the features at the broker's clock: the last closed bar, never a forming one."""

    def __init__(self, broker: OrderLife, features: FeatureTable) -> None:
        self._broker = broker
        self.features = features

    def snapshot(self) -> Market:
        return self.features.market_at_row(self.row(), self._broker.datetime)

    def row(self) -> int:
        """Row of the newest bar that is decided on and complete now; -1 if none is."""
        return self._broker.decided_row()


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
        if strategy.broker.market in EXCHANGES:
            strategy._executor._market_type_cache.setdefault(strategy.broker.market, False)


def wire(
    cash_holder: CashHolder,
    broker: OrderLife,
    orders: OrderMaker,
    settings: Settings,
    bars: BarTable,
    dividends: Mapping[int, Mapping[str, float]],
    end: datetime,
    submit: bool = True,
    pipeline: Pipeline | None = None,
    columns: dict[str, Any] | None = None,
) -> BacktestAccount:
    """Open the account of a backtest with ``broker`` on ``bars``.

    Parameters
    ----------
    cash_holder : CashHolder
        See ``BacktestDesk``.
    broker : OrderLife
    orders : OrderMaker
        Makes the orders that the broker takes.
    settings : Settings
    bars : BarTable
    dividends : mapping
        USD a share, by row of the ex-date and symbol.
    end : datetime
        Last moment of the run.
    submit : bool
        False records decisions and sends nothing.
    pipeline : Pipeline, optional
        Built from the settings by default.
    columns : dict of str to ndarray, optional
        Features of these bars that are known from an earlier run; new ones are added.

    Raises
    ------
    Refusal
        If a module is unknown, a setting is wrong or can't work on these bars, or they hold none of the universe.
    """
    use_day_of(settings.pace.day)
    bars = by_trading_day(bars)
    pipeline = build_pipeline(settings) if pipeline is None else pipeline
    notes = (*fit(pipeline, bars, settings), *_notes(bars, pipeline, settings, end))
    for note in notes:
        log.warning("%s", note)
    decided = decision_bars(bars, settings)
    # Columns that were computed before are of these bars, not of days made of them.
    known = columns if decided is bars else None
    features = FeatureTable(decided, pipeline.needs(), settings.universe.sectors, known)
    record = RunRecord(initial_equity=float(cash_holder.cash))
    lot = settings.sizing.lot
    broker.open_account(
        bars,
        float(cash_holder.cash),
        settings.fills,
        settings.policy_gate,
        record,
        lot,
        settings.sizing.max_notional_frac,
        inverse_funds(settings.universe.sectors),
        dividends,
        decided,
    )
    desk = BacktestDesk(
        broker,
        cash_holder,
        orders,
        lot,
        pipeline.halters,
        submit,
        settings.live.protection.renew_days,
        settings.pace.market,
    )
    return BacktestAccount(desk, BacktestFeed(broker, features), pipeline, record, pace(bars), notes)


def _notes(bars: BarTable, pipeline: Pipeline, settings: Settings, end: datetime) -> tuple[str, ...]:
    """What the bars lack for this pipeline; a refusal if that is everything."""
    wanted = settings.universe.traded
    absent = lacking(bars, pipeline.symbols(), end)
    missing, helpers = absent_symbols(absent, pipeline)
    if not set(wanted) & set(bars.symbols):
        raise Refusal(nothing_to_trade(bars.source, wanted, "universe.symbols"))
    return (*unknown(missing, wanted), *helpers, *without_faults(bars.left_out))


def pace(bars: BarTable) -> str:
    """One iteration per bar: on longer steps resting orders would be seen late, on shorter ones nothing is new."""
    return "1D" if bars.daily else f"{bars.minutes}M"
