"""The pictures of a run are drawn, in bounded number, the same each time."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

from backtests.reports.plots import plot_equity, plot_trades
from brokers.record import RunRecord
from tests.backtests.sample import sample_info, sample_record, sample_table

TABLE = sample_table(120)
RECORD = sample_record(TABLE)


def size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", header[16:])
    return width, height


def test_equity(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plot_equity(tmp_path / name, RECORD, sample_info(TABLE))
    assert size(tmp_path / "a.png")[0] > 1000
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_equity_without_benchmark_and_of_an_empty_run(tmp_path: Path) -> None:
    info = replace(sample_info(TABLE), benchmark="", benchmark_closes=None, notes=())
    plot_equity(tmp_path / "a.png", RECORD, info)
    plot_equity(tmp_path / "b.png", RunRecord(initial_equity=100.0), sample_info(TABLE))
    assert len(list(tmp_path.iterdir())) == 2


def test_few_trades_are_all_drawn(tmp_path: Path) -> None:
    few = RunRecord(initial_equity=1.0, trades=RECORD.trades[:14])
    paths = plot_trades(tmp_path / "trades", few, TABLE)
    assert [path.name for path in paths] == ["page-1.png", "page-2.png"]
    # Twelve trades fill four rows, the last two one.
    assert size(paths[0])[1] > 2 * size(paths[1])[1]


def test_many_trades_are_drawn_on_as_many_pages_as_asked(tmp_path: Path) -> None:
    many = RunRecord(initial_equity=1.0, trades=RECORD.trades * 3)
    assert len(plot_trades(tmp_path, many, TABLE, pages=2)) == 2
    assert len(plot_trades(tmp_path / "all", many, TABLE, pages=None)) == -(-len(many.trades) // 12)


def test_nothing_to_draw_makes_no_folder(tmp_path: Path) -> None:
    unknown = [replace(trade, symbol="GONE") for trade in RECORD.trades]
    assert plot_trades(tmp_path / "trades", RunRecord(trades=unknown), TABLE) == []
    assert not (tmp_path / "trades").exists()
