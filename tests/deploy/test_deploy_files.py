"""The files for systemd and containers: linted where the tools are there, and holding what the page promises."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from brokers.desk.lifecycle.wiring import LEAVE_WITHIN_S

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SPELLED = {15.0: "fifteen"}
UNITS = ("risk-first@.service", "risk-first-failed@.service")
UNIT = (DEPLOY / UNITS[0]).read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def units(tmp_path):
    """Both units as an instance, with a program that exists on this machine."""
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8").replace("/opt/risk-first/.venv/bin/python", "/bin/true")
        (tmp_path / name.replace("@", "@paper")).write_text(text, encoding="utf-8")
    return [str(path) for path in sorted(tmp_path.iterdir())]


@systemd
def test_systemd_finds_nothing_wrong(units):
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "risk-first" in line]
    assert (done.returncode, told) == (0, [])


@systemd
def test_little_is_exposed(units):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", *units],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Unknown" in done.stderr or "unrecognized" in done.stderr:
        pytest.skip("this systemd cannot judge files")
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr


def test_the_unit_ends_and_starts_as_the_exit_statuses_mean():
    for line in (
        "Restart=on-failure", "RestartPreventExitStatus=2 3", "KillSignal=SIGTERM", "UMask=0077",
        "StateDirectoryMode=0700",
        "OnFailure=risk-first-failed@%i.service", "NoNewPrivileges=yes", "ProtectSystem=strict",
    ):  # fmt: skip
        assert line in UNIT.splitlines(), line
    after = next(line for line in UNIT.splitlines() if line.startswith("After="))
    assert "postgresql.service" in after, "a journal on this machine's server is started before"
    stop = int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1])
    assert stop > LEAVE_WITHIN_S, "longer than the trader takes to leave"
    assert f"it needs {SPELLED[LEAVE_WITHIN_S]} at most" in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_the_image_runs_as_nobody_in_particular_and_holds_no_state():
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    assert "USER 10001:10001" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    assert not any("KEY" in line or "SECRET" in line for line in lines)
    assert all(line.partition(" ")[2].startswith("[") for line in lines if line.startswith(("ENTRYPOINT", "CMD")))
    assert all("--require-hashes" in line for line in lines if "pip install" in line)
    left_out = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {"state", "runs", "**/*.env", ".git"} <= set(left_out)


def test_services_share_no_state_and_publish_nothing():
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = found["services"]
    traders = {name: one for name, one in services.items() if one["command"][0] == "trade"}
    assert len(traders) == 2
    mounts = [one["volumes"][0].partition(":")[0] for one in traders.values()]
    assert len(set(mounts)) == 2
    assert set(mounts) == set(found["volumes"])
    for one in traders.values():
        assert one["init"]
        assert one["read_only"]
        assert one["restart"] == "unless-stopped", "a reboot leaves no trader down"
        assert (one["stop_grace_period"], one["cap_drop"]) == ("30s", ["ALL"])
    assert all("ports" not in one for one in services.values())
    assert "env_file" not in services["dashboard"], "the page's process has no keys"
    assert services["dashboard"]["environment"] == ["DATABASE_URL"], "which holds the journal, where a server has it"
    assert services["dashboard"]["volumes"][0].endswith(":ro")


def test_every_command_of_the_files_is_one():
    from commands.app import COMMANDS

    named = re.findall(r"-m commands (\w[\w-]*)", UNIT + (DEPLOY / UNITS[1]).read_text(encoding="utf-8"))
    named += [one["command"][0] for one in yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()]
    assert set(named) >= {"trade", "notify", "dashboard"}
    assert set(named) <= set(COMMANDS)


def test_a_trader_that_writes_is_healthy_and_one_that_hangs_is_not(tmp_path):
    script = [sys.executable, str(DEPLOY / "healthy.py"), str(tmp_path), "300"]
    assert subprocess.run(script, check=False).returncode == 1, "nothing was ever written"
    age_s = runpy.run_path(str(DEPLOY / "healthy.py"))["age_s"]
    (tmp_path / "trader.json").touch()
    assert age_s(tmp_path, time.time()) < 60
    os.utime(tmp_path / "trader.json", (1, 1))
    assert age_s(tmp_path, time.time()) > 300
    (tmp_path / "log").mkdir()
    (tmp_path / "log/trader.jsonl").touch()
    assert subprocess.run(script, check=False).returncode == 0
