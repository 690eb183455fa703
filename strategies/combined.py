"""``CombinedStrategy``: Lumibot's hooks around the pure pipeline, the same class in backtests and live."""

from __future__ import annotations

import logging
from typing import Any

# Before every other module that imports Lumibot, so that it is loaded without what nobody uses.
import brokers.lumibot.backtesting as lean_lumibot
from brokers.backtest.account import open_backtest
from brokers.backtest.broker import BarFillBroker
from brokers.ports import Account, Desk, Feed
from config import Refusal
from market.market import Market
from strategies.idle_settings import rules_left_out, settings_without_effect
from strategies.parameters import refuse_former_attributes, refuse_unknown, settings_from
from strategies.run_notes import fit_of_rules

log = logging.getLogger(__name__)

_FILLS = 'what fills cost is set with parameters={"set": {"fills.fee_frac": 0.001}} and the like'
NOT_TAKEN = {
    "starting_positions": "start in cash",
    "buy_trading_fees": _FILLS,
    "sell_trading_fees": _FILLS,
    "buy_trading_slippages": _FILLS,
    "sell_trading_slippages": _FILLS,
}
"""Lumibot's arguments that would silently change nothing, and what to do instead."""


class CombinedStrategy(lean_lumibot.Strategy):
    """Finds entries, lets the risk chain judge them, and leaves orders to the desk.

    Parameters
    ----------
    broker : lumibot.brokers.Broker
        In a backtest the matching is replaced by an honest one on the same data source.
    parameters : mapping, optional
        ``profile`` (name, default "active"), ``config`` (a YAML file or a list of them), ``set`` (mapping of
        dotted keys to values), or ``settings`` (a loaded ``Settings``, which then decides alone);
        ``submit`` False only records what would be done. Others are refused; a subclass may have its own.

    Examples
    --------
    >>> CombinedStrategy.backtest(YahooDataBacktesting, start, end, parameters={"profile": "swing"})
    """

    _benchmark_asset: Any
    account: Account
    desk: Desk
    feed: Feed
    recorder: Any = None
    """Keeps what a live run decided on, and shows it; None in a backtest."""

    def __init__(self, broker: Any = None, *args: Any, **kwargs: Any) -> None:
        refuse_former_attributes(type(self), CombinedStrategy)
        refuse_unknown(type(self), kwargs.get("parameters") or (), subclassed=type(self) is not CombinedStrategy)
        if isinstance(broker, lean_lumibot.BacktestingBroker):
            for name, way_out in NOT_TAKEN.items():
                if kwargs.get(name):
                    raise Refusal(f"{name}: this strategy's backtests do not read it; {way_out}")
            if not isinstance(broker, BarFillBroker):
                broker = BarFillBroker.replacing(broker)
            # Unset, Lumibot asks the network for a treasury yield.
            if kwargs.get("risk_free_rate") is None:
                kwargs["risk_free_rate"] = 0.0
        super().__init__(broker, *args, **kwargs)

    def initialize(self) -> None:
        """Load the settings and open the account with the broker."""
        self.settings = settings_from(self.parameters)
        account = self._open_account(submit=self.parameters.get("submit", True))
        self.account = account
        self.desk, self.feed, self.pipeline = account.desk, account.feed, account.pipeline
        self.record = account.record
        self.sleeptime = account.sleeptime
        self.minutes_before_closing = 0
        unread, asked_for = settings_without_effect(self.settings), rules_left_out(self.settings)
        for note in unread:
            log.log(logging.INFO if note in asked_for else logging.WARNING, "%s", note)
        self.notes = (*account.notes, *unread)
        self._fit_told = False
        account.spare_lumibot(self)

    def on_trading_iteration(self) -> None:
        """One decision: what we hold, what we see, what follows, and sending it."""
        with self.desk.iteration():
            self.book = self.desk.reconcile()
            market = self.feed.snapshot()
            self._tell_of_fit(market)
            self.plan = self.pipeline.decide(market, self.book)
            if self.recorder is not None:
                self.recorder.snapshots.decided(market, self.book, self.plan)
            self.desk.execute(self.plan)
        if self.recorder is not None:
            self.recorder.iterated()

    def _tell_of_fit(self, market: Market) -> None:
        """Once, at the first readings: what the rules can do little with on this account and these symbols."""
        if not self._fit_told and not market.empty:
            self._fit_told = True
            told = fit_of_rules(self.pipeline, market, self.book.equity)
            self.notes = (*self.notes, *told)
            for note in told:
                log.warning("%s", note)

    def _open_account(self, submit: bool) -> Account:
        if isinstance(self.broker, BarFillBroker):
            return open_backtest(self, self.broker, self.settings, submit)
        # What trading needs is not loaded for a backtest.
        from brokers.desk.lifecycle.session import open_session
        from brokers.desk.lifecycle.wiring import open_live
        from brokers.lumibot.executor_loop import CalmLoop

        session = self.parameters.get("session") or open_session(self.settings, paper=self.broker.is_paper)
        account = open_live(self.broker, self.settings, session, submit)
        CalmLoop(self._executor)
        if submit:
            from brokers.live_state.recorder import StateRecorder

            account.recorder = self.recorder = StateRecorder(self, account, self.settings)
            self.recorder.start()
        return account

    def _update_portfolio_value(self) -> Any:
        # Lumibot would look up each position's last price, which on daily frames is a price of the future.
        if isinstance(self.broker, BarFillBroker) and self.broker.account_open:
            # Lumibot's clock stays at the opening of the last bar; once that is over, its close counts.
            ended = self.broker.ended and self.record.equity
            self._portfolio_value = self.record.equity[-1].equity if ended else self.broker.equity()
            return self._portfolio_value
        return super()._update_portfolio_value()

    def _update_cash_with_dividends(self) -> Any:
        # The broker credits them. Lumibot looks for them once, in bars that end at the first look, so that it never
        # finds a later one; and at an ex-date's opening equity would hold them twice.
        return None if isinstance(self.broker, BarFillBroker) else super()._update_cash_with_dividends()

    def _update_positions_with_splits(self) -> Any:
        # All sources adjust for splits. Lumibot takes Yahoo's prices for raw ones: it would multiply positions
        # and cancel their exits.
        return 0 if isinstance(self.broker, BarFillBroker) else super()._update_positions_with_splits()

    def _dump_benchmark_stats(self) -> None:
        """The benchmark comes from the run's own data; the settings' stands in where they lack the one asked for."""
        if not isinstance(self.broker, BarFillBroker):
            super()._dump_benchmark_stats()
            return
        wanted, fallback = self._benchmark_asset, self.settings.universe.benchmark
        if wanted is None:
            return
        for asset in (wanted, fallback):
            self._benchmark_returns_df = self.broker.benchmark_frame(asset)
            if self._benchmark_returns_df is not None:
                self._benchmark_asset = asset
                return
        self.logger.error(
            "no tearsheet: the data hold no bars of the benchmark %s nor of %s; give benchmark_asset=", wanted, fallback
        )
