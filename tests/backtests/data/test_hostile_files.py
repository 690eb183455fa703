"""Files that would fill the memory, or hold what no table of bars holds: one sentence, in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtests.data.bar_files import read_file, symbols_of
from backtests.data.reading.options import ReadOptions
from config.errors import Refusal

ROOT = Path(__file__).parents[3]
HEAD = "symbol,datetime,open,high,low,close,volume\n"
LITTLE = 2_400 * 1024**2
"""Address space for the reader with all of its libraries; each of the files would take more."""
READ = """
import resource, sys
from pathlib import Path
from backtests.data.bar_files import read_file
from config.errors import Refusal
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
for path in sys.argv[2:]:
    try:
        read_file(Path(path))
    except Refusal as refusal:
        print("REFUSED", refusal)
"""


def bars(rows: int = 3) -> dict[str, pa.Array]:
    days = pd.bdate_range("2023-06-26", periods=rows)
    prices = {name: pa.array(np.full(rows, 2.0)) for name in ("open", "high", "low", "close")}
    return {"symbol": pa.array(["AAA"] * rows), "datetime": pa.array(days), **prices, "volume": pa.array(np.ones(rows))}


OTHER = {
    "list": pa.array([[1.0], [2.0], []]),
    "struct": pa.array([{"a": 1.0}] * 3),
    "map": pa.array([[("a", 1.0)]] * 3, type=pa.map_(pa.string(), pa.float64())),
    "binary": pa.array([b"1", b"2", b"3"]),
    "large_binary": pa.array([b"1", b"2", b"3"], type=pa.large_binary()),
}


@pytest.mark.parametrize("kind", OTHER)
@pytest.mark.parametrize("column", ["symbol", "datetime", "close", "volume"])
def test_columns_that_are_not_plain_are_refused(tmp_path, kind, column):
    pq.write_table(pa.table({**bars(), column: OTHER[kind]}), tmp_path / "x.parquet")
    with pytest.raises(Refusal, match=f"column {column} holds .*{kind}.*; write one number"):
        read_file(tmp_path / "x.parquet")


@pytest.mark.parametrize("kind", OTHER)
def test_others_that_nobody_reads_do_no_harm(tmp_path, kind):
    pq.write_table(pa.table({**bars(), "note": OTHER[kind]}), tmp_path / "x.parquet")
    assert len(read_file(tmp_path / "x.parquet").frame) == 3


@pytest.mark.parametrize("column", ["symbol", "datetime", "open", "close", "volume"])
def test_missing_values_are_found(tmp_path, column):
    table = bars()
    table[column] = pa.array([*table[column].to_pylist()[:2], None], type=table[column].type)
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    with pytest.raises(Refusal, match="at row 3"):
        read_file(tmp_path / "x.parquet")


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_by_what_it_declares(tmp_path, monkeypatch):
    rows = 1_000_000
    table = pa.table({
        "symbol": pa.array(["AAA"] * rows).dictionary_encode(),
        "datetime": pa.array(np.full(rows, np.datetime64("2023-06-26", "us"))),
        **{name: pa.array(np.full(rows, 2.0)) for name in ("open", "high", "low", "close", "volume")},
    })  # fmt: skip
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(Refusal, match=r"1,000,000 rows unpack to 0\.1 GB, more than 0\.0; give a part of it"):
        read_file(path, options=ReadOptions(max_bytes=40_000_000))


def test_a_long_text_beside_few_rows_is_refused(tmp_path):
    pq.write_table(pa.table({**bars(), "symbol": pa.array(["A" * 1_000_000] * 3)}), tmp_path / "x.parquet")
    with pytest.raises(Refusal, match="holds a text of 1,000,000 characters") as refusal:
        read_file(tmp_path / "x.parquet")
    assert len(str(refusal.value)) < 300


TEXTS = {
    "one line": (lambda file: file.write(b"x" * 200_000_000), "line 1 is longer than 4 MB; write one row a line"),
    "one number": (
        lambda file: file.write(HEAD.encode() + b"A,2023-06-26," + b"1" * 100_000_000),
        "is longer than 4 MB",
    ),
    "a million columns": (lambda file: file.write(b",".join(b"c%d" % k for k in range(10**6))), "line 1 is longer"),
    "columns": (
        lambda file: file.write(b",".join(b"c%d" % k for k in range(10**5)) + b"\n1\n"),
        "100,000 columns, more",
    ),
    "a NUL": (lambda file: file.write(HEAD.encode() + b"AAA,2023-06-26,1,2,1,2,\0\n"), "row 1 holds a NUL character"),
    "NULs": (lambda file: file.write(b"\0" * 10_000_000), "row 0 holds a NUL character"),
    "gigabytes": (lambda file: file.truncate(3_000_000_000), "unpacks to more than 2.1 GB"),
}


def test_texts_that_are_no_tables_are_refused_in_little_memory(tmp_path):
    paths = [tmp_path / f"{number}.csv" for number in range(len(TEXTS))]
    for path, (fill, _) in zip(paths, TEXTS.values(), strict=True):
        with path.open("wb") as file:
            fill(file)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(LITTLE), *map(str, paths)], check=False, cwd=ROOT, capture_output=True,
        text=True, timeout=200,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert len(said) == len(TEXTS), done.stderr[-2000:]
    for line, path, (_, told) in zip(said, paths, TEXTS.values(), strict=True):
        assert line.startswith(f"REFUSED {path}: ") and told in line and len(line) < 500


def test_a_stray_quote_does_not_swallow_the_file(tmp_path):
    rows = [f"AAA,{day:%Y-%m-%d},1,2,1,2,5" for day in pd.bdate_range("2010-01-04", periods=3000)]
    rows[100] = '"' + rows[100]
    (tmp_path / "x.csv").write_text(HEAD + "\n".join(rows))
    with pytest.raises(Refusal, match=r"x\.csv: "):
        read_file(tmp_path / "x.csv")


def test_only_what_is_kept_is_read(tmp_path):
    """Of a file of many symbols a few are read in a part of the time, and what is wrong elsewhere is not met."""
    days = pd.bdate_range("2023-06-26", periods=5)
    names = [f"S{k:04d}" for k in range(200)]
    frame = pd.DataFrame({"symbol": np.repeat(names, 5), "datetime": np.tile(days, 200), "open": 2.0, "high": 2.0,
                          "low": 2.0, "close": 2.0, "volume": 1.0})  # fmt: skip
    frame.loc[frame["symbol"] == "S0100", "close"] = -1
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=50)
    frame.to_csv(tmp_path / "x.csv", index=False)
    for name in ("x.parquet", "x.csv"):
        found = read_file(tmp_path / name, ["S0003", "s0199"])
        assert found.symbols == ["S0003", "S0199"] and len(found.frame) == 10
        with pytest.raises(Refusal, match="close of S0100 2023-06-26 00:00 at row 501 is not above zero"):
            read_file(tmp_path / name)
        assert symbols_of(tmp_path / name) == names


def test_a_limit_may_be_set(tmp_path):
    pq.write_table(pa.table(bars()), tmp_path / "x.parquet")
    with pytest.raises(Refusal, match="3 rows unpack to"):
        read_file(tmp_path / "x.parquet", options=ReadOptions(max_bytes=100))
