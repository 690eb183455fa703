"""A session's record decided again."""

from __future__ import annotations

import gzip
import json
import time

import numpy as np
import pandas as pd
import pytest

from backtests.checks.parity import Cause, Reason, parity
from backtests.checks.parity_report import document, parity_page
from backtests.checks.snapshots import Damage, read_snapshots, snapshot_files
from backtests.replay.engine import ReplayRun
from backtests.research.search.trials import settings_with
from brokers.live_state.bar_changes import GrowingTable, changes
from brokers.live_state.snapshot_log import SnapshotLog
from brokers.live_state.values_json import decoded, encoded
from commands.app import main
from config.errors import Refusal
from market.bars import FIELDS, BarTable
from market.features import FeatureTable
from risk.model import Book
from strategies.adapt_to_bars import fit
from strategies.registry import build_pipeline
from tests.backtests.replay.tables import table_on
from tests.backtests.research.lab import context

KEPT = 90
CHAIN = ["sector_cap", "exposure_budget", "cash_buffer", "trailing_stop", "overbought_exit"]


def hours():
    """Thirty days of hours, so that a day's file grows with each iteration."""
    times = [pd.Timestamp(f"{day:%Y-%m-%d} 09:30", tz="America/New_York") + pd.Timedelta(hours=n)
             for day in pd.bdate_range("2023-03-06", periods=30) for n in range(7)]  # fmt: skip
    low = {"monitoring.keep_days": 400, "risk.chain": CHAIN, "selection.min_session_bars": 0}
    return context(table_on(pd.DatetimeIndex(times)), **low)


class RecordedRun(ReplayRun):
    """A replay that decides, as a live feed does, on a table of its own at each iteration, and records it."""

    def __init__(self, log_to, made) -> None:
        settings = settings_with(made.settings, {})
        super().__init__(settings, made.table, made.start, made.end)
        # The replay looks scores up in a table of the whole run; a live pipeline asks the signals.
        self.pipeline = build_pipeline(settings)
        fit(self.pipeline, made.table, settings)
        self.seen: BarTable | None = None
        self.books: list[Book] = []
        self.snapshots = SnapshotLog(log_to, settings, self.pipeline, lambda: self.seen)
        self.snapshots.start()

    def decide(self, now, book):
        last = max(1, self.feed.row() + 1)
        self.seen = tail(self.table, max(0, last - KEPT), last)
        features = FeatureTable(self.seen, self.pipeline.needs(), self.settings.universe.sectors)
        market = features.market_at_row(len(self.seen) - 1, now)
        plan = self.pipeline.decide(market, book)
        self.snapshots.decided(market, book, plan)
        while self.snapshots._queue.qsize() > 20:
            # A trader's iterations come no faster than they are written.
            time.sleep(0.001)
        self.books.append(book)
        return plan


def tail(table: BarTable, first: int, last: int) -> BarTable:
    cut = slice(first, last)
    session = table.session[cut] - (table.session[first] if last > first else 0)
    return BarTable(
        table.symbols, table.opens_at[cut], table.closes_at[cut], session, table.minutes,
        *(getattr(table, name)[cut].copy() for name in FIELDS), source=table.source,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    run = RecordedRun(folder, hours())
    run.run()
    run.snapshots.stop()
    return folder, run


def busiest(recorded):
    """The file with the most decisions."""
    return max(snapshot_files(recorded[0]), key=lambda path: parity([path]).decisions)


def test_a_session_decides_the_same_again(recorded):
    folder, run = recorded
    found = parity(snapshot_files(folder))
    assert found.iterations == found.same == len(run.times) and not found.differences
    # The check has seen what it is for.
    assert found.decisions > 20 and found.adjustments > 5
    assert found.sentence().startswith(f"{len(run.times)} of {len(run.times)} iterations decide the same")
    assert (found.damage.missing, found.damage.lines) == (0, 0)


def test_books_and_tables_come_back_as_they_were(recorded):
    folder, run = recorded
    (file,) = {*snapshot_files(folder)[:1]}
    assert file.parent == folder / "snapshots"
    found = [s for path in snapshot_files(folder) for s in read_snapshots(path, Damage())]
    assert len(found) == len(run.books)
    for snapshot, book in zip(found[::20], run.books[::20], strict=True):
        assert encoded(snapshot.book) == encoded(book)
        assert snapshot.book.positions.keys() == book.positions.keys()
        assert (snapshot.book.time, str(snapshot.book.time.tzinfo)) == (book.time, str(book.time.tzinfo))
    assert any(book.positions for book in run.books[::20]) and any(book.closed_trades for book in run.books[::20])


def test_a_setting_that_changed_is_named_and_explains(recorded, capsys):
    before = ["parity", str(busiest(recorded))]
    assert main([*before, "--set", "signals.modules.mean_reversion.oversold_rsi=20", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reason"] == "settings" and told["unexplained"] == 0
    assert told["settings_changed"] == ["signals.modules.mean_reversion.oversold_rsi"]
    assert told["counts"][Cause.GONE] > 0 and told["same"] < told["iterations"]
    assert main([*before, "--set", "sizing.max_notional_frac=0.05"]) == 0
    assert "the settings differ from the recorded ones in sizing.max_notional_frac" in capsys.readouterr().out


def test_the_command_says_that_all_is_the_same_and_writes_its_page(recorded, tmp_path, capsys):
    page = tmp_path / "parity.html"
    assert main(["parity", str(busiest(recorded)), "--out", str(page)]) == 0
    assert "7 of 7 iterations" in capsys.readouterr().out
    assert "iterations decide the same" in page.read_text()


@pytest.mark.parametrize("cause", [Cause.FIGURES, Cause.RULE, Cause.READING, Cause.ORDER, Cause.NEW, Cause.GONE])
def test_a_difference_has_its_cause(recorded, tmp_path, cause):
    def change(line):
        for decision in line.get("plan", {}).get("decisions", ()):
            first = decision["verdicts"][0]
            if cause is Cause.FIGURES:
                decision["proposal"]["atr"] *= 1.01
            elif cause is Cause.RULE:
                first["after"] += 1
            elif cause is Cause.READING:
                first["inputs"] = {**first["inputs"], "equity": 1.0}
            elif cause is Cause.ORDER:
                first["module"] = "another"
            elif cause is Cause.GONE:
                decision["proposal"]["signal"] = "another"
        if cause is Cause.NEW and "plan" in line:
            line["plan"]["decisions"] = []

    paths = [altered_day(recorded, tmp_path, path, change) for path in snapshot_files(recorded[0])[10:20]]
    found = parity(paths)
    assert found.counts[cause] > 0 and found.reason is Reason.UNEXPLAINED
    assert found.unexplained == len(found.differences) and "this is a fault" in found.sentence()
    assert document(found)["counts"][str(cause)] == found.counts[cause]
    assert str(cause) in parity_page(found)
    assert main(["parity", str(tmp_path / paths[-1].name)]) in (0, 1)


def altered_day(recorded, tmp_path, source, change):
    with gzip.open(source, "rt") as file:
        lines = [json.loads(line) for line in file]
    for line in lines:
        change(line)
    path = tmp_path / source.name
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def test_another_program_explains(recorded, tmp_path):
    def change(line):
        if "program" in line:
            line["program"] = "0.0.1"
        for decision in line.get("plan", {}).get("decisions", ()):
            decision["proposal"]["stop"] += 1.0

    paths = [altered_day(recorded, tmp_path, path, change) for path in snapshot_files(recorded[0])[10:20]]
    found = parity(paths)
    assert found.differences and found.reason is Reason.PROGRAM and found.unexplained == 0
    assert "the record is of version 0.0.1" in found.sentence()


def test_a_cut_line_and_a_missing_iteration_are_told(recorded, tmp_path):
    with gzip.open(snapshot_files(recorded[0])[12], "rt") as file:
        header, *snapshots = file.read().splitlines()
    assert len(snapshots) == 7
    path = tmp_path / "one.jsonl.gz"

    def checked(*lines, tail=b""):
        path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()) + tail)
        found = parity([path])
        return found.iterations, found.damage.missing, found.damage.lines

    assert checked(header, *snapshots) == (7, 0, 0)
    # Where the disk hung for long, iterations are left out; what comes after holds all that is new since the last.
    later = [json.dumps({**json.loads(line), "number": json.loads(line)["number"] + 3}) for line in snapshots[2:]]
    assert checked(header, *snapshots[:2], *later) == (7, 3, 0)
    # Without its bar nothing after a line that was taken out can be rebuilt.
    assert checked(header, snapshots[0], *snapshots[2:]) == (1, 0, 5)
    assert checked(header, snapshots[0], snapshots[1][:50]) == (1, 0, 1)
    assert checked(header, snapshots[0], tail=gzip.compress(b"x" * 5_000)[:20]) == (1, 0, 1)
    with pytest.raises(Refusal, match="another version"):
        checked(header.replace('"version":1', '"version":99'))


def test_nothing_recorded_is_refused(tmp_path, capsys):
    assert main(["parity", str(tmp_path)]) == 2
    assert "no trader has recorded" in capsys.readouterr().err


def test_a_table_grows_by_what_is_new_or_corrected(monkeypatch):
    table = context().table
    # A few rows are text at a time, and the last ones fewer.
    monkeypatch.setattr("brokers.live_state.bar_changes.BLOCK_VALUES", 7 * 5 * len(table.symbols))
    reader, before = GrowingTable(), None
    sizes = []
    for last in range(60, 80):
        seen = tail(table, last - 50, last)
        if last == 70:
            seen.close[10, 0] = seen.close[10, 0] * 1.001
        record = json.loads("".join(changes(seen, before)))
        again = reader.apply(record)
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(again, name), getattr(seen, name))
        np.testing.assert_array_equal(again.session, seen.session)
        assert list(again.opens_at) == list(seen.opens_at) and again.opens_at.tz == seen.opens_at.tz
        assert list(again.closes_at) == list(seen.closes_at)
        sizes.append(len(record["bars"]))
        before = seen
    assert sizes[0] == 50 and set(sizes[1:10]) == {1} and sizes[10] == 2
    # Another universe is written as a whole.
    other = BarTable(("X",), table.opens_at, table.closes_at, table.session, table.minutes,
                     *(getattr(table, name)[:, :1] for name in FIELDS))  # fmt: skip
    assert len(json.loads("".join(changes(other, before)))["bars"]) == len(table)


def test_values_of_other_types_are_refused():
    with pytest.raises(TypeError):
        encoded(object())
    with pytest.raises(TypeError):
        decoded(complex, 1)
