"""The kill switch as a command: what it sets is what a trader reads."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.operator.next_sale import next_sale
from monitoring.state import STATE_FILE, StateWriter, TraderState
from tests.scripts.venue import SCRIPTS, script

SCRIPT = script("kill_switch")


@pytest.mark.parametrize("level", ["stop", "flatten", "off"])
def test_a_level_is_set_and_told(tmp_path, level, capsys):
    KillSwitch(tmp_path).pull(KillLevel.FLATTEN if level == "stop" else KillLevel.STOP)
    assert SCRIPT.main([level, "--state-dir", str(tmp_path)]) == 0
    assert KillSwitch(tmp_path).level is KillLevel(level)
    said = capsys.readouterr().out
    assert f"{level} now" in said and str(tmp_path) in said
    assert SCRIPT.main([level, "--state-dir", str(tmp_path)]) == 0
    assert f"was {level} already" in capsys.readouterr().out


def test_status_shows_and_changes_nothing(tmp_path, capsys):
    trader(tmp_path)
    assert SCRIPT.main(["status", "--state-dir", str(tmp_path)]) == 0
    assert ": off: entries are allowed" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]
    KillSwitch(tmp_path).pull(KillLevel.FLATTEN)
    assert SCRIPT.main(["status", "--state-dir", str(tmp_path)]) == 0
    assert ": flatten: a trader that runs, or is started now, sells" in capsys.readouterr().out


NEW_YORK = {"pace": {"market": "NYSE"}}
EVENING = datetime(2023, 3, 10, 22, 30, tzinfo=UTC)
"""A Friday, 17:30 in New York; on the Monday the sun is an hour earlier by the clock."""


def trader(folder, **more):
    """A trader's state as of that evening."""
    said = {"written": EVENING, "time": EVENING, "started": EVENING, "settings": NEW_YORK, **more}
    fixed = {"beat_s": 1, "pace_s": 60, "speed": 1, "mode": "paper", "profile": "swing", "strategy": "combined"}
    StateWriter(folder / STATE_FILE).write(TraderState(**{**fixed, "pid": 1, **said}))


@pytest.mark.parametrize(
    ("more", "later", "opens"),
    [
        ({}, timedelta(hours=1), "2023-03-13T09:30:00-04:00"),
        ({}, timedelta(days=3), "2023-03-14T09:30:00-04:00"),
        ({}, timedelta(hours=64), None),
        ({"settings": {"pace": {"market": "24/7"}}}, timedelta(0), None),
        # A rehearsal's clock is the venue's, and stands still after its end.
        ({"time": EVENING - timedelta(days=30, hours=3)}, timedelta(0), None),
        ({"time": EVENING - timedelta(days=30), "speed": 60.0}, timedelta(minutes=1), "2023-02-09T09:30:00-05:00"),
        ({"time": EVENING - timedelta(days=30), "ended": "done"}, timedelta(0), None),
        ({"ended": "done"}, timedelta(0), "2023-03-13T09:30:00-04:00"),
    ],
)
def test_the_opening_that_sales_wait_for_is_the_venue_s(tmp_path, more, later, opens):
    trader(tmp_path, **more)
    found = next_sale(tmp_path, EVENING + later)
    assert (None if found is None else found.isoformat()) == opens


def test_flatten_after_the_close_says_when_it_sells(tmp_path, capsys, monkeypatch):
    trader(tmp_path)
    monkeypatch.setattr("brokers.operator.kill_switch.next_sale", lambda folder: next_sale(folder, EVENING))
    where = ["--state-dir", str(tmp_path)]
    assert SCRIPT.main(["flatten", *where]) == 0
    waits = "; the market is closed, so sales wait for the next opening, Mon 2023-03-13 09:30 New York\n"
    assert capsys.readouterr().out.endswith(waits)
    assert SCRIPT.main(["status", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["sales_wait_for"] == "2023-03-13T09:30:00-04:00"
    for level in ("stop", "off"):
        assert SCRIPT.main([level, *where]) == 0
        assert "sales wait" not in capsys.readouterr().out
    (tmp_path / STATE_FILE).write_text("damaged")
    assert SCRIPT.main(["flatten", *where]) == 0
    assert KillSwitch(tmp_path).level is KillLevel.FLATTEN


def test_the_folder_is_the_settings_own(tmp_path, capsys):
    assert SCRIPT.main(["stop", "--set", f"live.state_dir={tmp_path}"]) == 0
    assert KillSwitch(tmp_path).level is KillLevel.STOP


def test_a_folder_that_no_trader_reads_is_refused(tmp_path, capsys):
    assert SCRIPT.main(["stop", "--state-dir", str(tmp_path / "stat")]) == 2
    said = capsys.readouterr().err
    assert "no trader reads it" in said and said.count("\n") == 1
    assert not (tmp_path / "stat").exists()


@pytest.mark.parametrize("level", ["stop", "flatten"])
def test_a_folder_of_something_else_is_refused_and_names_a_run_s_state(tmp_path, level, capsys):
    run = tmp_path / "rehearse-swing-2023-03-10"
    run.mkdir()
    (run / "summary.json").touch()
    assert SCRIPT.main([level, "--state-dir", str(run)]) == 2
    said = capsys.readouterr().err
    assert f"holds neither {STATE_FILE} nor journal.sqlite3" in said and said.count("\n") == 1
    (run / "state").mkdir()
    trader(run / "state")
    assert SCRIPT.main([level, "--state-dir", str(run)]) == 2
    said = capsys.readouterr().err
    assert f"write --state-dir {run / 'state'}" in said and said.count("\n") == 1
    assert not {path.name for path in run.iterdir()} & {"STOP", "FLATTEN"}
    assert SCRIPT.main([level, "--state-dir", str(run / "state")]) == 0
    assert KillSwitch(run / "state").level is KillLevel(level)


@pytest.mark.parametrize("name", ["trader.json", "journal.sqlite3", "log/trader.jsonl"])
def test_whatever_a_trader_wrote_makes_a_folder_its_own(tmp_path, name, capsys):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert SCRIPT.main(["stop", "--state-dir", str(tmp_path)]) == 0
    assert "no entries from the next iteration on" in capsys.readouterr().out


def test_before_the_first_start_an_empty_folder_is_taken_and_said_to_be_unread(tmp_path, capsys):
    for level, does in (("stop", "enters nothing"), ("flatten", "sells everything of its own and ends")):
        assert SCRIPT.main([level, "--state-dir", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        assert "no trader has written in this folder yet" in said and said.endswith(f"one that starts here {does}\n")
        assert KillSwitch(tmp_path).level is KillLevel(level)
    assert SCRIPT.main(["off", "--state-dir", str(tmp_path)]) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_the_settings_is_taken_whatever_it_holds(tmp_path, capsys):
    (tmp_path / "notes.txt").touch()
    settings = ["--set", f"live.state_dir={tmp_path}"]
    assert SCRIPT.main(["stop", "--state-dir", str(tmp_path), *settings]) == 0
    assert SCRIPT.main(["flatten", *settings]) == 0
    assert KillSwitch(tmp_path).level is KillLevel.FLATTEN


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch, capsys):
    def full(self, level):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(KillSwitch, "pull", full)
    assert SCRIPT.main(["stop", "--state-dir", str(tmp_path)]) == 2
    assert "cannot be written (Permission denied)" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["halt"], ["stop", "--statedir", "x"]])
def test_bad_arguments_are_refused_in_one_sentence(arguments, capsys):
    assert SCRIPT.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_as_a_command(tmp_path):
    command = [sys.executable, str(SCRIPTS / "kill_switch.py"), "flatten", "--state-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert KillSwitch(tmp_path).level is KillLevel.FLATTEN


@pytest.mark.parametrize("name", ["emergency_cleanup", "reconcile_alpaca", "check_positions", "kill_switch"])
def test_every_script_explains_itself(name, capsys):
    assert script(name).main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "Exit status" in said and "--state-dir" in said
