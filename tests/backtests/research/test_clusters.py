"""Workers and clusters change nothing in a study, and a killed process loses nothing of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backtests.research.search.executors import InProcess, executor
from backtests.research.search.registry import TrialRegistry
from backtests.research.search.space import grid_space
from backtests.research.search.study import Plan, Study
from tests.backtests.research.lab import RSI, STOP, context

pytestmark = pytest.mark.slow  # Processes are started that import everything.

ROOT = Path(__file__).parents[3]
GRID = [f"{RSI}=40,45", f"{STOP}=1.5,2.0,2.5"]
VALUES = ",".join(f"{0.10 + k / 400:.4f}" for k in range(40))
PATIENCE_S = 240.0


def study(folder: Path, shared):
    plan = Plan("grid", 0, 0, 4, 4, "sharpe")
    return Study(folder, shared, grid_space(GRID), plan, TrialRegistry(folder.parent / "trials.jsonl"), "hash")


@pytest.mark.parametrize(("cluster", "module"), [("dask://", "distributed"), ("ray://", "ray")])
def test_a_cluster_changes_nothing(tmp_path, cluster, module):
    pytest.importorskip(module, reason=f"the extra for {cluster} is not installed")
    shared = context()
    alone = study(tmp_path / "alone", shared).run(InProcess())
    with executor(2, cluster) as workers:
        together = study(tmp_path / "together", shared).run(workers)
    assert len(alone.trials) == 6 and alone.trials.keys() == together.trials.keys()
    for number, trial in alone.trials.items():
        other = together.trials[number]
        assert (trial.parameters, trial.sharpe, trial.trades) == (other.parameters, other.sharpe, other.trades)
        assert np.array_equal(trial.returns, other.returns)


def optimising(folder: Path, **options) -> subprocess.Popen[bytes]:
    words = ["optimise", "--quiet", "--workers", "1", "--start", "2020-01-02", "--end", "2020-12-31"]
    words += ["--grid", f"exits.models.fixed.target_frac={VALUES}", "--out", str(folder)]
    words += ["--registry", str(folder.parent / "trials.jsonl")]
    return subprocess.Popen([sys.executable, "-m", "commands", *words], cwd=ROOT, **options)


def finished(folder: Path) -> list[Path]:
    return sorted((folder / "returns").glob("*.npy"))


def test_kill_9_loses_nothing_and_repeats_nothing(tmp_path):
    folder, quiet = tmp_path / "study", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process, deadline = optimising(folder, **quiet), time.monotonic() + PATIENCE_S
    while len(finished(folder)) < 9 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {path.name: path.stat().st_mtime_ns for path in finished(folder)}
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    begun = sum(1 for _ in registry.entries())
    assert 9 <= len(kept) < begun < 40 and not (folder / "summary.json").exists()
    assert optimising(folder, **quiet).wait(PATIENCE_S) == 0
    summary = json.loads((folder / "summary.json").read_text())
    # Each trial that was told is as it was; each that was lost is tried once more, which is the same trial.
    after = {path.name: path.stat().st_mtime_ns for path in finished(folder)}
    assert kept.items() <= after.items()
    assert (summary["trials"], summary["refused"]) == (40, 0)
    # Up to a batch was running or waiting; the returns of the one that is being told may be there already.
    assert 0 < summary["failed"] <= begun - len(kept) + 1
    assert sum(1 for _ in registry.entries()) == 40 + summary["failed"] and summary["trials_ever"] == 40
    tried = [json.dumps(e["parameters"]) for e in registry.entries()]
    assert len(set(tried)) == 40 and len(tried) - 40 == summary["failed"]
