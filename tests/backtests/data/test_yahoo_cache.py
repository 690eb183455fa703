"""A real YahooDataBacktesting run from a filled cache, without a single attempt to reach the network."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import live_trader
from backtests import embedded
from backtests.checks.audit import audit
from backtests.data import yahoo_cache
from brokers.backtest import yahoo
from brokers.backtest.source import table_of
from config.errors import Refusal
from tests.backtests.runs import backtest

ROOT = Path(__file__).parents[3]
WINDOW_END = date(2023, 6, 30)

# Runs in a process of its own, as Lumibot reads the cache folder when it is first imported.
RUN = """
import json, sys
from datetime import datetime
from backtests import embedded
from backtests.data import yahoo_cache
from config.process.environment import own_the_run
own_the_run()
hold = sys.argv[1] == "hold"
bars = embedded.daily()
bars = bars[bars.symbol.isin(["AAPL", "NVDA"])]
yahoo_cache.fill(bars, hold)
import lumibot.tools.yahoo_helper as helper
attempts, seen, fills = [], [], []
class NoTicker:
    def __init__(self, *arguments, **keywords):
        attempts.append(str(arguments))
        raise OSError("no network")
helper.yf.Ticker = helper.yf.Tickers = NoTicker
helper.YahooHelper.sleep_and_get_proxy = staticmethod(lambda: attempts.append("proxy"))
from lumibot.backtesting import YahooDataBacktesting
from lumibot.strategies import Strategy

class Plain(Strategy):
    def initialize(self):
        self.sleeptime = "1D"
    def on_trading_iteration(self):
        last = self.get_historical_prices("AAPL", 3, "day").df.iloc[-1]
        seen.append([str(last.name.date()), *(float(last[c]) for c in ("open", "high", "low", "close", "volume"))])
        if self.first_iteration:
            self.submit_order(self.create_order("AAPL", 10, "buy"))
    def on_filled_order(self, position, order, price, quantity, multiplier):
        fills.append([str(self.get_datetime().date()), float(price)])

_, strategy = Plain.run_backtest(
    YahooDataBacktesting, datetime(2023, 6, 1), datetime(2023, 7, 1), budget=100_000, risk_free_rate=0.0,
    benchmark_asset="NVDA" if hold else None, quiet_logs=True, show_progress_bar=False, show_plot=False,
    save_tearsheet=False, show_tearsheet=False, show_indicators=False, save_logfile=False,
)
benchmark = strategy._benchmark_returns_df
rows = 0 if benchmark is None else len(benchmark)
print("RESULT" + json.dumps({"attempts": attempts, "seen": seen, "fills": fills, "benchmark": rows}))
"""


def run(command, environment, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("hold", ["", "hold"])
def test_a_yahoo_run_needs_no_network(tmp_path, hold):
    environment = {
        **os.environ, "LUMIBOT_CACHE_FOLDER": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT), "IS_BACKTESTING": "true"
    }  # fmt: skip
    done = run([sys.executable, "-c", RUN, hold], environment, cwd=tmp_path)
    assert "RESULT" in done.stdout, done.stderr[-2000:]
    result = json.loads(done.stdout.split("RESULT")[1])
    assert result["attempts"] == []
    real = embedded.daily()
    real = real[real.symbol == "AAPL"].set_index("datetime")
    june = real.loc["2023-05-31":"2023-06-29"]
    assert [row[0] for row in result["seen"]] == [f"{day:%Y-%m-%d}" for day in june.index]
    expected = june[["open", "high", "low", "close", "volume"]].to_numpy(dtype=float)
    assert np.array_equal([row[1:] for row in result["seen"]], expected)
    assert result["fills"] == [["2023-06-01", real.loc["2023-06-01", "open"]]]
    assert result["benchmark"] == (21 if hold else 0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and Yahoo at an address where nobody answers."""
    from lumibot.tools.yahoo_helper import YahooHelper

    monkeypatch.setattr(YahooHelper, "LUMIBOT_YAHOO_CACHE_FOLDER", str(tmp_path))
    monkeypatch.setattr(YahooHelper, "CACHING_ENABLED", True)
    monkeypatch.setattr(yahoo, "YAHOO_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def answering(monkeypatch):
    """Yahoo at a local server that knows no page, which is an answer."""
    server = http.server.HTTPServer(("127.0.0.1", 0), QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(yahoo, "YAHOO_URL", f"http://127.0.0.1:{server.server_port}/")
    yield
    server.shutdown()
    server.server_close()


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *arguments):
        pass


def bars(last: str, symbol: str = "AAA") -> pd.DataFrame:
    days = pd.bdate_range("2023-06-01", last)
    return pd.DataFrame(
        {"symbol": symbol, "datetime": days, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 10}
    )


def test_covered_window_is_accepted_without_asking_yahoo(cache):
    assert yahoo_cache.fill(bars("2023-06-30")) == {"AAA": WINDOW_END}
    assert yahoo.require_yahoo(["AAA"], WINDOW_END) == WINDOW_END


def test_a_symbol_listed_after_the_run_is_not_known_to_it(cache):
    from backtests.yahoo_runs import yahoo_table

    young = bars("2023-07-31", "NEW")
    yahoo_cache.fill(pd.concat([bars("2023-07-31"), young[young["datetime"] > "2023-07-05"]]))
    table, _, missing = yahoo_table(["AAA", "NEW"], WINDOW_END)
    assert (table.symbols, missing) == (("AAA",), ("NEW",))
    assert yahoo_table(["AAA", "NEW"], date(2023, 7, 10))[2] == ()


def test_dividends_are_in_cash_and_break_no_promise(cache, capsys, monkeypatch):
    from lumibot.tools.yahoo_helper import YahooHelper

    monkeypatch.chdir(cache)
    yahoo_cache.fill(embedded.daily())
    for symbol in embedded.STOCKS:
        frame = YahooHelper.check_pickle_file(symbol, "1d").data
        frame.loc[frame.index[::5], "Dividends"] = 1.0
        YahooHelper.dump_pickle_file(symbol, "1d", frame)
    sets = {"universe.symbols": list(embedded.STOCKS), "universe.benchmark": "AAPL", "risk.chain": ["cash_buffer"]}
    run = backtest("active", "yahoo", "2022-01-03", "2022-12-30", sets=sets)
    assert audit(run.record, run.result.table, run.settings).violations == ()
    filled = [o for o in run.record.orders if o.status == "filled"]
    spent = sum((1 if o.side == "buy" else -1) * o.filled_quantity * o.filled_price for o in filled)
    dividends, last = run.record.dividends, run.record.equity[-1]
    assert dividends > 500
    assert last.cash == pytest.approx(run.record.initial_equity - spent - run.record.fees + dividends, abs=0.01)
    assert float(run.result.strategy.cash) == pytest.approx(last.cash, abs=0.01)
    argv = [part for name, value in sets.items() for part in ("--set", f"{name}={json.dumps(value)}")]
    window = ["--start", "2022-01-03", "--end", "2022-12-30"]
    assert (
        live_trader.main(["--backtest", "--data", "yahoo", "--no-report", *window, *argv, "--quiet", "--out", "out"])
        == 0
    )
    note = f"dividends of {dividends:,.2f} USD are in cash and equity, not in the trades"
    assert note in json.loads(Path("out/summary.json").read_text())["notes"]
    assert note in " ".join(capsys.readouterr().out.split())


def test_end_on_a_weekend_is_moved_to_the_last_session(cache):
    yahoo_cache.fill(bars("2023-06-30"))
    assert yahoo.require_yahoo(["AAA"], date(2023, 7, 2)) == WINDOW_END


def test_short_or_absent_cache_is_refused_when_yahoo_is_away(cache):
    yahoo_cache.fill(bars("2023-06-29"))
    begun = time.monotonic()
    with pytest.raises(
        Refusal, match=r"up to 2023-06-30 for AAA, BBB and Yahoo is unreachable; fill the cache.*--data"
    ):
        yahoo.require_yahoo(["AAA", "BBB"], WINDOW_END)
    assert time.monotonic() - begun < 10


def test_a_script_is_told_of_bars_of_its_own_and_of_no_option_that_it_lacks(cache):
    source = SimpleNamespace(SOURCE="YAHOO", auto_adjust=False, datetime_end=datetime(2023, 6, 30, tzinfo=UTC))
    with pytest.raises(Refusal, match=r"or give bars of your own with PandasDataBacktesting and pandas_data$"):
        table_of(source, ("AAA",))


def test_short_cache_is_accepted_when_yahoo_answers(cache, answering):
    yahoo_cache.fill(bars("2023-06-29"))
    assert yahoo.require_yahoo(["AAA", "BBB"], WINDOW_END) == WINDOW_END


def test_held_cache_that_ends_early_is_refused_even_online(cache, answering):
    yahoo_cache.fill(bars("2023-06-29"), hold=True)
    with pytest.raises(Refusal, match="AAA is held and ends before 2023-06-30"):
        yahoo.require_yahoo(["AAA"], WINDOW_END)
    yahoo_cache.fill(bars("2023-06-30"), hold=True)
    assert yahoo.require_yahoo(["AAA"], WINDOW_END) == WINDOW_END


def test_damaged_cache_counts_as_absent(cache):
    (cache / "AAA_1d.pickle").write_bytes(b"not a pickle")
    with pytest.raises(Refusal, match="for AAA and Yahoo"):
        yahoo.require_yahoo(["AAA"], WINDOW_END)


def test_silent_yahoo_is_given_up_in_time(cache):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        assert not yahoo.reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.5)
        assert time.monotonic() - begun < 3


def test_intraday_bars_are_refused(cache):
    frame = bars("2023-06-30")
    frame["datetime"] = frame["datetime"].dt.tz_localize("America/New_York")
    with pytest.raises(Refusal, match="these are intraday"):
        yahoo_cache.fill(frame)


@pytest.mark.slow
def test_script_fills_and_reports(tmp_path):
    environment = {**os.environ, "LUMIBOT_CACHE_FOLDER": str(tmp_path)}
    script = [sys.executable, str(ROOT / "scripts" / "fill_yahoo_cache.py")]
    done = run([*script, str(embedded.PATH), "--symbols", "AAPL,NOPE"], environment)
    assert done.returncode == 0 and "AAPL: cached up to 2023-09-21" in done.stdout and "NOPE" in done.stderr
    assert (tmp_path / "yahoo" / "AAPL_1d.pickle").is_file()
    refused = run([*script, str(tmp_path / "none.csv")], environment)
    assert refused.returncode == 2 and "no such file" in refused.stderr and "Traceback" not in refused.stderr


def test_a_class_share_is_cached_and_found_as_yahoo_writes_it(cache):
    frame = bars("2023-06-30")
    yahoo_cache.fill(frame.assign(symbol="BRK.B"))
    assert [path.name for path in cache.iterdir()] == ["BRK-B_1d.pickle"]
    assert yahoo.require_yahoo(["BRK.B"], WINDOW_END) == WINDOW_END


@pytest.mark.parametrize("symbol", ["../../X", "A/../../X", "/tmp/X"])
def test_a_symbol_that_is_a_path_is_written_nowhere(cache, symbol):
    frame = bars("2023-06-30")
    # Other tests write an X of their own, each into its folder.
    before = set(cache.parent.rglob("X_1d.pickle"))
    with pytest.raises(Refusal, match="is no ticker; write a ticker"):
        yahoo_cache.fill(frame.assign(symbol=symbol))
    assert not any(cache.iterdir())
    assert set(cache.parent.rglob("X_1d.pickle")) == before


def test_a_watched_fund_that_has_ended_stops_no_run(cache):
    yahoo_cache.fill(bars("2023-06-30"))
    yahoo_cache.fill(bars("2023-06-09", "HELD"), hold=True)
    yahoo_cache.fill(bars("2023-06-09", "SHORT"))
    with pytest.raises(Refusal, match="of HELD is held"):
        yahoo.require_yahoo(["AAA", "HELD", "SHORT"], WINDOW_END)
    assert yahoo.require_yahoo(["AAA", "HELD", "SHORT"], WINDOW_END, {"HELD", "SHORT"}) == WINDOW_END
    assert yahoo.served(["AAA", "HELD", "SHORT", "NONE"], WINDOW_END, {"HELD", "SHORT", "NONE"}) == ["AAA", "HELD"]
