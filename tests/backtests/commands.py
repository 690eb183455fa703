"""Whole runs from the command line, for tests: their files, their refusals, and small data for them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

import live_trader
from backtests import embedded

ROOT = Path(__file__).parents[2]


class Folder:
    """The files of one run, read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.summary = json.loads((path / "summary.json").read_text())
        self.metrics = self.summary["metrics"]
        self.orders, self.trades, self.equity = (
            pd.read_csv(path / name) for name in ("orders.csv", "trades.csv", "equity.csv")
        )
        self.decisions = [json.loads(line) for line in (path / "decisions.jsonl").read_text().splitlines()]

    def files(self) -> dict[str, bytes]:
        found = (file for file in sorted(self.path.rglob("*")) if file.is_file())
        return {str(file.relative_to(self.path)): file.read_bytes() for file in found}


def verdicts_told(text: str) -> dict[str, str]:
    """The line of each symbol in the table."""
    lines = text.splitlines()
    begin = next(k for k, line in enumerate(lines) if line.startswith("symbol "))
    return {line.split()[0]: line for line in lines[begin + 1 :] if re.match(r"[A-Z_0-9]+ +[a-z_]+ +[\d.,]+ ", line)}


def refused(capsys, *argv: str) -> str:
    """The sentence; only it is printed and nothing is left behind."""
    assert live_trader.main(["--backtest", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.out == ""
    return captured.err.strip()


def bars() -> pd.DataFrame:
    frame = embedded.daily()
    return frame[(frame.datetime >= "2020-01-01") & (frame.datetime < "2020-07-01")].reset_index(drop=True)


def cut(symbol: str, first: str, last: str) -> pd.DataFrame:
    """The half year, of one symbol only what lies between two days."""
    frame = bars()
    return frame[(frame.symbol != symbol) | frame.datetime.between(first, last)].reset_index(drop=True)


def quarters() -> pd.DataFrame:
    """Bars of fifteen minutes over two weeks."""
    frame = embedded.intraday(pd.Timestamp("2023-05-22"), pd.Timestamp("2023-06-09"), 15, 0)
    return frame[frame.symbol.isin(["AAPL", "NVDA"])]


def windowed(*windows: str) -> list[str]:
    common = ["--quiet", "--data", "bars.parquet", "--symbols", "AAPL,NVDA", "--benchmark", "AAPL"]
    return [
        *common,
        "--start",
        "2023-06-05",
        "--set",
        "pace.bars=15",
        "--set",
        f"pace.windows=[{','.join(map(repr, windows))}]",
    ]
