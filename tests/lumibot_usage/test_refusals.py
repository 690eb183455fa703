"""What a script cannot run is refused in one sentence."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from lumibot.backtesting import PandasDataBacktesting, YahooDataBacktesting
from lumibot.entities import TradingFee
from lumibot.tools.yahoo_helper import YahooHelper

from backtests import embedded
from brokers.backtest import yahoo
from brokers.backtest.source import table_of
from config import Refusal
from strategies.combined import CombinedStrategy
from tests.lumibot_usage.scripts import END, PARAMETERS, QUIET, START, backtest, frames

REFUSED = {
    "starting positions": ({"starting_positions": {"NVDA": 10}}, "starting_positions: this strategy's backtests"),
    "fees": ({"buy_trading_fees": [TradingFee(percent_fee=0.001)]}, "buy_trading_fees: .*fills.fee_frac"),
    "profile": ({"parameters": {"profile": "actve"}}, "there is no such profile; did you mean active"),
    "setting": ({"parameters": {"set": {"sizing.risk_fraction": 0.1}}}, "sizing.risk_fraction is not a setting"),
    "unknown parameter": ({"parameters": {"typo": 1}}, "typo is not read by CombinedStrategy; known here: config, "),
    "near parameter": ({"parameters": {"profle": "swing"}}, "profle is not read .*; did you mean profile"),
    "setting as parameter": (
        {"parameters": {"symbols": ["NVDA"]}},
        'symbols is not read by CombinedStrategy; write {"set": {"universe.symbols": ...}}',
    ),
    "dotted parameter": (
        {"parameters": {"sizing.risk_frac": 0.01}}, 'sizing.risk_frac is not read .*write {"set": {"sizing.risk_frac"',
    ),
    "budget among the settings": (
        {"parameters": {"set": {"account.budget_usd": 5000}}}, r"--set: account.budget_usd is not read .*budget= to",
    ),
    "no bars at all": ({"pandas_data": {}}, "pandas: no bars"),
    "nothing of the universe": (
        {"parameters": PARAMETERS | {"set": {"universe.symbols": ["ZILCH", "NVDQ"]}}},
        "pandas: has no bars of ZILCH, NVDQ, so there is nothing to trade; choose other universe.symbols",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_run_is_refused_in_one_sentence(options, message):
    with pytest.raises(Refusal, match=message):
        backtest(**options)


def test_a_window_without_bars_is_refused():
    window = (datetime.fromisoformat("2024-01-02"), datetime.fromisoformat("2024-02-02"))
    with pytest.raises(Refusal, match="pandas_data: no bars between 2024-01-02 and 2024-02-02; they run from 2013"):
        CombinedStrategy.run_backtest(
            PandasDataBacktesting, *window, pandas_data=frames(embedded.daily()), parameters=PARAMETERS, **QUIET
        )


def test_a_source_that_cannot_be_read_ahead_is_refused():
    with pytest.raises(Refusal, match="object is not a data source this strategy can be tested on"):
        table_of(object(), ("NVDA",))


def test_yahoo_away_and_nothing_cached_is_told_in_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(YahooHelper, "LUMIBOT_YAHOO_CACHE_FOLDER", str(tmp_path))
    monkeypatch.setattr(yahoo, "YAHOO_URL", "http://127.0.0.1:9/")
    begun = time.monotonic()
    with pytest.raises(Refusal, match=r"no cached Yahoo bars up to 2022-12-30 for .*fill_yahoo_cache"):
        CombinedStrategy.backtest(YahooDataBacktesting, START, END, parameters=PARAMETERS, **QUIET)
    assert time.monotonic() - begun < 10
