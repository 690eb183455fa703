"""Data and benchmark of a script: what they lack is noted, and a bar whose prices are none is missing."""

from __future__ import annotations

import logging

import pandas as pd
import pytest
from lumibot.backtesting import PandasDataBacktesting
from lumibot.tools.indicators import _prepare_tearsheet_returns
from lumibot.tools.yahoo_helper import YahooHelper

from backtests import embedded
from strategies.combined import CombinedStrategy
from tests.lumibot_usage.scripts import END, MANY, PARAMETERS, START, backtest, frames, same


class Holder(CombinedStrategy):
    """Holds the benchmark and nothing else."""

    def on_trading_iteration(self) -> None:
        self.desk.reconcile()
        if self.first_iteration:
            self.submit_order(self.create_order("NVDA", 300, "buy", time_in_force="gtc"))


def test_the_benchmark_is_read_when_the_strategy_is():
    overrides = {
        "gate.max_order_notional_frac": 1.0, "gate.max_day_notional_frac": 1.0, "gate.min_cash_frac": 0.0,
        "fills.market_slippage_bps": 0,
    }  # fmt: skip
    done = backtest(Holder, benchmark_asset="NVDA", parameters=PARAMETERS | {"set": overrides})
    assert done.record.orders[0].status == "filled"
    assert done._benchmark_asset == "NVDA"
    returns = _prepare_tearsheet_returns(done._strategy_returns_df, done._benchmark_returns_df)
    assert len(returns) > 250
    assert returns["strategy"].corr(returns["benchmark"]) > 0.99
    shifted = returns["strategy"].corr(returns["benchmark"].shift(-1))
    assert abs(shifted) < 0.3, "a day apart, nothing would be left of it"


def test_the_benchmark_frame_has_lumibot_s_form(tmp_path, monkeypatch):
    from lumibot.tools.indicators import get_symbol_returns

    from backtests.data import yahoo_cache

    monkeypatch.setattr(YahooHelper, "LUMIBOT_YAHOO_CACHE_FOLDER", str(tmp_path))
    monkeypatch.setattr(YahooHelper, "CACHING_ENABLED", True)
    bars = embedded.daily()
    yahoo_cache.fill(bars[bars.symbol == "NVDA"], hold=True)
    theirs = get_symbol_returns("NVDA", START, END)
    frame = backtest(benchmark_asset="NVDA")._benchmark_returns_df
    assert {"return", "symbol_cumprod"} <= set(frame.columns) and frame.index.tz is not None
    assert frame["symbol_cumprod"].iloc[0] == 1
    # Theirs is stamped at the close, ours at the next opening, when the strategy's own value is noted.
    ours = frame["symbol_cumprod"].pct_change().dropna().to_numpy()
    assert ours[1:] == pytest.approx(theirs["symbol_cumprod"].pct_change().dropna().to_numpy()[:-1], abs=1e-9)


def test_data_without_any_benchmark_run_and_say_so(empty_folder, caplog):
    bars = embedded.daily()
    given = frames(bars[bars.symbol.isin(["NVDA", "AAPL"])])
    wanted = MANY | {"universe.symbols": ["NVDA", "AAPL"], "risk.chain": ["cash_buffer"]}
    parameters = {"profile": "active", "set": wanted}
    done = CombinedStrategy.run_backtest(
        PandasDataBacktesting, START, END, pandas_data=given, parameters=parameters, quiet_logs=True
    )[1]
    assert done.record.orders
    assert "no tearsheet: the data hold no bars of the benchmark SPY" in caplog.text


def test_what_the_data_lack_is_noted_and_logged(caplog):
    caplog.set_level(logging.INFO)
    bars = embedded.daily()
    late = bars[(bars.symbol == "MSFT") & (bars.datetime > "2022-12-31")]
    given = frames(pd.concat([bars[bars.symbol.isin(["NVDA", "AAPL", "SPY"])], late]))
    wanted = {"universe.symbols": ["NVDA", "AAPL", "MSFT", "ZILCH"], "risk.chain": ["cash_buffer", "inverse_hedge"]}
    done = backtest(pandas_data=given, parameters={"profile": "active", "set": wanted})
    assert any(note.startswith("not known to the source: MSFT, ZILCH; traded: ") for note in done.notes)
    assert any(note.endswith("which rules only watch or hedge with") for note in done.notes)
    assert set(done.notes) <= {record.message for record in caplog.records}


FAULTS = {
    "zero": {"open": 0.0, "high": 0.0, "low": 0.0, "close": 0.0},
    "negative": {"open": -5.0, "high": -5.0, "low": -5.0, "close": -5.0},
    "low of zero": {"low": 0.0},
    "infinite high": {"high": float("inf")},
    "high below the close": {"high": 0.01},
    "no close": {"close": float("nan")},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_bar_whose_prices_are_none_is_as_good_as_missing(many, fault):
    held = next(t for t in many.trades if t.symbol == "NVDA" and (t.exit_time - t.entry_time).days > 5)
    bars = embedded.daily()
    day = pd.Timestamp(held.entry_time.date()) + pd.offsets.BDay(2)
    bad = (bars.symbol == "NVDA") & (bars.datetime == day)
    assert bad.sum() == 1
    parameters = PARAMETERS | {"set": MANY}
    faulty = bars.assign(**{k: bars[k].where(~bad, v) for k, v in fault.items()})
    done = backtest(pandas_data=frames(faulty), parameters=parameters)
    same(done.record, backtest(pandas_data=frames(bars[~bad]), parameters=parameters).record)
    (note,) = [note for note in done.notes if "left out" in note]
    assert note.endswith("at odds with each other: NVDA (1)")
