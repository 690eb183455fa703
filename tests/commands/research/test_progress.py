"""What long commands say while they work where standard error is no terminal."""

from __future__ import annotations

import io

import pytest

from backtests.research.monte_carlo import monte_carlo
from backtests.research.search.executors import InProcess
from backtests.research.search.registry import VARIABLE
from commands.app import main
from commands.research import progress as module
from commands.research.progress import ProgressLines, progress
from tests.backtests.research.lab import context


class Ticking:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(steps: list[tuple[float, int]], total: int | None, at_once: int = 1) -> list[str]:
    clock, out = Ticking(), io.StringIO()
    with ProgressLines(total, "run", at_once, out, clock) as lines:
        for clock.now, number in steps:
            lines.update(number)
    return out.getvalue().splitlines()


def test_an_estimate_comes_first_and_then_a_line_a_minute():
    steps = [(float(second), 1) for second in range(6, 6 * 31, 6)]
    assert told(steps, 500) == [
        "2 of 500 runs ended after 12 s, about 50 min left",
        "12 of 500 runs ended after 72 s, about 49 min left",
        "22 of 500 runs ended after 2 min, about 48 min left",
    ]


def test_the_estimate_waits_for_as_many_as_run_at_once():
    assert told([(20.0, 1), (20.5, 1)], 100, at_once=2) == ["2 of 100 runs ended after 20 s, about 17 min left"]


def test_what_an_earlier_start_had_tried_says_nothing_of_the_pace():
    assert told([(0.0, 90), (20.0, 1)], 100) == ["91 of 100 runs ended after 20 s, about 3 min left"]
    assert told([(0.0, 0), (30.0, 1)], 2) == ["1 of 2 runs ended after 30 s, about 30 s left"]


def test_what_is_over_soon_is_not_told():
    assert told([(1.0, 1), (8.0, 1)], 3) == []
    assert told([(5.0, 1), (12.0, 1)], 3) == []


def test_without_a_total_the_count_is_told_each_minute():
    assert told([(1.0, 1), (61.0, 1), (70.0, 1)], None) == ["2 runs ended after 61 s"]


def test_quiet_says_nothing(capsys):
    with progress(3, "run", quiet=True) as bar:
        bar.update(1)
    assert capsys.readouterr().err == ""
    assert isinstance(progress(3, "run", quiet=False), ProgressLines)


def test_each_random_strategy_is_told_as_it_ends():
    ended: list[int] = []
    assert len(monte_carlo(context(), 21, 1, InProcess(), ended.append).random) == 21
    assert ended == [1] * 21


@pytest.mark.parametrize(
    "arguments", [["monte-carlo", "--runs", "3"], ["band", "--slippage-bps", "0,5", "--fee-frac", "0"]]
)
def test_the_commands_tell_it_on_standard_error(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "trials.jsonl"))
    monkeypatch.setattr(module, "FIRST_S", 0.0)
    window = ["--start", "2020-01-02", "--end", "2020-12-31", "--workers", "1"]
    assert main([*arguments, *window]) == 0
    shown = capsys.readouterr()
    assert " runs ended after " in shown.err and " runs ended after " not in shown.out
