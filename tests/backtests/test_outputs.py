"""The files of a run: columns, texts of numbers and times, and the folder they are written into."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from backtests.reports.formatting import cell, to_json, to_json_indented, write_text
from backtests.reports.metrics import metrics
from backtests.reports.outputs import summary, write_records
from backtests.reports.run_files import default_folder, prepare_folder
from brokers.record import RunRecord
from config.errors import Refusal
from risk.model import Decision, Verdict
from tests.backtests.sample import sample_info, sample_record, sample_table

NOON = datetime(2024, 3, 1, 12, tzinfo=ZoneInfo("America/New_York"))


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return sample_record(sample_table())


@pytest.fixture
def folder(tmp_path: Path, record: RunRecord) -> Path:
    write_records(tmp_path, record)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "orders.csv",
            "time,client_order_id,parent_id,symbol,side,quantity,type,limit_price,stop_price,role,status,"
            "filled_quantity,filled_price,filled_time,reason,sent_time,slippage_usd",
        ),
        (
            "trades.csv",
            "symbol,side,quantity,entry_time,entry_price,exit_time,exit_price,stop,target,atr,stop_multiple,pnl,"
            "r_multiple,exit_reason,signal,score",
        ),
        ("equity.csv", "time,equity,cash,long_exposure,inverse_exposure,positions"),
    ],
)
def test_columns(folder: Path, name: str, columns: str) -> None:
    assert (folder / name).read_text().splitlines()[0] == columns


def test_csv_reads_back(folder: Path, record: RunRecord) -> None:
    trades = pd.read_csv(folder / "trades.csv", parse_dates=["entry_time"])
    assert len(trades) == len(record.trades)
    np.testing.assert_allclose(trades["pnl"], [t.pnl for t in record.trades], atol=1e-8)
    assert trades["quantity"].dtype == np.int64
    assert (folder / "trades.csv").read_text().splitlines()[1].split(",")[3].endswith("-05:00")


def test_no_exponents_and_no_placeholders(folder: Path) -> None:
    text = "".join(path.read_text() for path in folder.iterdir())
    assert not re.search(r"\d[eE][-+]?\d|\bnan\b|NaN|Infinity|np\.|None|NaT", text)


def test_decision_lines(folder: Path, record: RunRecord) -> None:
    lines = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    assert len(lines) == len(record.decisions)
    assert list(lines[0]) == [
        "time", "symbol", "side", "signal", "score", "price", "stop", "target", "atr", "proposed_quantity",
        "final_quantity", "outcome", "verdicts",
    ]  # fmt: skip
    assert {line["outcome"] for line in lines} == {"sent", "resized", "refused"}
    refused = next(line for line in lines if line["outcome"] == "refused")["verdicts"][-1]
    assert list(refused) == ["module", "code", "before", "after", "inputs"]
    assert refused["code"] == "SECTOR_CAP: semis 3/3" and refused["after"] == 0


def test_until_of_a_verdict_is_kept_among_its_inputs(tmp_path: Path, record: RunRecord) -> None:
    verdict = Verdict("drawdown_halt", "HALT", 10, 0, {"fall_frac": np.float64(0.03)}, until=NOON)
    one = RunRecord(decisions=[replace(record.decisions[0], verdicts=(verdict,))])
    write_records(tmp_path, one)
    line = json.loads((tmp_path / "decisions.jsonl").read_text())
    assert line["verdicts"][0]["inputs"] == {"fall_frac": 0.03, "until": "2024-03-01T12:00:00-05:00"}


def test_same_run_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_records(tmp_path / name, sample_record(sample_table()))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_an_empty_run_writes_headers(tmp_path: Path) -> None:
    write_records(tmp_path, RunRecord(initial_equity=100.0))
    assert len((tmp_path / "orders.csv").read_text().splitlines()) == 1
    assert (tmp_path / "decisions.jsonl").read_text() == ""


def test_many_decisions_are_written_quickly(tmp_path: Path, record: RunRecord) -> None:
    verdicts = tuple(
        Verdict(f"module_{k}", "OK", 100.0, 100.0, {"equity_usd": 1e5 + k / 3, "count": k, "limit_frac": 0.1})
        for k in range(5)
    )
    many = [Decision(d.time, d.proposal, 100, verdicts) for d in record.decisions] * (20_000 // len(record.decisions))
    began = time.process_time()
    write_records(tmp_path, RunRecord(decisions=many))
    # Several times what it takes on a slow machine: this finds a change of order, not of a few per cent.
    assert time.process_time() - began < 5


def test_summary(record: RunRecord) -> None:
    info = sample_info(sample_table())
    content = json.loads(to_json(summary(record, info, metrics(record), {"data": 1.23456, "engine": 2})))
    assert content["metrics"]["trades"] == len(record.trades)
    assert content["final_equity"] == pytest.approx(record.equity[-1].equity)
    assert content["seconds"] == {"data": 1.235, "engine": 2, "report": 0}
    assert content["symbols"] == list(info.symbols) and content["missing_symbols"] == ["ARM"]
    assert content["fill_assumptions"]["fee_frac"] == 0.00001
    assert content["start"] == "2023-01-03T09:30:00-05:00"
    assert content["benchmark"]["symbol"] == "SPY"


def test_summary_of_an_empty_run_without_benchmark() -> None:
    info = replace(sample_info(sample_table()), benchmark="", benchmark_closes=None)
    empty = RunRecord(initial_equity=100.0)
    content = json.loads(to_json(summary(empty, info, metrics(empty), {})))
    assert content["final_equity"] == 100
    assert content["metrics"]["sharpe"] is None
    assert content["benchmark"] == {"symbol": None}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00001, "0.00001"),
        (-1.5e-7, "-0.00000015"),
        (1e-12, "0"),
        (-1e-12, "0"),
        (1e17, "100000000000000000"),
        (300.0, "300"),
        (170.77000000000001, "170.77"),
        (np.float64(2.5), "2.5"),
        (np.int64(7), "7"),
    ],
)
def test_numbers_are_plain_decimals(value: float, text: str) -> None:
    assert to_json(value) == text
    assert cell(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), None])
def test_undefined_is_empty_or_null(value: float | None) -> None:
    assert to_json(value) == "null"
    assert cell(value) == ""


def test_nested_values_become_plain() -> None:
    value = {
        "a": (np.float64(1.5), {2}),
        "b": np.array([1.0, np.nan]),
        "when": NOON,
        "yes": np.bool_(True),
        3: Path("x"),
        "no": None,
    }
    assert json.loads(to_json(value)) == {
        "a": [1.5, [2]], "b": [1, None], "when": "2024-03-01T12:00:00-05:00", "yes": True, "3": "x", "no": None,
    }  # fmt: skip


def test_indented_json_says_the_same() -> None:
    value = {"a": [1.0, 2.5], "none": {}, "b": {"fee_frac": 0.00001, "text": 'a "b"\n'}, "when": NOON, "rows": ()}
    text = to_json_indented(value)
    assert text == json.dumps(json.loads(to_json(value)), indent=2).replace("1e-05", "0.00001")


def test_a_time_without_offset_is_a_fault() -> None:
    with pytest.raises(ValueError, match="no UTC offset"):
        cell(NOON.replace(tzinfo=None))


def test_writing_leaves_no_unfinished_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "one\n")
    write_text(tmp_path / "a.txt", "two\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"two\n"


def test_default_folder() -> None:
    assert default_folder("backtest", "active", NOON) == Path("runs/backtest-active-2024-03-01")


def test_folder_is_made(tmp_path: Path) -> None:
    assert prepare_folder(tmp_path / "runs" / "one", overwrite=False).is_dir()


def test_folder_in_use_is_refused(folder: Path) -> None:
    with pytest.raises(Refusal, match="--overwrite"):
        prepare_folder(folder, overwrite=False)
    assert (folder / "orders.csv").exists()


def test_overwrite_removes_only_files_of_a_run(folder: Path) -> None:
    (folder / "trades").mkdir()
    for name in ("mine.txt", "trades/page-1.png", "trades/mine.png"):
        (folder / name).write_text("x")
    prepare_folder(folder, overwrite=True)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {"mine.txt", "trades/mine.png"}


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(Refusal, match="needs a folder"):
        prepare_folder(tmp_path / "out", overwrite=True)
    with pytest.raises(Refusal, match="--out"):
        prepare_folder(tmp_path / "out" / "below", overwrite=True)


@pytest.mark.parametrize(
    ("zone", "told"), [("UTC", "2018-01-01 to 2018-01-02"), ("America/New_York", "2017-12-31 to 2018-01-02")]
)
def test_the_days_of_a_window_are_those_of_the_market(monkeypatch: pytest.MonkeyPatch, zone: str, told: str) -> None:
    """The bar of 00:00 UTC is the first one of a day there, and on the eve in New York."""
    monkeypatch.setattr("market.trading_day._zone", ZoneInfo(zone))
    first, last = (
        pd.Timestamp(at, tz="UTC").tz_convert("America/New_York") for at in ("2018-01-01", "2018-01-02 23:00")
    )
    assert replace(sample_info(sample_table()), start=first, end=last).days == told
