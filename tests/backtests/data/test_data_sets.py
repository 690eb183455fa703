"""Where a run's bars come from: embedded, file and Yahoo say the same, and what they lack is told or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtests import embedded
from backtests.data.bar_files import data_hash
from backtests.data.data_sets import load_data, window
from backtests.data.reading.options import PLAIN
from config.errors import Refusal
from market.bars import FIELDS

ROOT = Path(__file__).parents[3]
SYMBOLS = ("AAPL", "NVDA", "SYN_EW6")


def load(data: str = "embedded", start: date | None = None, end: date | None = None, **options):
    return load_data(data, options.pop("symbols", SYMBOLS), start, end, **{"intraday": False, "seed": 0, **options})


def same(one, two) -> bool:
    """Whether two tables hold the same bars."""
    return one.opens_at.equals(two.opens_at) and all(
        np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True) for name in FIELDS
    )


# ---- embedded -------------------------------------------------------------------------------------------


def test_embedded_daily_bars_keep_their_history_and_end_with_the_window():
    found = load(start=date(2020, 1, 2), end=date(2020, 6, 30))
    table = found.table
    assert table.daily and table.symbols == SYMBOLS and found.missing == ()
    assert table.opens_at[0].date() == date(2013, 1, 2) and table.opens_at[-1].date() == date(2020, 6, 30)
    assert found.source == "embedded" and found.hash == data_hash(embedded.PATH)
    assert found.notes == (embedded.DESCRIPTION,)
    whole = load()
    assert whole.table.opens_at[-1].date() == date(2023, 9, 21)
    assert same(whole.table.head(len(table)), table)


def test_what_the_embedded_data_lack_is_listed_in_the_order_asked_for():
    found = load(symbols=("ZZZ", "AAPL", "SPY"))
    assert found.missing == ("ZZZ", "SPY") and found.table.symbols == ("AAPL",)


def test_embedded_intraday_bars_begin_before_the_window_to_warm_up():
    found = load(start=date(2023, 6, 5), end=date(2023, 6, 7), intraday=True)
    table = found.table
    assert table.minutes == 5 and table.opens_at[-1] == pd.Timestamp("2023-06-07 15:55", tz="America/New_York")
    assert table.opens_at[0] == pd.Timestamp("2023-05-26 09:30", tz="America/New_York")
    assert window(found, date(2023, 6, 5), None)[0] == pd.Timestamp("2023-06-05 09:30", tz="America/New_York")


def test_without_a_window_made_up_bars_last_a_quarter():
    table = load(intraday=True).table
    assert table.opens_at[0].date() == date(2023, 6, 13) and table.opens_at[-1].date() == date(2023, 9, 21)
    days = pd.Series(table.close[:, 0], index=table.opens_at).groupby(table.opens_at.date).last()
    assert days.iloc[-1] == pytest.approx(load().table.close[-1, 0], abs=1e-4)


def test_the_seed_changes_made_up_bars_and_only_them():
    first, second, again = (
        load(end=date(2023, 6, 7), start=date(2023, 6, 7), intraday=True, seed=s) for s in (0, 1, 0)
    )
    assert same(first.table, again.table) and not same(first.table, second.table)
    assert first.table.opens_at.equals(second.table.opens_at)
    assert same(load(seed=0).table, load(seed=1).table)


# ---- windows and refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (None, None, "2013-01-02", "2023-09-21"),
        (date(2019, 1, 5), date(2019, 1, 8), "2019-01-07", "2019-01-08"),
        (date(2019, 1, 4), date(2019, 1, 6), "2019-01-04", "2019-01-04"),
        (date(2001, 1, 1), date(2030, 1, 1), "2013-01-02", "2023-09-21"),
    ],
)
def test_a_window_is_made_of_bars(start, end, first, last):
    found = window(load(), start, end)
    assert found == tuple(pd.Timestamp(f"{day} 09:30", tz="America/New_York") for day in (first, last))


@pytest.mark.parametrize("intraday", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (date(2019, 1, 5), date(2019, 1, 6), "no bars between 2019-01-05 and 2019-01-06; the data run from 20"),
        (date(2001, 1, 1), date(2001, 12, 31), "has none of AAPL, NVDA, SYN_EW6 up to 2001-12-31; it holds AAPL, AMZN"),
    ],
)
def test_a_window_without_bars_is_refused(intraday, start, end, told):
    with pytest.raises(Refusal, match="embedded: ") as refusal:
        window(load(start=start, end=end, intraday=intraday), start, end)
    assert told in str(refusal.value)


def test_a_window_after_the_data_is_refused():
    with pytest.raises(Refusal, match="no bars between 2030-01-01 and"):
        window(load(start=date(2030, 1, 1)), date(2030, 1, 1), None)


def test_alpacas_history_is_refused_and_not_read_from_elsewhere():
    with pytest.raises(Refusal, match="reads no history from Alpaca; use --data yahoo, embedded or a file"):
        load("alpaca")


def test_a_file_is_named_in_full_and_by_its_hash(tmp_path):
    path = tmp_path / "bars.csv"
    frame = embedded.daily()
    frame[frame["datetime"] < "2014-01-01"].to_csv(path, index=False)
    found = load(str(path), start=date(2013, 6, 3), end=date(2013, 6, 28), symbols=("SPY", "NVDA", "AAPL"))
    assert (found.source, found.hash, found.notes) == (str(path), data_hash(path), ("read as: long table",))
    assert found.missing == ("SPY",) and found.table.symbols == ("NVDA", "AAPL")
    assert same(load(end=date(2013, 6, 28), symbols=("NVDA", "AAPL")).table, found.table)


# ---- Yahoo through Lumibot --------------------------------------------------------------------------------

# In a process of its own, as Lumibot reads the folder of its cache when it is first imported.
YAHOO = """
import sys
import live_trader
from backtests import embedded
from backtests.data import yahoo_cache
from backtests.request import EMBEDDED_OVERLAY
from config.process.environment import own_the_run
own_the_run()
yahoo_cache.fill(embedded.daily())
common = ["--backtest", "--quiet", "--profile", "swing", "--config", str(EMBEDDED_OVERLAY),
          "--start", "2020-10-19", "--end", "2021-04-30"]
codes = [
    live_trader.main([*common, "--data", "yahoo", "--out", "yahoo"]),
    live_trader.main([*common, "--data", str(embedded.PATH), "--out", "file"]),
    live_trader.main([*common, "--data", "yahoo", "--lookahead", "2"]),
    live_trader.main([*common, "--data", "yahoo", "--scan"]),
    live_trader.main([*common, "--data", "yahoo", "--out", "replayed", "--engine", "replay"]),
]
print("CODES", *codes)
"""


@pytest.mark.slow
def test_a_yahoo_run_is_the_run_on_a_file_of_the_same_bars(tmp_path):
    """Clocks change twice in the window: Lumibot's Yahoo clock must not move against ours."""
    environment = {**os.environ, "LUMIBOT_CACHE_FOLDER": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", YAHOO], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=240,
    )  # fmt: skip
    assert "CODES 0 0 0 0 0" in done.stdout, done.stderr[-2000:] + done.stdout[-2000:]
    for name in ("orders.csv", "trades.csv", "decisions.jsonl", "equity.csv"):
        assert (tmp_path / "yahoo" / name).read_bytes() == (tmp_path / "file" / name).read_bytes()
        assert (tmp_path / "yahoo" / name).read_bytes() == (tmp_path / "replayed" / name).read_bytes()
    orders = pd.read_csv(tmp_path / "yahoo" / "orders.csv")
    assert len(orders) > 15 and {text[-6:] for text in orders["time"]} == {"-04:00", "-05:00"}
    assert {text[11:19] for text in orders["time"]} == {"09:30:00"}
    yahoo, file = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("yahoo", "file"))
    assert yahoo["data_source"] == "yahoo" and yahoo["data_hash"] != file["data_hash"]
    told_apart = ("data_source", "data_hash", "seconds", "notes")
    assert {k: v for k, v in yahoo.items() if k not in told_apart} == {
        k: v for k, v in file.items() if k not in told_apart
    }
    assert "no look-ahead found" in done.stdout and "LEAK" not in done.stdout
    assert "nothing submitted" in done.stdout


def test_a_window_has_the_days_of_its_zone(tmp_path):
    """Where days turn at midnight UTC, the bar of 23:00 New York on the eve belongs to the day."""
    hours = pd.date_range("2021-01-01", "2021-01-07", freq="h", tz="UTC", inclusive="left")
    path = tmp_path / "coins.csv"
    pd.DataFrame(
        {"symbol": "BTC/USD", "datetime": hours, "open": 9.0, "high": 9.5, "low": 8.5, "close": 9.0, "volume": 1.0}
    ).to_csv(path, index=False)
    days = (date(2021, 1, 3), date(2021, 1, 4))
    found = load(str(path), start=days[0], end=days[1], symbols=("BTC/USD",), options=replace(PLAIN, hours="all"))
    assert window(found, *days, "UTC") == (
        pd.Timestamp("2021-01-03", tz="UTC"),
        pd.Timestamp("2021-01-04 23:00", tz="UTC"),
    )
    assert window(found, *days) == (
        pd.Timestamp("2021-01-03 05:00", tz="UTC"),
        pd.Timestamp("2021-01-05 04:00", tz="UTC"),
    )
