"""Sockets, threads and open files of a running process, and whether they grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from config.errors import Refusal
from config.operating import MonitorLevels

COUNTED = ("sockets", "threads", "files")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process; ``files`` counts all handles, sockets included, ``limit`` is how many it may have."""

    seconds: float
    sockets: int
    threads: int
    files: int
    limit: int | None
    memory_mb: float
    states: dict[str, int]


def trader_of(state_dir: Path, lock_name: str) -> int:
    """The number of the process that holds a state folder's journal.

    Raises
    ------
    Refusal
        Nobody holds it, or it cannot be read.
    """
    lock = state_dir / lock_name
    way_out = "start the trader, or name a process with --pid"
    try:
        words = lock.read_text(encoding="utf-8", errors="replace").split()
    except OSError as error:
        raise Refusal(f"{lock}: {error.strerror}; {way_out}") from None
    if not words or not words[0].isdigit():
        raise Refusal(f"{lock}: names no process; {way_out}")
    if not psutil.pid_exists(int(words[0])):
        raise Refusal(f"{lock}: process {words[0]} has ended; {way_out}")
    return int(words[0])


def sample(pid: int, seconds: float) -> Sample:
    """Look at a process; ``seconds`` since the first look is kept with it.

    Raises
    ------
    Refusal
        It has ended, or belongs to somebody else.
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            connections = process.net_connections(kind="all")
            states: dict[str, int] = {}
            for connection in connections:
                name = connection.status if connection.status != psutil.CONN_NONE else "OTHER"
                states[name] = states.get(name, 0) + 1
            return Sample(
                seconds,
                len(connections),
                process.num_threads(),
                process.num_fds(),
                _limit(process),
                process.memory_info().rss / 1e6,
                states,
            )
    except psutil.NoSuchProcess:
        raise Refusal(f"process {pid} has ended; start the trader, or name another with --pid") from None
    except psutil.AccessDenied:
        raise Refusal(f"process {pid} belongs to somebody else; run this as its owner") from None


def judged(samples: Sequence[Sample], levels: MonitorLevels) -> list[str]:
    """What is wrong, in words: a number above its level, or one that grew and stayed above the first sample."""
    last, found = samples[-1], []
    for name, most in (("sockets", levels.sockets), ("threads", levels.threads)):
        if (now := getattr(last, name)) > most:
            found.append(f"{now} {name}, the warning level is {most}")
    if last.limit and last.files > levels.files_frac * last.limit:
        found.append(f"{last.files} of {last.limit} files may be open, the warning level is {levels.files_frac:.0%}")
    if len(samples) >= 4:
        first, later = samples[0], samples[len(samples) // 2 :]
        for name in COUNTED:
            grown = min(getattr(one, name) for one in later) - getattr(first, name)
            if grown >= levels.grown_by:
                span = last.seconds - first.seconds
                found.append(
                    f"{name} leak: {getattr(first, name)} became {getattr(last, name)} within {span:.0f} s; "
                    "start the trader again before the limit is reached"
                )
    return found


def _limit(process: psutil.Process) -> int | None:
    """How many files the process may have open; None where the system does not tell."""
    limits = getattr(process, "rlimit", None)
    if limits is None:
        return None
    soft, _ = limits(psutil.RLIMIT_NOFILE)
    return int(soft) if soft > 0 else None
