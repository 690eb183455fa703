"""A subclass that buys everything, by every kind of order, ends at the exposure that the rules allow."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lumibot.backtesting import PandasDataBacktesting, YahooDataBacktesting
from lumibot.entities import Asset, Data
from lumibot.tools.yahoo_helper import YahooHelper

from backtests import embedded
from backtests.data import yahoo_cache
from strategies.combined import CombinedStrategy

DAYS = pd.bdate_range("2024-03-04", periods=9)
SYMBOLS = [f"S{k}" for k in range(6)]
EQUITY = 100_000
BUFFER = 0.40
CENT = 0.02
"""USD that a tick may round away."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Lumibot writes ./logs whatever it is told."""
    monkeypatch.chdir(tmp_path)


def priced(seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    opens = np.round(random.uniform(20, 200) * np.exp(np.cumsum(random.normal(0, 0.02, len(DAYS)))), 2)
    closes = np.round(opens * np.exp(random.normal(0, 0.01, len(DAYS))), 2)
    high, low = np.maximum(opens, closes) * 1.01, np.minimum(opens, closes) * 0.99
    return pd.DataFrame({"open": opens, "high": high, "low": low, "close": closes, "volume": 1e6}, index=DAYS)


class BuysEverything(CombinedStrategy):
    """Sends orders of falling size for every symbol until the gate has taken what it takes."""

    def on_trading_iteration(self) -> None:
        super().on_trading_iteration()
        self.buy("iteration")

    def before_market_closes(self) -> None:
        self.buy("before the close")

    def after_market_closes(self) -> None:
        self.buy("after the close")

    def buy(self, when: str) -> None:
        random = np.random.default_rng(len(self.record.orders))
        for symbol in random.permutation(SYMBOLS).tolist():
            price = self.broker.quote(symbol)
            for share in (0.5, 0.105, 0.1, 0.05, 0.01):
                quantity = int(share * self.broker.equity() / price)
                if quantity:
                    self.submit_order(self.create_order(symbol, quantity, **self.parameters["kind"](price)))


def market(price: float) -> dict[str, Any]:
    return {"side": "buy"}


def limit(price: float) -> dict[str, Any]:
    return {"side": "buy", "limit_price": round(price * 1.01, 2), "time_in_force": "gtc"}


def stop(price: float) -> dict[str, Any]:
    return {"side": "buy", "stop_price": round(price * 1.005, 2)}


def bracket(price: float) -> dict[str, Any]:
    exits = {"secondary_stop_price": round(price * 0.95, 2), "secondary_limit_price": round(price * 1.2, 2)}
    return {"side": "buy", "order_class": "bracket", **exits}


def short(price: float) -> dict[str, Any]:
    return {"side": "sell_short"}


class BuysAssets(BuysEverything):
    """The same, with assets of a kind in the place of symbols."""

    def buy(self, when: str) -> None:
        for symbol in SYMBOLS:
            quantity = int(0.1 * self.broker.equity() / self.broker.quote(symbol))
            self.submit_order(self.create_order(self.parameters["kind"](symbol), quantity, "buy"))


def play(kind: Any, strategy: type[CombinedStrategy] = BuysEverything, **settings: Any) -> Any:
    frames = {Asset(s): Data(Asset(s), priced(k), timestep="day") for k, s in enumerate([*SYMBOLS, "SPY"])}
    _, done = strategy.run_backtest(
        PandasDataBacktesting,
        datetime.fromisoformat("2024-03-04"),
        datetime.fromisoformat("2024-03-16"),
        pandas_data=frames,
        budget=EQUITY,
        parameters={"profile": "active", "set": settings, "kind": kind},
        analyze_backtest=False,
        show_progress_bar=False,
        quiet_logs=True,
        save_stats_file=False,
    )
    return done


@pytest.mark.parametrize("kind", [market, limit, stop, bracket, short])
def test_no_day_no_symbol_and_no_cash_beyond_the_limits(kind):
    done = play(kind, **{"risk.modules.cash_buffer.buffer_frac": BUFFER})
    equity = {row.time.date(): row for row in done.record.equity}
    days = [DAYS[0].date(), *equity]
    before = {day: EQUITY if n == 0 else equity[days[n]].equity for n, day in enumerate(equity)}
    opened: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for order in done.record.orders:
        if order.role == "entry" and order.status == "filled":
            opened[order.filled_time.date()][order.symbol] += order.filled_quantity * order.filled_price
    assert len(opened) >= 2, "it bought on several days"
    for day, by_symbol in opened.items():
        assert sum(by_symbol.values()) <= 0.21 * before[day] * 1.005 + CENT
        assert max(by_symbol.values()) <= 0.105 * before[day] * 1.005 + CENT
    total = defaultdict(float)
    for by_symbol in opened.values():
        assert len(by_symbol.keys() - total.keys()) <= 2, "new positions of a day"
        for symbol, usd in by_symbol.items():
            total[symbol] += usd
    if kind is not bracket:  # whose exits make room for another entry
        assert max(total.values()) <= 0.105 * max(before.values()) * 1.02
    assert max(sum(o.values()) for o in opened.values()) > 0.15 * EQUITY, "and as much as the rules would"
    if kind is not short:
        # Cash falls with entries alone; the buffer is a share of what the account was worth when they were sent.
        assert min(row.cash / before[day] for day, row in equity.items()) >= BUFFER - 0.005
    codes = {order.reason.partition(":")[0] for order in done.record.orders if order.status == "rejected"}
    assert "GATE_ORDER_NOTIONAL" in codes and codes & {"GATE_NEW_POSITIONS", "GATE_DAY_NOTIONAL"}


def test_an_asset_that_lumibot_takes_no_cash_for_is_refused():
    """A crypto asset named like a share was filled for nothing: equity and limits grew by what was bought."""
    done = play(lambda symbol: Asset(symbol, asset_type="crypto"), BuysAssets)
    orders = done.record.orders
    assert len(orders) >= len(SYMBOLS) and {order.status for order in orders} == {"rejected"}
    assert {order.reason for order in orders} == {
        "VENUE_ASSET: crypto assets are not simulated; order by the symbol alone"
    }
    assert {row.equity for row in done.record.equity} == {EQUITY}


def test_money_limits_hold_beside_the_fractions():
    done = play(market, **{"gate.max_order_notional_usd": 4_000, "gate.max_day_notional_usd": 6_000})
    opened: dict[Any, float] = defaultdict(float)
    for order in done.record.orders:
        if order.status == "filled" and order.role == "entry":
            assert order.filled_quantity * order.filled_price <= 4_000
            opened[order.filled_time.date()] += order.filled_quantity * order.filled_price
    assert opened and max(opened.values()) <= 6_000


WIDE = {
    "gate.max_new_positions": 20, "gate.max_order_notional_frac": 0.2, "gate.max_day_notional_frac": 4.0,
    "gate.min_cash_frac": 0.0,
}  # fmt: skip


class BuysAndWaits(CombinedStrategy):
    """Buys at market, and leaves a limit far below that a crash would fill."""

    def on_trading_iteration(self) -> None:
        super().on_trading_iteration()
        for symbol in SYMBOLS:
            price = self.broker.quote(symbol)
            quantity = int(0.099 * self.broker.equity() / price)
            self.submit_order(self.create_order(symbol, quantity, "buy"))
            low = round(price * 0.6, 2)
            self.submit_order(self.create_order(symbol, 1, "buy", limit_price=low, time_in_force="gtc"))


def test_a_halt_stops_a_subclass_too_and_ends_what_waits():
    """Twelve per cent lost on the seventh day: no order of anybody opens a position for five sessions."""
    days = pd.bdate_range("2024-03-04", periods=16)
    price = np.where(np.arange(16) < 7, 100.0, 80.0)
    bars = {"open": price, "high": price * 1.001, "low": price * 0.999, "close": price, "volume": 1e6}
    frame = pd.DataFrame(bars, index=days)
    frame.loc[days[8:9], "low"] = 50.0
    frames = {Asset(s): Data(Asset(s), frame, timestep="day") for s in (*SYMBOLS, "SPY")}
    _, strategy = BuysAndWaits.run_backtest(
        PandasDataBacktesting,
        datetime.fromisoformat("2024-03-04"),
        datetime.fromisoformat("2024-03-26"),
        pandas_data=frames,
        budget=EQUITY,
        parameters={"profile": "active", "set": WIDE},
        analyze_backtest=False,
        show_progress_bar=False,
        quiet_logs=True,
        save_stats_file=False,
    )
    record = strategy.record
    (begun,) = {halt.time for halt in record.halts if halt.module == "peak_halt"}
    ended = days[days.get_loc(pd.Timestamp(begun.date())) + 5].date()
    during = [o for o in record.orders if begun.date() <= o.time.date() < ended]
    assert len(during) == 5 * 12 and {o.status for o in during} == {"rejected"}
    assert {o.reason for o in during} == {"DESK_STOPPED: halted for this session by peak_halt"}
    waited = [o for o in record.orders if o.status == "cancelled" and o.reason.startswith("DESK_STOPPED")]
    assert waited and all(o.limit_price == 60.0 for o in waited)
    opened = [o.filled_time.date() for o in record.orders if o.filled_time is not None and o.role == "entry"]
    assert opened and not [day for day in opened if begun.date() <= day < ended]
    assert any(o.time.date() >= ended and o.status == "filled" for o in record.orders), "then it goes on"


class BuysTheEmbedded(BuysEverything):
    """The same on the symbols of the settings."""

    def buy(self, when: str) -> None:
        for symbol in self.settings.universe.symbols:
            price = self.broker.quote(symbol)
            for share in (0.5, 0.105, 0.1, 0.05):
                if quantity := int(share * self.broker.equity() / price):
                    self.submit_order(self.create_order(symbol, quantity, **self.parameters["kind"](price)))


def test_in_a_yahoo_backtest_it_ends_at_the_same_exposure(tmp_path, monkeypatch):
    monkeypatch.setattr(YahooHelper, "LUMIBOT_YAHOO_CACHE_FOLDER", str(tmp_path))
    monkeypatch.setattr(YahooHelper, "CACHING_ENABLED", True)
    yahoo_cache.fill(embedded.daily())
    _, strategy = BuysTheEmbedded.run_backtest(
        YahooDataBacktesting,
        datetime.fromisoformat("2022-06-01"),
        datetime.fromisoformat("2022-06-15"),
        budget=EQUITY,
        parameters={"profile": "active", "config": [embedded.OVERLAY], "kind": market},
        benchmark_asset=None,
        analyze_backtest=False,
        show_progress_bar=False,
        quiet_logs=True,
        save_stats_file=False,
    )
    equity = {row.time.date(): row.equity for row in strategy.record.equity}
    opened: dict[Any, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for order in strategy.record.orders:
        if order.role == "entry" and order.status == "filled":
            opened[order.filled_time.date()][order.symbol] += order.filled_quantity * order.filled_price
    assert len(opened) >= 3, "it bought on several days"
    for day, by_symbol in opened.items():
        assert sum(by_symbol.values()) <= 0.21 * equity[day] * 1.02 and len(by_symbol) <= 4
        assert max(by_symbol.values()) <= 0.105 * equity[day] * 1.02
    codes = {order.reason.partition(":")[0] for order in strategy.record.orders if order.status == "rejected"}
    assert {"GATE_ORDER_NOTIONAL", "GATE_DAY_NOTIONAL"} <= codes
