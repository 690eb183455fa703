"""The stopwatch itself: turns, ratios within a round, and engines that fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.run import Engine, EngineFailed, Report, Run, main, measure, median_ratio, run_once, table

ROOT = Path(__file__).parents[2]
RESULT = 'print("noise"); print(\'JSON {"wall": 0.5, "fills": 7, "trades": 3, "w": "{work}"}\')'


def script(folder: Path, name: str, code: str) -> Engine:
    """Return an engine that is this code; it sees the work's name as its first argument."""
    path = folder / f"{name}.py"
    path.write_text(code)
    return Engine(name, (sys.executable, str(path), "{work}", "{symbols}"))


def run(engine: str, turn: int, seconds: float) -> Run:
    return Run(engine, "W1", turn, seconds, seconds, 100, 7, 3)


def test_reads_the_result(tmp_path: Path) -> None:
    result = run_once(script(tmp_path, "plain", RESULT), "W1", 30, 0, dict(os.environ), limit_s=30)
    assert (result.engine_s, result.fills, result.trades) == (0.5, 7, 3)
    assert result.process_s > 0


def test_peak_memory_is_that_of_the_engine(tmp_path: Path) -> None:
    # From an interpreter of its own: the size of the process that starts an engine counts in its peak.
    engine = script(tmp_path, "big", f"x = bytearray(200 << 20); {RESULT}")
    code = (
        "import os; from benchmarks.run import Engine, run_once;"
        f"print(run_once({engine!r}, 'W1', 30, 0, dict(os.environ), 30).peak_mb)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 200 < float(answer.stdout) < 260


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('no data')", "exit status 1: no data"),
        ("print('done')", "exit status 0: done"),
        ("pass", "no output"),
        ("import time; time.sleep(30)", "longer than 0.5 s"),
    ],
)
def test_a_failing_engine_says_why(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(EngineFailed, match=reason):
        run_once(script(tmp_path, "bad", code), "W1", 30, 0, dict(os.environ), limit_s=0.5 if "sleep" in code else 30)


def test_engines_take_turns_and_a_failing_one_drops_out(tmp_path: Path) -> None:
    fails_late = f"import sys; {RESULT}; sys.exit(sys.argv[1] == 'W2')"
    contenders = [script(tmp_path, "a", RESULT), script(tmp_path, "b", fails_late)]
    report = measure(contenders, ["W1", "W2"], 30, 2, dict(os.environ), limit_s=30)
    assert [(r.work, r.engine) for r in report.runs] == [
        ("W1", "a"), ("W1", "b"), ("W1", "a"), ("W1", "b"), ("W2", "a"), ("W2", "a"),
    ]  # fmt: skip
    assert list(report.failed) == ["b"]
    assert "b did not finish. W2: exit status 1" in table(report)


def test_ratios_are_taken_within_a_round() -> None:
    runs = [run("ours", 0, 1), run("peer", 0, 3), run("ours", 1, 10), run("peer", 1, 30), run("ours", 2, 2)]
    assert median_ratio(runs, "peer") == 3
    assert median_ratio(runs, "ours") == 1
    assert median_ratio(runs, "absent") is None


def test_table_shows_medians_and_spread() -> None:
    report = Report({"cpu": "x", "cores": 2}, {}, [run("ours", t, s) for t, s in enumerate((1, 9, 2))])
    assert "| W1 | ours | 3 | 2.000 | 1.000–9.000 | 1.00 | 2.00 | 100 | 7 | 3 |" in table(report)


def test_missing_common_work_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bench", str(tmp_path)]) == 2
    assert "common_data.py" in capsys.readouterr().err
