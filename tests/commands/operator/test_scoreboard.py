"""The scoreboard of a trader's journal, as a screen and as a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands.app import main
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


def test_a_folder_without_a_journal_is_refused(tmp_path, capsys):
    assert main(["scoreboard", "--state-dir", str(tmp_path)]) == 2
    assert "journal" in capsys.readouterr().err
