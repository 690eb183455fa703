"""A file's symbols are what is traded, unless somebody names others."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtests.data.data_sets import window
from backtests.run_data import data_for
from commands.runs.request import RunArguments, requested, settled

DAYS = ("2023-07-03", "2023-07-05")


def a_file(folder: Path, *symbols: str, **days: tuple[str, ...]) -> str:
    path = folder / "bars.csv"
    rows = [f"{symbol},{day},10,11,9,10,100" for symbol in symbols for day in days.get(symbol, DAYS)]
    path.write_text("\n".join(["symbol,datetime,open,high,low,close,volume", *rows, ""]))
    return str(path)


def traded(data: str, **more) -> tuple[str, ...]:
    return settled(RunArguments(mode="backtest", data=data, **more))[1].universe.traded


def test_all_symbols_of_a_file_are_traded(tmp_path):
    data = a_file(tmp_path, "JPM", "XOM", "AAPL", "BRK-B")
    assert sorted(traded(data)) == ["AAPL", "BRK.B", "JPM", "XOM"]
    assert settled(RunArguments(mode="rehearse", data=data))[1].universe.traded == traded(data)


@pytest.mark.parametrize("named", [{"symbols": "JPM,COST"}, {"set_": ["universe.symbols=[JPM, COST]"]}])
def test_symbols_that_somebody_names_are_traded_instead(tmp_path, named):
    assert traded(a_file(tmp_path, "JPM", "XOM", "AAPL"), **named) == ("JPM", "COST")


def test_inverse_funds_are_left_to_the_hedge_unless_nothing_else_is_there(tmp_path):
    assert traded(a_file(tmp_path, "JPM", "SH")) == ("JPM",)
    assert traded(a_file(tmp_path, "SH")) == ("SH",)


def test_a_fund_that_is_only_watched_does_not_stretch_a_run(tmp_path):
    data = a_file(tmp_path, "JPM", "SH", SH=("2023-06-30", *DAYS, "2023-07-06", "2023-07-07"))
    arguments = RunArguments(mode="backtest", data=data, benchmark="JPM")
    request = requested(arguments, *settled(arguments))
    found = data_for(request, request.settings)
    assert "SH" in found.table.symbols
    assert tuple(f"{bar:%Y-%m-%d}" for bar in window(found, None, None)) == DAYS
