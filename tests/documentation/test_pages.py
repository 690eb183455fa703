"""What the pages tell a reader to type exists and is parsed, what they link to is there, and they build as a site."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from brokers.journal import Journal
from commands.app import COMMANDS, available, load, main
from live_trader import live_trader

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
TYPED = re.compile(r"(?:risk-first|-m commands) (?P<line>[^`\n|]+)|live_trader\.py (?P<old>[^`\n|]+)")
PLACEHOLDER = re.compile(r"[|…\[\]]|\.\.\.")
RUN = (["show-config"], ["size", "--entry", "170", "--stop", "163", "--equity", "105000"], ["kill", "status"])
"""Commands of the pages that need no keys, no data and less than a second."""
NOT_AS_THEY_STAND = ("never-done.md", "rehearsal-exchange.md", "writing-a-signal.md")
"""Pages whose commands show a refusal, or settings that need an exchange or a signal of the page's own."""


def typed_lines() -> list[tuple[str, str]]:
    """Page and command line of everything that a page tells a reader to type."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for match in TYPED.finditer(text):
            line = match["line"] or f"LIVE {match['old']}"
            found.append((page.name, line.partition(" #")[0].strip()))
    return found


LINES = typed_lines()


def options_of(command) -> set[str]:
    named = (name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))
    return {*named, "-h", "--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    targets = [t.partition("#")[0] for t in LINK.findall(page.read_text(encoding="utf-8"))]
    local = [t for t in targets if t and "://" not in t and not t.startswith("mailto:")]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_what_is_never_done_is_held_by_tests_that_exist():
    lines = (ROOT / "docs/never-done.md").read_text(encoding="utf-8").splitlines()
    promises = [line for line in lines if line.startswith("| ") and not line.startswith("| never |")]
    named = [re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", line) for line in promises]
    assert len(named) >= 15 and all(named)
    for file, name in (one for several in named for one in several):
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), (file, name)


def test_the_workflows_of_the_forge_run_the_checks_and_codeql_with_few_rights():
    flows = {p.stem: yaml.safe_load(p.read_text(encoding="utf-8")) for p in (ROOT / ".github/workflows").glob("*.yml")}
    steps = {name: [step for job in flow["jobs"].values() for step in job["steps"]] for name, flow in flows.items()}
    assert {"run": "bash .ci/run"} in steps["checks"]
    assert any(step.get("uses", "").startswith("github/codeql-action/analyze@") for step in steps["codeql"])
    assert flows["checks"]["permissions"] == {"contents": "read"}
    assert flows["codeql"]["permissions"] == {"contents": "read", "security-events": "write"}


def test_every_page_of_the_documentation_is_in_its_contents():
    listed = set(re.findall(r"^[a-z][a-z-]+$", (ROOT / "docs/index.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"} == listed


def test_every_command_and_option_of_the_pages_exists():
    wrong, seen = [], set()
    for page, line in LINES:
        words = shlex.split(line.replace("'", ""), comments=False) if line.count('"') % 2 == 0 else line.split()
        name = words[0]
        if name == "LIVE":
            known = options_of(live_trader.click)
        elif name in COMMANDS and name in available():
            command = load(name)
            known = options_of(command)
            for sub in getattr(command, "commands", {}).values():
                known |= options_of(sub)
        elif not re.fullmatch(r"[a-z][a-z-]+", name) or name == "backtest":
            continue
        else:
            wrong.append(f"{page}: {line}: no command {name}")
            continue
        seen.add(name)
        given = [w.partition("=")[0] for w in words[1:] if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", w)]
        wrong += [f"{page}: {line}: {option}" for option in given if option not in known]
    assert wrong == []
    assert len(seen) >= 12, f"only {sorted(seen)} were found in the pages"


def settings_typed() -> list[tuple[str, list[str]]]:
    """Page and settings' options of every command line that names a profile or a value."""
    found = []
    for page, line in LINES:
        words = shlex.split(line, comments=False) if line.count('"') % 2 == 0 and line.count("'") % 2 == 0 else []
        pairs = [pair for pair in itertools.pairwise(words) if pair[0] in ("--profile", "--set")]
        # The placeholders of a table, and values that a page shows refused or that need what else it shows.
        if pairs and page not in NOT_AS_THEY_STAND and not any(name.isupper() for _, name in pairs):
            found.append((page, list(itertools.chain(*pairs))))
    return found


def test_the_settings_of_the_pages_commands_are_taken():
    refused, seen = [], set()
    for page, options in settings_typed():
        if main(["show-config", *options, "--json"]) != 0:
            refused.append((page, options))
        seen.add(page)
    assert refused == []
    assert {"README.md", "settings.md"} <= seen


@pytest.mark.parametrize("argv", RUN, ids=" ".join)
def test_commands_of_the_pages_run(argv, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    assert main(argv) == 0, capsys.readouterr().err


@pytest.mark.slow
def test_the_pages_build_as_a_site_without_a_warning(tmp_path):
    """Slow: Sphinx reads every page, about five seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(ROOT / "docs"), str(tmp_path)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "deploy.html").exists()


def test_the_backup_of_the_page_copies_a_journal_that_is_being_written(tmp_path):
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    program = re.search(r"python - \S+ \S+ <<'END'\n(.*?)\nEND\n", text, re.DOTALL)[1]
    now = datetime.now(UTC)
    with Journal(tmp_path / "journal.sqlite3", "account", lambda: now) as journal:
        journal.halt(now.date(), "drawdown_halt", now, "test")
        copy = tmp_path / "copy.sqlite3"
        done = subprocess.run(
            [sys.executable, "-", str(tmp_path / "journal.sqlite3"), str(copy)],
            input=program, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    with Journal(copy, "account", lambda: now) as restored:
        assert restored.halts(now.date()) == {"drawdown_halt"}
