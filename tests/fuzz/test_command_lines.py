"""Seeded random command lines: each is carried out or refused in one sentence, without a traceback, and soon."""

from __future__ import annotations

import contextlib
import io
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import backtests.run_data as run_data
import commands.runs.replay_then_paper as replay_then_paper
import commands.runs.request as requests
import commands.runs.rerun as rerun
import live_trader
from commands.app import available, load, main

LONGEST_S = 2.0
"""Of computing: how long a busy machine takes is not the question."""
SHORT, LONG = 80, 4_000
WITHOUT_END = ("dashboard", "demo", "mcp")
"""These serve, or play for minutes, whatever they are told."""
NAMES = [name for name in available() if name not in ("data", "new", *WITHOUT_END)]
OPTIONS = sorted({option for name in NAMES for parameter in load(name).params for option in parameter.opts})
SPECIAL = [
    "AAPL", "A,B", "swing", "embedded", "yahoo", "none.csv", "2020-01-02", "2020-13-01", "0", "-1", "1e400", "nan",
    "9" * 5_000, "a.b=c", "sizing.risk_frac=0.01", ".".join("a" * 3_000) + "=1", "account.budget_usd=!!int x", "",
    "--", "-", "=", "stop", "status", "\x00", "é", "\ud800", "http://user:hunter2@host", "postgresql:u:hunter2",
]  # fmt: skip
WORDS = st.one_of(st.sampled_from(SPECIAL), st.text(max_size=12))
LINES = st.lists(st.one_of(st.sampled_from(OPTIONS), WORDS), max_size=7)
seen: Counter[int] = Counter()


def prepared_for_nothing(request, settings):
    """Trials of the research commands take minutes: their arguments are checked, and no trial is run."""
    raise typer.Exit(0)


@contextlib.contextmanager
def here_and_nothing(folder: Path) -> Iterator[None]:
    """Commands work in a folder, and run nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for module in (requests, replay_then_paper, rerun):
            patch.setattr(module, "carry_out", lambda request, **more: 0)
        patch.setattr(run_data, "data_for", prepared_for_nothing)
        # What the first command imports is none of the second's time.
        for name in ("backtest", "kill"):
            main([name, "--banana"])
            main([name, "status"])
        yield


@pytest.fixture(autouse=True)
def nothing_is_run(tmp_path_factory):
    with here_and_nothing(tmp_path_factory.mktemp("here")):
        yield


def random_line(rng: Random) -> list[str]:
    """A command and some of its arguments, of other commands' arguments, and words."""
    name = rng.choice(NAMES)
    own = [option for parameter in load(name).params for option in parameter.opts]
    line = [name]
    for _ in range(rng.randint(0, 7)):
        kind = rng.random()
        letters = (rng.choice([rng.randrange(32, 127), rng.randrange(1, 0x2FFF)]) for _ in range(rng.randint(0, 12)))
        line.append(rng.choice(own) if kind < 0.5 else rng.choice(OPTIONS) if kind < 0.6 else
                    rng.choice(SPECIAL) if kind < 0.9 else "".join(map(chr, letters)))  # fmt: skip
    return line


def outcome(line: list[str]) -> str:
    """Carry out a command line; what must not come of it is an error."""
    status, said, took = carried_out(main, line)
    if took >= LONGEST_S:
        # What is imported only once is none of the command's time.
        status, said, _ = carried_out(main, line)
    if "Traceback" in said or "hunter2" in said or status not in (0, 1, 2):
        raise AssertionError(f"{line}: status {status}: {said[-300:]}")
    if "--verbose" in line:
        # Settings that were chosen are told line by line before the sentence.
        said = "".join(said.splitlines(keepends=True)[-1:])
    if status == 2 and (said.count("\n") != 1 or len(said) <= 5):
        raise AssertionError(f"{line}: refused in {said.count(chr(10))} lines: {said[:200]}")
    return f"status {status}"


def carried_out(run, argv: list[str]) -> tuple[int, str, float]:
    """Status, what was said on standard error (and on standard output, if that is a traceback), and seconds of CPU."""
    out, err = io.StringIO(), io.StringIO()
    began = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(argv)
    said = err.getvalue() + (out.getvalue() if "Traceback" in out.getvalue() else "")
    return status, said, time.process_time() - began


def tried(run, argv: list[str]) -> None:
    status, said, took = carried_out(run, argv)
    if took >= LONGEST_S:
        # What is imported only once is none of the command's time.
        status, said, took = carried_out(run, argv)
    seen[status] += 1
    assert "Traceback" not in said
    assert "hunter2" not in said
    assert took < LONGEST_S, argv
    if status == 2:
        assert said.count("\n") == 1 and len(said) > 5, argv
    else:
        assert status in (0, 1), argv


@settings(max_examples=SHORT, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([name for name in NAMES if name not in ("compare", "rerun")]), LINES)
def test_random_commands(name, argv):
    tried(main, [name, *argv])


@settings(max_examples=SHORT, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(LINES)
def test_random_arguments_of_all_modes(argv):
    tried(live_trader.main, argv)


def test_every_outcome_was_seen():
    tried(main, ["backtest"])
    tried(main, ["backtest", "--banana"])
    assert seen[0] and seen[2]


@pytest.mark.slow
@settings(max_examples=LONG, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(NAMES), LINES)
def test_very_many_random_commands(name, argv):
    tried(main, [name, *argv])


@pytest.mark.parametrize("word", ["\ud800", "x\udfff.yaml"])
def test_what_is_no_text_is_refused_and_what_no_encoding_knows_is_not(word):
    """The first found by a random line; what a shell passes of other bytes is read as Python reads it."""
    tried(main, ["notify", "--config", word])
    status, said, _ = carried_out(main, ["show-config", "--config", word])
    assert status == 2 and said.endswith("is no text; write it in UTF-8\n")
    status, said, _ = carried_out(main, ["show-config", "--config", "\udcff.yaml"])
    assert status == 2 and "there is no such file" in said
    status, said, _ = carried_out(main, ["status", "--set", 'live.state_dir="\\ud800"'])
    assert status == 2 and said == (
        "--set live.state_dir, line 1: not valid YAML, half of a character is written with \\u: write the character "
        "itself\n"
    )
