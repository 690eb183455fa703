"""Subclasses of the strategy: parameters of their own, fills and dividends that they hear of."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import pytest
from lumibot.backtesting import YahooDataBacktesting
from lumibot.tools.yahoo_helper import YahooHelper

from backtests import embedded
from config import Refusal
from strategies.combined import CombinedStrategy
from tests.lumibot_usage.scripts import MANY, PARAMETERS, QUIET, backtest, same


class Declaring(CombinedStrategy):
    """A user's subclass with parameters of its own, declared the two ways that Lumibot knows."""

    parameters = {"window": 20, "profile": "swing"}  # noqa: RUF012  # Lumibot's own way

    def initialize(self, fee_note: str = "") -> None:
        super().initialize()
        self.told = (fee_note, self.parameters["window"], self.settings.exits.model)


class Inheriting(Declaring):
    parameters = {"more": 1}  # noqa: RUF012  # as above


def test_a_subclass_has_parameters_of_its_own():
    short = {"config": [embedded.OVERLAY], "window": 30, "fee_note": "mine"}
    assert backtest(Declaring, parameters=short).told == ("mine", 30, "atr")
    assert backtest(Declaring, parameters={"config": [embedded.OVERLAY]}).told == ("", 20, "atr")
    assert backtest(Inheriting, parameters=PARAMETERS | {"window": 5, "more": 2}).told == ("", 5, "fixed")
    # What it reads without a word is its own affair, unless it looks like one of ours.
    assert backtest(Declaring, parameters=PARAMETERS | {"more": 2}).parameters["more"] == 2
    for name, hint in (("profle", "did you mean profile"), ("symbols", "universe.symbols")):
        with pytest.raises(Refusal, match=f"parameters: {name} is not read by Declaring; .*{hint}.*class attribute"):
            backtest(Declaring, parameters=PARAMETERS | {name: "NVDA"})


class Listening(CombinedStrategy):
    """A user's subclass with callbacks and an iteration of its own."""

    def initialize(self) -> None:
        super().initialize()
        self.heard: list[tuple[str, float, float]] = []
        self.ended: list[str] = []
        self.worth: list[float] = []

    def on_trading_iteration(self) -> None:
        super().on_trading_iteration()
        self.worth.append(self.get_portfolio_value())
        last = self.get_historical_prices("NVDA", 2, "day").df.index[-1]
        assert last.date() < self.get_datetime().date(), "a daily bar is shown only after it has closed"

    def on_filled_order(self, position: Any, order: Any, price: float, quantity: float, multiplier: float) -> None:
        self.heard.append((order.asset.symbol, float(quantity), float(price)))

    def on_canceled_order(self, order: Any) -> None:
        self.ended.append(order.asset.symbol)

    def on_strategy_end(self) -> None:
        self.finished = self.get_portfolio_value()


def test_a_subclass_hears_every_fill_once_and_what_it_is_worth(many):
    done = backtest(Listening, parameters=PARAMETERS | {"set": MANY})
    same(done.record, many)
    filled = [o for o in many.orders if o.status == "filled"]
    assert sorted(done.heard) == sorted((o.symbol, o.filled_quantity, o.filled_price) for o in filled)
    assert len(done.ended) == sum(o.status in ("cancelled", "expired") for o in many.orders)
    held = {p.asset.symbol: float(p.quantity) for p in done.get_positions() if p.asset.symbol != "USD"}
    assert held == {s: p.quantity for s, p in done.broker.ledger.positions.items()} != {}
    assert float(done.cash) == pytest.approx(many.equity[-1].cash)
    # At an opening the close before counts, after the run the last close.
    equity = [row.equity for row in many.equity]
    assert done.worth == pytest.approx([many.initial_equity, *equity[:-1]])
    assert done.finished == done.get_portfolio_value() == pytest.approx(equity[-1]) != equity[-2]


class Receiver(CombinedStrategy):
    """Buys at the opening of the first day and sells at that of the third."""

    def on_trading_iteration(self) -> None:
        self.desk.reconcile()
        day = len(self.record.equity)
        if day in (0, 2):
            self.submit_order(self.create_order("NVDA", 10, "sell" if day else "buy", time_in_force="day"))


@pytest.fixture
def paying(tmp_path, monkeypatch) -> Any:
    """Fills Lumibot's Yahoo cache with the embedded bars; takes NVDA's dividends by day."""
    from backtests.data import yahoo_cache

    monkeypatch.setattr(YahooHelper, "LUMIBOT_YAHOO_CACHE_FOLDER", str(tmp_path))
    monkeypatch.setattr(YahooHelper, "CACHING_ENABLED", True)

    def fill(dividends: dict[str, float]) -> None:
        yahoo_cache.fill(embedded.daily())
        frame = YahooHelper.check_pickle_file("NVDA", "1d").data
        for day, amount in dividends.items():
            frame.loc[frame.index.strftime("%Y-%m-%d") == day, "Dividends"] = amount
        YahooHelper.dump_pickle_file("NVDA", "1d", frame)

    return fill


def test_a_dividend_is_for_whom_the_ex_date_finds_holding_and_comes_once(paying):
    paying({"2022-06-01": 1.0, "2022-06-02": 10.0, "2022-06-03": 100.0, "2022-06-06": 1000.0})
    window = (datetime.fromisoformat("2022-06-01"), datetime.fromisoformat("2022-06-10"))
    done = Receiver.run_backtest(
        YahooDataBacktesting, *window, parameters=PARAMETERS, benchmark_asset=None, **QUIET
    )[1]  # fmt: skip
    bought, sold = done.record.orders
    assert [f"{o.filled_time:%m-%d}" for o in (bought, sold)] == ["06-01", "06-03"]
    cash = [row.cash for row in done.record.equity]
    gained = [round(after - before, 4) for before, after in itertools.pairwise(cash)]
    price = 10 * sold.filled_price
    assert gained[0] == 100 and gained[1] == pytest.approx(1000 + price, abs=10) and not any(gained[2:])
    assert done.record.dividends == 1100 and float(done.cash) == pytest.approx(cash[-1])
    assert done.record.equity[-1].equity == cash[-1]
