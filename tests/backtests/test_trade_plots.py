"""Trades are drawn on sheets: the worst and the best, or all in order of entry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backtests.reports.pictures.trade_plots import PER_SHEET, plot_trades, sheets
from brokers.record import RunRecord
from tests.backtests.pictures import size
from tests.backtests.sample import sample_record, sample_table

TABLE = sample_table(120)
RECORD = sample_record(TABLE)
MANY = sorted(RECORD.trades * 3, key=lambda trade: trade.entry_time)


def test_few_trades_are_all_drawn(tmp_path: Path) -> None:
    some = plot_trades(tmp_path / "a", RunRecord(initial_equity=1.0, trades=RECORD.trades[:2]), TABLE)
    full = plot_trades(tmp_path / "b", RunRecord(initial_equity=1.0, trades=RECORD.trades[:PER_SHEET]), TABLE)
    assert [path.name for path in (*some, *full)] == ["all-by-entry.png", "all-by-entry.png"]
    # Two trades fill one row, twelve four.
    assert size(full[0])[1] > 2 * size(some[0])[1]
    again = plot_trades(tmp_path / "c", RunRecord(initial_equity=1.0, trades=RECORD.trades[:PER_SHEET]), TABLE)
    assert again[0].read_bytes() == full[0].read_bytes()


def test_of_many_trades_the_worst_and_the_best_are_drawn(tmp_path: Path) -> None:
    (sheet,) = sheets(MANY, every=False)
    multiples = sorted(trade.r_multiple for trade in MANY)
    assert [t.r_multiple for t in sheet.trades] == [*multiples[:6], *multiples[-6:]]
    assert str(len(MANY)) in sheet.title
    paths = plot_trades(tmp_path, RunRecord(initial_equity=1.0, trades=MANY), TABLE)
    assert [path.name for path in paths] == ["worst-and-best.png"]


def test_every_trade_is_on_one_of_all_sheets() -> None:
    all_sheets = sheets(MANY, every=True)
    assert [trade for sheet in all_sheets for trade in sheet.trades] == MANY
    assert len({sheet.name for sheet in all_sheets}) == len(all_sheets) == -(-len(MANY) // PER_SHEET)
    assert sorted(sheet.name for sheet in all_sheets) == [sheet.name for sheet in all_sheets]


def test_nothing_to_draw_makes_no_folder(tmp_path: Path) -> None:
    unknown = [replace(trade, symbol="GONE") for trade in RECORD.trades]
    assert plot_trades(tmp_path / "trades", RunRecord(trades=unknown), TABLE) == []
    assert not (tmp_path / "trades").exists()
