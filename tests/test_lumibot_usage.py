"""What a Lumibot user does with the strategy: scripts, subclasses, a Trader by hand, Lumibot's own defaults."""

from __future__ import annotations

import itertools
import json
import logging
import os
import subprocess
import sys
import time
import webbrowser
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lumibot.backtesting import BacktestingBroker, PandasDataBacktesting, YahooDataBacktesting
from lumibot.entities import Asset, Data, TradingFee
from lumibot.tools.indicators import _prepare_tearsheet_returns
from lumibot.tools.yahoo_helper import YahooHelper
from lumibot.traders import Trader

from backtests import embedded
from backtests.engine import run_table
from brokers.backtest import yahoo
from brokers.backtest.source import table_of
from config import Refusal, load
from config.values.markets import NEW_YORK
from market.bar_tables import to_table
from strategies.combined import CombinedStrategy

ROOT = Path(__file__).parents[1]
SYMBOLS = (*embedded.STOCKS, embedded.COMPOSITE, embedded.INVERSE)
START, END = datetime.fromisoformat("2022-01-01"), datetime.fromisoformat("2022-12-31")
PARAMETERS = {"profile": "active", "config": [embedded.OVERLAY]}
MANY = {"selection.min_confidence": 0.5}
"""Every condition that is just met may enter."""
QUIET = {"analyze_backtest": False, "save_stats_file": False, "show_progress_bar": False, "quiet_logs": True}
COLUMNS = ["open", "high", "low", "close", "volume"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Lumibot writes ./logs whatever it is told, and would show what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda *_: pytest.fail("a browser was opened"))
    return tmp_path


def frames(bars: pd.DataFrame, timestep: str = "day", zone: str | None = None) -> dict[Asset, Data]:
    """``pandas_data`` as a Lumibot script makes it."""
    found = {}
    for symbol, rows in bars.groupby("symbol", observed=True):
        frame = rows.set_index("datetime")[COLUMNS]
        asset = Asset(str(symbol))
        found[asset] = Data(asset, frame if zone is None else frame.tz_localize(zone), timestep=timestep)
    return found


def backtest(strategy: type[CombinedStrategy] = CombinedStrategy, **options: Any) -> Any:
    """A backtest in the style of Lumibot's documentation; returns the strategy that ran."""
    given = {"pandas_data": frames(embedded.daily()), "parameters": PARAMETERS, "benchmark_asset": None, **QUIET}
    return strategy.run_backtest(PandasDataBacktesting, START, END, **given | options)[1]


def engine(overrides: dict[str, Any]) -> Any:
    """The same year through the package's own engine; returns its record."""
    table = to_table(embedded.daily(), SYMBOLS, "embedded")
    window = [pd.Timestamp(day, tz=NEW_YORK) for day in (START, END)]
    settings = load("active", overrides=overrides, overlays=[embedded.OVERLAY])
    return run_table(CombinedStrategy, settings, table, *window).record


@pytest.fixture(scope="module")
def ours() -> Any:
    return engine({})


@pytest.fixture(scope="module")
def many() -> Any:
    return engine(MANY)


def same(record: Any, expected: Any) -> None:
    assert len(expected.orders) > 50
    assert record.orders == expected.orders
    assert record.equity == expected.equity
    assert repr(record.trades) == repr(expected.trades)
    assert [repr(d.verdicts) for d in record.decisions] == [repr(d.verdicts) for d in expected.decisions]


@pytest.mark.parametrize("zone", [None, NEW_YORK, "UTC"])
def test_a_plain_script_sends_the_orders_of_the_engine(ours, zone):
    same(backtest(pandas_data=frames(embedded.daily(), zone=zone)).record, ours)


def test_backtest_returns_lumibot_s_own_figures(ours):
    results = CombinedStrategy.backtest(
        PandasDataBacktesting, START, END,
        pandas_data=frames(embedded.daily()), parameters=PARAMETERS, benchmark_asset=None, **QUIET,
    )  # fmt: skip
    # Lumibot notes the value at each opening, so its last is that of the close before.
    assert results["total_return"] == pytest.approx(ours.equity[-2].equity / 100_000 - 1, abs=1e-4)


def test_settings_can_be_named_one_by_one_and_loaded_ones_decide_alone(ours):
    calm = backtest(parameters=PARAMETERS | {"set": MANY | {"selection.execute": 1, "universe.symbols": ["NVDA"]}})
    assert {o.symbol for o in calm.record.orders if o.role == "entry"} == {"NVDA"}
    loaded = backtest(parameters={"settings": load("active", overlays=[embedded.OVERLAY]), "profile": "swing"})
    same(loaded.record, ours)


@pytest.mark.parametrize("start", ["2023-06-01", "2023-06-01T11:30"], ids=["opening", "within a session"])
def test_intraday_frames_send_the_orders_of_the_engine(start):
    bars = embedded.intraday("2023-05-22", "2023-06-08")
    window = [datetime.fromisoformat(moment) for moment in (start, "2023-06-08")]
    settings = load("intraday", overlays=[embedded.OVERLAY])
    plain = CombinedStrategy.run_backtest(
        PandasDataBacktesting, *window,
        pandas_data=frames(bars, "minute"), parameters={"settings": settings}, benchmark_asset=None, **QUIET,
    )[1]  # fmt: skip
    table = to_table(bars, SYMBOLS, "embedded")
    expected = run_table(CombinedStrategy, settings, table, *(pd.Timestamp(day, tz=NEW_YORK) for day in window))
    assert len(expected.record.orders) > 10
    assert plain.record.orders == expected.record.orders
    assert plain.record.equity == expected.record.equity


def test_one_file_may_be_given_without_a_list(tmp_path, ours):
    path = tmp_path / "mine.yaml"
    path.write_text(embedded.OVERLAY.read_text())
    for config in (path, str(path)):
        same(backtest(parameters={"config": config}).record, ours)


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


def test_a_trader_by_hand(ours):
    source = PandasDataBacktesting(
        datetime_start=START, datetime_end=END, pandas_data=frames(embedded.daily()), show_progress_bar=False
    )
    strategy = CombinedStrategy(
        BacktestingBroker(source), name="by hand", budget=100_000, parameters=PARAMETERS, benchmark_asset=None,
        analyze_backtest=False,
    )  # fmt: skip
    trader = Trader(backtest=True, quiet_logs=True)
    trader.add_strategy(strategy)
    results = trader.run_all(show_plot=False, show_tearsheet=False, save_tearsheet=False, show_indicators=False)
    assert list(results) == ["by hand"]
    same(strategy.record, ours)


@pytest.mark.slow
def test_lumibot_s_defaults_need_no_network_and_make_a_real_tearsheet(empty_folder, ours):
    """Nothing is said of benchmark (SPY), treasury yield and reports: what most scripts do."""
    done = CombinedStrategy.run_backtest(
        PandasDataBacktesting, START, END, pandas_data=frames(embedded.daily()), parameters=PARAMETERS
    )[1]
    same(done.record, ours)
    assert {p.name for p in empty_folder.iterdir()} == {"logs"}
    (sheet,) = empty_folder.glob("logs/*_tearsheet.html")
    text = sheet.read_text()
    assert len(text) > 100_000 and embedded.COMPOSITE in text
    (figures,) = empty_folder.glob("logs/*_tearsheet_metrics.json")
    told = json.loads(figures.read_text())
    assert told["metadata"].get("status") != "unavailable"
    for name in ("trades.csv", "stats.csv", "settings.json", "tearsheet.csv"):
        assert len(list(empty_folder.glob(f"logs/*_{name}"))) == 1, name


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


# Runs in a process of its own, as Lumibot reads the cache folder when it is first imported.
YAHOO_AND_FILE = """
import sys
from datetime import datetime
from pathlib import Path
from backtests import embedded
from backtests.data import yahoo_cache
from backtests.reports.order_outcomes import with_outcomes
from backtests.reports.outputs import write_records
from config.process.environment import own_the_run
own_the_run()
from lumibot.backtesting import YahooDataBacktesting
from lumibot.tools.yahoo_helper import YahooHelper
from strategies.combined import CombinedStrategy
import live_trader

bars = embedded.daily()
bars = bars[bars.datetime <= "2023-06-30"]
bars.to_parquet("bars.parquet")
yahoo_cache.fill(bars)
for symbol in embedded.STOCKS:
    # Yahoo tells splits and has adjusted its prices for them already.
    frame = YahooHelper.check_pickle_file(symbol, "1d").data
    frame.loc[frame.index[::20], "Stock Splits"] = 4.0
    YahooHelper.dump_pickle_file(symbol, "1d", frame)
_, strategy = CombinedStrategy.run_backtest(
    YahooDataBacktesting, datetime(2021, 6, 1), datetime(2023, 7, 2, 12), benchmark_asset=None,
    parameters={"profile": "active", "config": [embedded.OVERLAY], "set": {"selection.min_confidence": 0.5}},
    analyze_backtest=False, show_progress_bar=False, quiet_logs=True,
)
# As the command line does: a decision ends with what the gate said of its order.
strategy.record.decisions = with_outcomes(strategy.record)
Path("yahoo").mkdir()
write_records(Path("yahoo"), strategy.record)
sys.exit(live_trader.main([
    "--backtest", "--data", "bars.parquet", "--config", str(embedded.OVERLAY), "--start", "2021-06-01",
    "--end", "2023-06-30", "--set", "selection.min_confidence=0.5", "--out", "file", "--quiet",
]))
"""


@pytest.mark.slow
def test_yahoo_and_a_file_with_the_same_bars_leave_the_same_files(tmp_path):
    """The window ends on a Sunday, the cache on the Friday before."""
    environment = {**os.environ, "LUMIBOT_CACHE_FOLDER": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", YAHOO_AND_FILE], check=False, cwd=tmp_path, env=environment, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("orders.csv", "trades.csv", "equity.csv", "decisions.jsonl"):
        expected = (tmp_path / "file" / name).read_text()
        assert expected.count("\n") > 20, name
        assert (tmp_path / "yahoo" / name).read_text() == expected, name
