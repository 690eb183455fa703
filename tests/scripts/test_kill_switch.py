"""The kill switch as a command: what it sets is what a trader reads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from brokers.desk.entry_halts import KillLevel, KillSwitch
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
    assert SCRIPT.main(["status", "--state-dir", str(tmp_path)]) == 0
    assert ": off: entries are allowed" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    KillSwitch(tmp_path).pull(KillLevel.FLATTEN)
    assert SCRIPT.main(["status", "--state-dir", str(tmp_path)]) == 0
    assert ": flatten: a trader that runs, or is started now, sells" in capsys.readouterr().out


def test_the_folder_is_the_settings_own(tmp_path, capsys):
    assert SCRIPT.main(["stop", "--set", f"live.state_dir={tmp_path}"]) == 0
    assert KillSwitch(tmp_path).level is KillLevel.STOP


def test_a_folder_that_no_trader_reads_is_refused(tmp_path, capsys):
    assert SCRIPT.main(["stop", "--state-dir", str(tmp_path / "stat")]) == 2
    said = capsys.readouterr().err
    assert "no trader reads it" in said and said.count("\n") == 1
    assert not (tmp_path / "stat").exists()


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
