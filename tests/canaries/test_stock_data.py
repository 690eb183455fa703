"""What stock data sources, the stock strategy class and Lumibot's import get wrong, one test per defect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lumibot.backtesting import PandasDataBacktesting, YahooDataBacktesting
from lumibot.tools.yahoo_helper import YahooHelper

from backtests.data.yahoo_cache import yahoo_frame
from brokers.backtest.broker import BarFillBroker
from brokers.backtest.source import CausalPandasData, dividends_of
from config.process.environment import calm_lumibot, own_the_run
from strategies.combined import CombinedStrategy
from tests.canaries.stock import QUIET, bracket, daily, intraday, pandas_source, run_stock, send, still

OURS: Any = CausalPandasData
RISING = [QUIET, (50.0, 60.0, 40.0, 55.0), (70.0, 80.0, 60.0, 75.0), QUIET]


@pytest.fixture
def yahoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Any]], Any]:
    """A stock Yahoo source from a filled cache: takes bars, returns the source over all of them."""
    monkeypatch.setattr(YahooHelper, "LUMIBOT_YAHOO_CACHE_FOLDER", str(tmp_path))

    def fill(bars: list[Any]) -> Any:
        frame = daily(bars)
        rows = frame.tz_localize(None).rename_axis("datetime").reset_index()
        YahooHelper.dump_pickle_file("X", "1d", yahoo_frame(rows))
        return YahooDataBacktesting(
            datetime_start=frame.index[0].to_pydatetime(),
            datetime_end=(frame.index[-1] + timedelta(days=1)).to_pydatetime(),
            show_progress_bar=False,
        )

    return fill


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Symbols that Lumibot would ask Yahoo for."""
    symbols: list[str] = []
    monkeypatch.setattr(YahooHelper, "get_symbol_data", lambda symbol, *_, **__: symbols.append(symbol))
    return symbols


def look(source: Any, row: int, question: Callable[[Any], Any]) -> Any:
    """The answer to a question asked in iteration ``row``."""
    answers: list[Any] = []
    run_stock(source, {row: lambda strategy: answers.append(question(strategy))})
    return answers[0]


@pytest.mark.parametrize(
    ("question", "workaround"),
    [
        (lambda s: s.get_last_price("X"), OURS.get_last_price),
        (lambda s: s.get_historical_prices("X", 2, "day").df["close"].iloc[-1], OURS._closed),
    ],
    ids=["last price", "history"],
)
def test_daily_pandas_frames_show_today_s_close(question: Any, workaround: Any) -> None:
    still(look(pandas_source(daily(RISING)), 2, question), defect=75, right=55, workaround=workaround)


def test_yahoo_s_last_price_is_yesterday_s_open(yahoo: Any) -> None:
    last = look(yahoo(RISING), 2, lambda s: s.get_last_price("X"))
    still(last, defect=50, right=55, workaround=BarFillBroker.equity)


@pytest.mark.parametrize(("kind", "valued_at"), [("pandas", 75), ("yahoo", 50)])
def test_positions_are_not_valued_at_the_last_close(yahoo: Any, kind: str, valued_at: float) -> None:
    source = yahoo(RISING) if kind == "yahoo" else pandas_source(daily(RISING))
    values: list[float] = []
    done = run_stock(source, {1: send(10, "buy"), 2: lambda s: values.append(s.portfolio_value)})
    assert done.fills == [("buy", 10, 50)]
    still(
        values[0], defect=9_500 + 10 * valued_at, right=9_500 + 10 * 55,
        workaround=CombinedStrategy._update_portfolio_value,
    )  # fmt: skip


def test_the_target_wins_on_yahoo_too(yahoo: Any) -> None:
    done = run_stock(yahoo([QUIET, QUIET, (100, 111, 94, 105), QUIET]), {1: bracket(10, 95, 110)})
    entry = ("buy", 10, 100)
    still(
        done.fills, defect=[entry, ("sell", 10, 110)], right=[entry, ("sell", 10, 95)], workaround=BarFillBroker._match
    )


def test_a_source_behaves_differently_under_another_class_name() -> None:
    renamed = type("Renamed", (PandasDataBacktesting,), {})
    frame = daily([QUIET] * 5)
    stock = run_stock(pandas_source(frame), {}).times
    assert stock == list(frame.index)
    # Off the bars' own times, and without the last day.
    defect = [day + timedelta(hours=9, minutes=30) for day in stock[:-1]]
    still(run_stock(pandas_source(frame, renamed), {}).times, defect, right=stock, workaround=OURS)


def test_the_last_bar_of_a_day_is_not_iterated() -> None:
    frame = intraday(5, *[[QUIET] * 4] * 2)
    every = list(frame.index)
    times = run_stock(pandas_source(frame), {}, sleeptime="5M").times
    still(times, every[:3] + every[4:7], right=every, workaround=OURS.get_trading_days_pandas)


def test_a_daily_run_leaves_out_the_bar_it_starts_with() -> None:
    frame = daily([QUIET] * 4)
    times = run_stock(pandas_source(frame, lead=timedelta(0)), {}).times
    still(times, list(frame.index[1:]), right=list(frame.index), workaround=OURS.__init__)


def test_an_unset_risk_free_rate_is_asked_from_yahoo(asked: list[str]) -> None:
    run_stock(pandas_source(daily([QUIET] * 3)), {}, risk_free_rate=None)
    still(asked, defect=["^IRX"], right=[], workaround=CombinedStrategy.__init__)


def test_the_benchmark_is_asked_from_yahoo_though_the_run_has_its_bars(asked: list[str]) -> None:
    run_stock(pandas_source(daily([QUIET] * 3)), {}, benchmark_asset="X")
    still(asked, defect=["X"], right=[], workaround=CombinedStrategy._dump_benchmark_stats)


def test_the_environment_overrides_a_run_s_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKTESTING_BUDGET", "77")
    cash = float(run_stock(pandas_source(daily([QUIET] * 3)), {}).cash)
    still(cash, defect=77.0, right=10_000.0, workaround=own_the_run)


def test_the_environment_overrides_a_run_s_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the import of lumibot.credentials makes of LUMIBOT_STRATEGY_PARAMETERS.
    monkeypatch.setattr("lumibot.credentials.STRATEGY_PARAMETERS", {"sleeptime": "2M"})
    done = run_stock(pandas_source(intraday(1, [QUIET] * 6)), {}, sleeptime="1M")
    still(done.parameters["sleeptime"], defect="2M", right="1M", workaround=own_the_run)


# A stand-in for the live broker is in place before Lumibot could build the real one; any socket ends the process.
IMPORTING = """
import json, os, sys
sys.addaudithook(lambda event, _: os._exit(9) if event in ("socket.connect", "socket.getaddrinfo") else None)
import lumibot.brokers
built = []
lumibot.brokers.Alpaca = lambda config, connect_stream, **_: built.append([config["API_KEY"], connect_stream])
import lumibot.strategies.strategy
print("BUILT" + json.dumps(built))
"""
KEYS = {"ALPACA_API_KEY": "canary", "ALPACA_API_SECRET": "canary"}


def brokers_built(folder: Path, environment: dict[str, str]) -> list[Any]:
    bare = {"PATH": os.environ["PATH"], "HOME": str(folder), "LUMIBOT_TELEMETRY": "0"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING], env=bare | environment, cwd=folder,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return list(json.loads(done.stdout.split("BUILT")[1]))


@pytest.mark.parametrize("kept_in", ["file", "environment"])
def test_importing_lumibot_builds_a_live_broker_where_keys_are_found(tmp_path: Path, kept_in: str) -> None:
    in_file = kept_in == "file"
    if in_file:
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    keys = {} if in_file else KEYS
    still(brokers_built(tmp_path, keys), defect=[["canary", True]], right=[], workaround=calm_lumibot)
    switch = "LUMIBOT_DISABLE_DOTENV" if in_file else "LUMIBOT_LAZY_CREDENTIALS"
    assert brokers_built(tmp_path, keys | {switch: "1"}) == [], f"{switch} keeps Lumibot from it"


def test_yahoo_s_dividends_after_the_first_look_are_lost(yahoo: Any) -> None:
    source = yahoo([QUIET] * 6)
    frame = YahooHelper.check_pickle_file("X", "1d").data
    frame.iloc[4, frame.columns.get_loc("Dividends")] = 2.0
    YahooHelper.dump_pickle_file("X", "1d", frame)
    cash = float(run_stock(source, {1: send(10, "buy")}).cash)
    still(cash, defect=9_000.0, right=9_020.0, workaround=dividends_of)
