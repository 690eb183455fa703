"""What a run read of a symbol is worked out on the bars that the run decided on, also where it put them together."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtests import embedded
from backtests.data.data_sets import load_data
from commands.app import main
from market.bar_tables import to_frame

FIRST, LAST = date(2023, 6, 1), date(2023, 6, 20)
SYMBOLS = embedded.STOCKS[:4]


@pytest.fixture(scope="module")
def five_minutes(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("bars") / "bars.parquet"
    data = load_data("embedded", SYMBOLS, FIRST, LAST, intraday=True, seed=0)
    to_frame(data.table).to_parquet(file, index=False)
    return file


def read(capsys, file: Path, out: Path, at: str, *options: str) -> dict[str, Any]:
    run = ["backtest", "--data", str(file), "--start", f"{FIRST}", "--end", f"{LAST}", "--symbols", ",".join(SYMBOLS)]
    more = [
        "--engine",
        "replay",
        "--no-report",
        "--quiet",
        "--out",
        str(out),
        "--set",
        f"universe.benchmark={SYMBOLS[0]}",
    ]
    benchmark = ["--set", f"universe.benchmark={SYMBOLS[0]}"]
    assert main([*run, *more, *benchmark, *options]) == 0
    capsys.readouterr()
    assert main(["explain", SYMBOLS[0], "--at", at, "--run", str(out), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("options", "bar", "closes"),
    [
        (("--profile", "intraday", "--set", "pace.bars=15"), "2023-06-14T11:00", "10:55"),
        (("--profile", "intraday"), "2023-06-14T11:05", "11:00"),
        (("--profile", "swing"), "2023-06-13T16:00", "15:55"),
    ],
    ids=["put together", "as they are", "days"],
)
def test_the_latest_bar_that_was_complete(capsys, five_minutes, tmp_path, options, bar, closes):
    answer = read(capsys, five_minutes, tmp_path / "run", "2023-06-14 11:07", *options)
    frame = pd.read_parquet(five_minutes)
    last = pd.Timestamp(f"{bar[:10]} {closes}", tz="America/New_York")
    (close,) = frame.loc[(frame["symbol"] == SYMBOLS[0]) & (frame["datetime"] == last), "close"]
    reading = answer["now"]
    assert reading["time"].startswith(bar)
    assert reading["close"] == pytest.approx(close)
