"""The scoreboard of a trader's journal, as a screen and as a document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backtests.live.live_runs import _measured
from backtests.reports.live_scoreboard import board, journal_record
from backtests.reports.scoreboard import LABELS, scoreboard
from brokers.journal import Cumulative, Journal, OrderIntent
from brokers.record import EquityRow, RunRecord
from commands.app import main
from config import load
from monitoring.journal_reader import JournalReader
from monitoring.own_shares import net_fills, own_shares
from risk.model import Decision, Plan, Verdict
from tests.brokers.desk.scene import ACCOUNT, Scene
from tests.risk.helpers import proposal


@pytest.fixture
def traded(tmp_path: Path) -> Path:
    """The journal of a morning in which one position was opened, stopped out and another opened."""
    scene = Scene(tmp_path, journal=str(tmp_path / "journal.sqlite3"))
    scene.enter("AAPL", 50)
    scene.settle(3)
    scene.step(60, AAPL=94.0)
    scene.settle(3)
    scene.enter("MSFT", 20)
    scene.settle(3)
    scene.stop()
    return tmp_path


def test_every_day_of_a_journal_is_measured(traded, capsys):
    assert main(["scoreboard", "--state-dir", str(traded), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    total = {score["label"]: score["text"] for score in found["total"]}
    assert total["Win rate"] == "0.0%" and total["Filled within 30 s"] == "100.0%" and total["Sectors held"] == "1"
    assert [day["day"] for day in found["days"]] == ["2023-03-07"]
    assert sum(stopped for stopped, _ in found["stop_outs"].values()) == 1


def test_the_screen_shows_totals_days_and_what_was_measured_how(traded, capsys):
    assert main(["scoreboard", "--state-dir", str(traded), "--days", "1"]) == 0
    told = capsys.readouterr().out
    assert "Filled within 30 s" in told and "2023-03-07" in told and "1 of 1, 100%" in told
    assert "Filled within 30 s counts entries that filled at all" in told


def halted(folder: Path, count: int) -> None:
    """As many halts of two sessions, the first of which refused a proposal, and one of a session."""
    with Journal(str(folder / "journal.sqlite3"), ACCOUNT) as journal:
        journal.begin_run("rehearse", "combined", "active", "abc")
        for place in range(count):
            began = datetime(2023, 3, 7, 15, tzinfo=UTC) + timedelta(days=7 * place)
            for session in (began.date(), began.date() + timedelta(days=1)):
                journal.halt(session, "streak_halt", began, "equity 98000.00")
        refused = Verdict("streak_halt", "STREAK_HALT: 5 losing trades in a row, 5 sessions", 10, 0)
        wish = proposal(symbol="NVDA", quantity=0)
        later = datetime(2023, 3, 7, 16, tzinfo=UTC)
        journal.decisions(Plan(later, decisions=(Decision(later, wish, 10, (refused,)),)))


def test_halts_are_told_with_their_end_and_what_they_refused(traded, capsys):
    halted(traded, 7)
    assert main(["scoreboard", "--state-dir", str(traded), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["halts"]
    assert len(found) == 7
    first = {"rule": "streak_halt", "began": "2023-03-07T10:00:00-05:00", "until": "2023-03-09T00:00:00-05:00"}
    assert {key: found[-1][key] for key in first} == first
    assert [halt["refused"] for halt in found] == [0, 0, 0, 0, 0, 0, 1]
    assert main(["scoreboard", "--state-dir", str(traded)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "halted by streak_halt 2023-04-18 11:00 to 2023-04-20 00:00, refused 0" in told
    assert "and 2 earlier halts, refused 1" in told


def test_the_end_of_a_run_and_the_scoreboard_measure_with_one_function(traded):
    """The desk's own counts, as they were when a stop had ended and its look was older, are replaced."""
    halted(traded, 1)
    reader = JournalReader(traded / "journal.sqlite3")
    whole = journal_record(reader)
    record = RunRecord(initial_equity=1.0, equity=whole.equity, slippage_cost=-5.0, position_bars=9, protected_bars=9)
    settings = load(overrides=[f"live.state_dir={traded}"])
    measured = _measured(record, settings)
    totals = {score["label"]: score["text"] for score in board(reader)["total"]}
    printed = {LABELS[s.measure]: s.text for s in scoreboard(measured, sectors={}) if s.day is None}
    assert printed["Slippage"] == totals["Slippage"] != "–"
    assert printed["Position time protected"] == totals["Position time protected"]
    assert (record.slippage_cost, record.position_bars, record.protected_bars) == (
        whole.slippage_cost, whole.position_bars, whole.protected_bars,
    )  # fmt: skip
    assert [halt.module for halt in measured.halts] == ["streak_halt"]
    later = journal_record(reader, since=whole.equity[-1].time + timedelta(days=30))
    assert (later.equity, later.trades, later.halts) == ([], [], [])
    assert _measured(record, load(overrides=[f"live.state_dir={traded / 'none'}"])) is record


def test_a_folder_without_a_journal_is_refused(tmp_path, capsys):
    assert main(["scoreboard", "--state-dir", str(tmp_path)]) == 2
    assert "journal" in capsys.readouterr().err


def test_what_hands_hold_is_no_position_without_a_stop(tmp_path):
    scene = Scene(tmp_path, journal=str(tmp_path / "journal.sqlite3"))
    scene.enter("AAPL", 50)
    scene.settle(3)
    hand = {"symbol": "MSFT", "qty": "20", "side": "buy", "type": "market", "time_in_force": "day"}
    scene.exchange.submit({**hand, "client_order_id": "by hand"})
    scene.settle(10)
    assert scene.positions.book.manual == {"MSFT": 20}
    found, own = journal_record(JournalReader(scene.address)), scene.desk.record
    assert (found.protected_bars, found.position_bars) == (own.protected_bars, own.position_bars)
    scene.stop()


def test_shares_that_were_split_and_sold_are_held_no_more(tmp_path):
    at = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
    day = timedelta(days=1)
    with Journal(tmp_path / "journal.sqlite3", ACCOUNT, lambda: at) as journal:
        journal.begin_run("live", "combined", "active", "h")

        def filled(role, side, shares, usd, time):
            intent = OrderIntent("combined", "NVDA", side, Decimal(shares), "market", role, time)
            name = journal.plan_order(intent)
            journal.sent(name, name[-6:])
            journal.event(name, "filled", time=time, fills=[Cumulative(Decimal(shares), Decimal(usd), time)])

        filled("entry", "buy", 10, 400, at)
        filled("manual", "buy", 2, 400, at + timedelta(hours=1))
        journal.split("NVDA", Decimal(12), Decimal(48), at + day)
        # A hand sells its own shares, then some of ours.
        filled("manual", "sell", 18, 100, at + day + timedelta(hours=1))
        filled("close", "sell", 30, 101, at + 2 * day)
        for days in (0.5, 1.5, 2.5, 300):
            journal.equity(EquityRow(at + days * day, 100.0, 100.0, 0.0, 0.0, 0))
        assert journal.positions_by_fills() == {}
    reader = JournalReader(tmp_path / "journal.sqlite3")
    assert [row.positions for row in journal_record(reader).equity] == [1, 1, 0, 0]
    with reader.open() as db:
        assert [shares for _, _, shares in own_shares(db)] == [10, 40, 30, 0]
        assert net_fills(db) == {}
