"""The budget's file through restarts, damage, a full disk and kill -9."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers import budget_file
from brokers.budget_file import decode, encode, load, save
from config.errors import Refusal
from risk.weekly_budget import WeeklyBudget

ROOT = Path(__file__).parents[2]
ACCOUNT = "PA3ACCOUNT"
MONDAY = date(2024, 3, 4)
FRIDAY = MONDAY + timedelta(days=4)
FIRST = WeeklyBudget(MONDAY).opened("AMD", 10_000.1, MONDAY).opened("MU", 1 / 3, MONDAY).closed("MU", MONDAY)
SECOND = FIRST.opened("NVDA", 5_000, FRIDAY)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "weekly_budget.json"


def refusal(path: Path, account: str = ACCOUNT, today: date = FRIDAY) -> str:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(Refusal) as caught:
        load(path, account, today)
    assert before is None or path.read_bytes() == before
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "no entries until then" in message
    assert "\n" not in message
    return message


def tampered(path: Path, change) -> None:
    """A file with other content and a checksum that belongs to it."""
    body = json.loads(encode(SECOND, ACCOUNT))
    body.pop("sha256")
    change(body)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(body | {"sha256": budget_file._checksum(body)}))


def test_what_was_saved_is_loaded(path):
    for budget in (FIRST, SECOND, WeeklyBudget(FRIDAY)):
        save(path, budget, ACCOUNT)
        assert load(path, ACCOUNT, FRIDAY) == budget
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_budget_gives_the_same_bytes(path):
    save(path, SECOND, ACCOUNT)
    assert path.read_bytes() == encode(SECOND, ACCOUNT)
    assert json.loads(path.read_bytes())["account_id"] == ACCOUNT


def test_a_missing_file_is_an_empty_budget_and_said(path, caplog):
    with caplog.at_level(logging.INFO):
        assert load(path, ACCOUNT, FRIDAY) == WeeklyBudget(FRIDAY)
    assert "begins with an empty weekly budget" in caplog.text
    assert {record.levelname for record in caplog.records} == {"INFO"}, "a first start is nothing to warn of"
    assert not path.parent.exists()


def test_a_restart_in_a_later_week_keeps_what_is_open(path):
    save(path, SECOND, ACCOUNT)
    spent = load(path, ACCOUNT, FRIDAY + timedelta(days=3)).deployed(FRIDAY + timedelta(days=3))
    assert (spent.day_usd, spent.week_positions, spent.week_usd) == (0, 2, 15_000.1)


def test_every_shorter_file_is_refused(path):
    save(path, SECOND, ACCOUNT)
    whole = path.read_bytes()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        assert "is damaged, not complete JSON" in refusal(path)


def test_no_single_changed_byte_is_loaded_as_something_else():
    whole = encode(SECOND, ACCOUNT)
    for place in range(len(whole)):
        for value in {whole[place] ^ 1, whole[place] ^ 16, 0, 0x30, 0xFF} - {whole[place]}:
            try:
                loaded = decode(whole[:place] + bytes([value]) + whole[place + 1 :], ACCOUNT, FRIDAY)
            except ValueError:
                continue
            assert loaded == SECOND


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"\0" * 400, b"[" * 100_000, b"{'version': 1}", b"NaN"]
)
def test_garbage_is_refused(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda b: b["budget"]["charges"][0].update(usd=-1.0), "AMD is charged with -1.0 USD"),
        (lambda b: b["budget"]["charges"][0].update(usd=float("nan")), "AMD is charged with nan USD"),
        (lambda b: b["budget"]["charges"][0].update(usd=float("inf")), "AMD is charged with inf USD"),
        (lambda b: b["budget"]["charges"][0].update(usd="10000"), "budget.charges.0.usd is damaged"),
        (lambda b: b["budget"]["charges"][0].update(opened="2024-13-01"), "budget.charges.0.opened is damaged"),
        (lambda b: b["budget"]["charges"][0].update(opened="2024-03-11"), "AMD was opened or closed after 2024-03-08"),
        (lambda b: b["budget"].update(day_usd=-1.0), "-1.0 USD were opened on 2024-03-08"),
        (lambda b: b["budget"].pop("day"), "budget.day is damaged"),
        (lambda b: b["budget"].update(charges=None), "budget.charges is damaged"),
        (lambda b: b.pop("budget"), "budget is damaged"),
        (lambda b: b.update(version=2), "version is 2, known here is 1"),
        (lambda b: b.update(account_id="OTHER"), f"account_id is 'OTHER', this is '{ACCOUNT}'"),
        (lambda b: b.pop("account_id"), "account_id is None"),
    ],
)
def test_what_cannot_be_true_is_refused(path, change, told):
    tampered(path, change)
    assert told in refusal(path)


def test_a_budget_from_the_future_is_refused(path):
    save(path, SECOND.rolled(FRIDAY + timedelta(days=3)), ACCOUNT)
    assert "budget.day 2024-03-11 is after today, 2024-03-08; set this machine's clock right" in refusal(path)


def test_a_number_that_was_changed_by_hand_is_refused(path):
    path.parent.mkdir()
    path.write_bytes(encode(SECOND, ACCOUNT).replace(b"10000.1", b"1000.1"))
    assert "sha256 does not match" in refusal(path)


def test_the_helper_that_tampers_leaves_a_good_file_good(path):
    tampered(path, lambda body: None)
    assert load(path, ACCOUNT, FRIDAY) == SECOND


def test_what_cannot_be_read_is_refused(path):
    path.mkdir(parents=True)
    assert "cannot be read (Is a directory)" in refusal(path)


def test_a_full_disk_keeps_the_old_state(path):
    save(path, FIRST, ACCOUNT)
    # Whatever is written into the new file goes to a device that is always full.
    (path.parent / f".{path.name}.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError) as caught:
        save(path, SECOND, ACCOUNT)
    assert caught.value.errno == errno.ENOSPC
    assert load(path, ACCOUNT, FRIDAY) == FIRST
    save(path, SECOND, ACCOUNT)
    assert load(path, ACCOUNT, FRIDAY) == SECOND


@pytest.mark.parametrize("step", ["write", "fsync", "close", "open"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failing_disk_leaves_the_old_state_or_the_new(path, monkeypatch, step, code):
    save(path, FIRST, ACCOUNT)
    real = getattr(os, step)

    def fails(*args):
        if step == "close":
            real(*args)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fails)
        with pytest.raises(OSError):
            save(path, SECOND, ACCOUNT)
    assert load(path, ACCOUNT, FRIDAY) == FIRST
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_forced_to_the_disk_is_told(path, monkeypatch):
    save(path, FIRST, ACCOUNT)
    real = os.fsync

    def fails(handle):
        if Path(f"/proc/self/fd/{handle}").readlink() == path.parent:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(OSError):
            save(path, SECOND, ACCOUNT)
    assert load(path, ACCOUNT, FRIDAY) == SECOND


def test_a_disk_that_takes_few_bytes_at_a_time(path, monkeypatch):
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
        save(path, SECOND, ACCOUNT)
    assert load(path, ACCOUNT, FRIDAY) == SECOND


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_it_returns(path, monkeypatch):
    calls = []
    real_fsync, real_replace = os.fsync, Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda h: (calls.append(Path(f"/proc/self/fd/{h}").readlink()), real_fsync(h)))
        patch.setattr(Path, "replace", lambda a, b: (calls.append("replace"), real_replace(a, b)))
        save(path, FIRST, ACCOUNT)
    assert calls == [path.parent / f".{path.name}.{os.getpid()}.tmp", "replace", path.parent]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "close", "reduce", "roll"]),
        st.sampled_from("ABC"),
        st.floats(0.01, 1e7),
        st.integers(0, 4),
    ),
    max_size=30,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_restarts_at_any_moment_change_nothing(steps):
    through, restarted, day = WeeklyBudget(MONDAY), WeeklyBudget(MONDAY), MONDAY
    for kind, symbol, usd, days in steps:
        restarted = decode(encode(restarted, ACCOUNT), ACCOUNT, day)
        if kind == "open":
            through, restarted = (b.opened(symbol, usd, day) for b in (through, restarted))
        elif kind == "close":
            through, restarted = (b.closed(symbol, day) for b in (through, restarted))
        elif kind == "reduce":
            through, restarted = (b.reduced(symbol, usd, day) for b in (through, restarted))
        else:
            day += timedelta(days=days)
        assert restarted.deployed(day) == through.deployed(day)


# ---- kill -9 -------------------------------------------------------------------------------------------


def numbered(n: int) -> WeeklyBudget:
    """The n-th state of the drill: of another length than its neighbours, and n can be read from it."""
    budget = WeeklyBudget(MONDAY)
    for k in range(n % 13):
        budget = budget.opened(f"S{k}", 1_000 + k, MONDAY)
    return budget.opened("N", n, MONDAY)


def number(budget: WeeklyBudget) -> int:
    return int(next(c.usd for c in budget.charges if c.symbol == "N"))


# Imports once and forks a writer for each kill, which says after every save that it has returned and which ends
# by itself should nobody kill it.
FORKING = """
import os, signal, sys
from pathlib import Path
import tests.brokers.test_budget_file as drill
path, save = Path(sys.argv[1]), getattr(drill, sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        n = int(line)
        while True:
            save(path, drill.numbered(n), drill.ACCOUNT)
            os.write(1, f"{n}\\n".encode())
            n += 1
    # One write each: what print sends in pieces would mix with the lines of the writer.
    os.write(1, f"pid {pid}\\n".encode())
    os.waitpid(pid, 0)
    os.write(1, b"dead\\n")
"""


def careless(path: Path, budget: WeeklyBudget, account: str) -> None:
    """The planted fault: a save into the file itself."""
    data = encode(budget, account)
    with path.open("wb", buffering=0) as file:
        file.write(data[:100])
        file.write(data[100:])


@contextmanager
def forking_writer(path: Path, save_by: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", FORKING, str(path), save_by],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def killed(process: subprocess.Popen[str], first: int, after_s: float) -> int:
    """Let it write from state ``first`` on, kill it, and return the last state whose save had returned."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{first}\n")
    process.stdin.flush()
    done, pid = first - 1, 0
    while not pid:
        word = process.stdout.readline().split()
        if word[0] == "pid":
            pid = int(word[1])
        else:
            done = int(word[0])
    kill_at = time.perf_counter() + after_s
    while time.perf_counter() < kill_at:
        pass
    os.kill(pid, signal.SIGKILL)
    while (line := process.stdout.readline()) != "dead\n":
        done = int(line)
    return done


def drill(path: Path, kills: int, save_by: str = "save") -> None:
    chance, inside = random.Random(7), 0
    save(path, numbered(1), ACCOUNT)
    last = 1
    with forking_writer(path, save_by) as process:
        for _ in range(kills):
            done = killed(process, last + 1, chance.uniform(0, 0.006))
            found = load(path, ACCOUNT, MONDAY)
            last = number(found)
            assert found == numbered(last)
            # What had returned is there; at most the one that was being written came through as well.
            assert last in (done, done + 1)
            inside += last > done or any(path.parent.glob(".*.tmp"))
            for left in path.parent.glob(".*.tmp"):
                left.unlink()
    # A drill that only ever killed between two saves would have shown nothing.
    assert inside >= kills // 10, inside


def test_kill_9_while_writing(path):
    drill(path, 25)


@pytest.mark.slow
def test_a_thousand_kills(path):
    drill(path, 1_000)


def test_the_drill_finds_a_save_that_writes_in_place(path):
    with pytest.raises(Refusal, match="not complete JSON"):
        drill(path, 200, "careless")


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(path):
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(Refusal, match="is no ordinary file"):
        load(path, ACCOUNT, MONDAY)
