"""A journal read back as a record: what was sent when, what it made of the account, and how each day scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backtests.reports.scoreboard import scoreboard
from brokers.operator.journal_record import NOT_KEPT, record_of
from commands.app import main
from config.errors import Refusal
from tests.brokers.desk.scene import Scene


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


def test_orders_have_the_time_of_their_sending_and_of_their_fill(traded):
    record = record_of(traded / "journal.sqlite3")
    entries = [order for order in record.orders if order.role == "entry"]
    assert [order.symbol for order in entries] == ["AAPL", "MSFT"]
    assert all(order.sent_time is not None and order.status == "filled" for order in entries)
    assert all(0 < order.seconds_to_fill <= 3 for order in entries)
    (trade,) = record.trades
    assert (trade.symbol, trade.exit_reason) == ("AAPL", "stop") and trade.pnl < 0
    assert record.equity and record.initial_equity == 100_000


def test_every_day_of_a_journal_is_scored(traded):
    found = scoreboard(record_of(traded / "journal.sqlite3"), unknown=NOT_KEPT)
    total = {s.measure: s.value for s in found if s.day is None}
    assert total["win_rate"] == 0 and total["filled_in_time"] == 1 and total["interference"] == 0
    assert total["slippage"] is None and total["protected_share"] is None, "a journal keeps neither"


def test_the_command_shows_it_and_writes_it_as_a_document(traded, capsys):
    assert main(["scoreboard", "--state-dir", str(traded)]) == 0
    told = capsys.readouterr().out
    assert "Filled within 30 s" in told and "2023-03-07" in told and "stopped out: signal unknown 1 of 1" in told
    assert main(["scoreboard", "--state-dir", str(traded), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {score["day"] for score in found["scores"]} == {None, "2023-03-07"}
    assert found["stop_outs"] == {"": {"stopped": 1, "trades": 1}}


def test_a_folder_without_a_journal_or_without_a_day_is_refused(tmp_path, capsys):
    with pytest.raises(Refusal, match="no journal"):
        record_of(tmp_path / "journal.sqlite3")
    assert main(["scoreboard", "--state-dir", str(tmp_path)]) == 2
    assert "journal" in capsys.readouterr().err
