"""Every trial stays counted: across studies, processes and kills."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backtests.research.search.registry import VARIABLE, Entry, TrialRegistry, default_path
from config.errors import Refusal

ROOT = Path(__file__).parents[3]


def entry(number: int, data: str = "d1", study: str = "s1") -> Entry:
    return Entry(data, study, number, {"a": number}, ("2020-01-02", "2020-12-31"))


def test_trials_are_counted_by_their_data(tmp_path):
    registry = TrialRegistry(tmp_path / "below" / "trials.jsonl")
    assert registry.count("d1") == 0
    registry.add([entry(0), entry(1)])
    TrialRegistry(registry.path).add([entry(0, study="s2"), entry(0, data="d2")])
    assert (registry.count("d1"), registry.count("d2"), registry.count("d3")) == (3, 1, 0)
    assert [e["parameters"] for e in registry.entries()] == [{"a": 0}, {"a": 1}, {"a": 0}, {"a": 0}]


def test_what_is_tried_again_is_counted_once_also_in_a_register_of_earlier_versions(tmp_path):
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    old = {"time": "", "data": "d1", "study": "s1", "number": 0, "window": ["2020-01-02", "2020-12-31"]}
    lines = [{**old, "parameters": {"a": 0}}, {**old, "number": 8, "parameters": {"a": 0}}, {**old, "parameters": {}}]
    registry.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert registry.count("d1") == 2
    # The study of the old lines again, now with its settings' hash; then another study of the same settings.
    registry.add([dataclasses.replace(entry(0), configuration="c0"), dataclasses.replace(entry(1), configuration="c1")])
    assert registry.count("d1") == 3
    again = dataclasses.replace(entry(5, study="s2"), configuration="c0")
    registry.add([again, dataclasses.replace(again, window=("2021-01-04", "2021-12-31"))])
    assert registry.count("d1") == 4


def test_a_line_cut_short_spoils_no_other(tmp_path):
    registry = TrialRegistry(tmp_path / "trials.jsonl")
    registry.add([entry(0)])
    with registry.path.open("ab") as file:
        file.write(b'{"data":"d1","stu')
    registry.add([entry(1)])
    assert registry.count("d1") == 2
    assert registry.path.read_text().count("\n") == 3


def add_many(path: str, study: str) -> None:
    for number in range(40):
        TrialRegistry(Path(path)).add([entry(number, study=study)])


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    path = tmp_path / "trials.jsonl"
    workers = [multiprocessing.Process(target=add_many, args=(str(path), f"s{k}")) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 120 and len({(e["study"], e["number"]) for e in lines}) == 120


WRITER = """
import sys
from pathlib import Path
from backtests.research.search.registry import Entry, TrialRegistry
registry = TrialRegistry(Path(sys.argv[1]))
for number in range(10**6):
    registry.add([Entry("d1", "s1", number, {"a": number}, ("", ""))])
    print(number, flush=True)
"""


def test_what_was_said_to_be_registered_survives_a_kill(tmp_path):
    path = tmp_path / "trials.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )  # fmt: skip
    said = [process.stdout.readline() for _ in range(5)]
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.read().splitlines()
    process.wait()
    registry = TrialRegistry(path)
    assert registry.count("d1") >= len(said) >= 5
    # The dead process holds no lock.
    registry.add([entry(0)])
    assert registry.count("d1") >= len(said) + 1


def test_a_register_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match=f"set {VARIABLE} to a file"):
        TrialRegistry(tmp_path / "file" / "trials.jsonl").add([entry(0)])


def test_the_register_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine.jsonl"))
    assert default_path() == tmp_path / "mine.jsonl"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "risk-first" / "trials.jsonl"
