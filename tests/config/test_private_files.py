"""What is written is for its owner alone, whichever part of the program writes it."""

from __future__ import annotations

import ast
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from brokers.budget_file import save
from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.journal import Journal
from config.errors import exit_status
from config.private_files import open_to_others, private_files, private_folder
from risk.weekly_budget import WeeklyBudget

ROOT = Path(__file__).parents[2]
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}


@pytest.fixture(autouse=True)
def careless():
    """A user whose umask lets everybody read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in sorted(folder.rglob("*"))}


def test_a_state_folder_is_private_without_any_umask_of_ours(tmp_path):
    """As a plain Lumibot script makes it, which calls no command of ours."""
    state = tmp_path / "some" / "state"
    with Journal(state / "journal.sqlite3", "account", lambda: datetime.now(UTC)):
        KillSwitch(state).pull(KillLevel.FLATTEN)
        save(state / "weekly_budget.json", WeeklyBudget(datetime.now(UTC).date()), "account")
        found = modes(tmp_path)
    assert set(found) >= {"some", "some/state", "some/state/journal.sqlite3", "some/state/STOP"}
    assert {name: mode for name, mode in found.items() if mode not in ("0o700", "0o600")} == {}
    assert {found["some"], found["some/state"]} == {"0o700"}


def test_whatever_a_command_writes_is_private(tmp_path):
    def run() -> int:
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "orders.csv").write_text("AAPL")
        return 0

    assert exit_status(run) == 0
    assert modes(tmp_path) == {"runs": "0o700", "runs/orders.csv": "0o600"}
    (tmp_path / "later").touch()
    assert modes(tmp_path)["later"] == "0o644", "the caller's own umask is back"


def test_a_folder_that_is_there_stays_as_it_is_and_is_told_of(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    private_folder(shared)
    assert open_to_others(shared)
    private_folder(shared / "mine")
    assert not open_to_others(shared / "mine")
    with private_files():
        (tmp_path / "file").touch()
    assert not open_to_others(tmp_path / "file")


def test_posix_alone_is_needed_where_the_page_says_so():
    packages = ("config", "market", "risk", "strategies", "monitoring", "brokers", "backtests", "dashboard", "commands")
    users = set()
    for path in (path for package in packages for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if POSIX_ONLY & {*names, getattr(node, "module", None)}:
                users.add(str(path.relative_to(ROOT)))
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    assert users
    assert {user for user in users if user not in page} == set()
