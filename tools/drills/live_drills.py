#!/usr/bin/env python
"""Drill the live desk: killed at every call of a scripted day, days with mishaps drawn by a seed, days at a slow venue.

Usage: live_drills.py [--seeds N] [--every N] [--hard N] [--first N] [--pace S] [--postgres]

With ``--postgres`` the journal of the days at a slow venue is on a PostgreSQL server that is started for it, whose
sessions hang, end, turn read-only and fill up. ``--seeds 0 --every 0`` plays those days alone.

Exit status: 0 nothing was wrong, 1 something was.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.brokers.desk.drills import Naked, calls_of, killed_at, troubled_day
from tests.brokers.desk.hard_days import HardDay, worst_by_cause
from tests.brokers.journal.postgres_server import PostgresServer, binaries
from tests.brokers.journal.troubled_server import TroubledServer, quick_to_give_up

PHASES = ("before", "after")
Drill = Callable[[Path], tuple[list[str], Naked]]


def run(console: Console, title: str, drills: Iterable[tuple[str, Drill]]) -> tuple[int, int, list[float]]:
    """Play drills, tell what was wrong; returns drills, failures and spells without a stop."""
    named, failures, spells = list(drills), 0, []
    for name, drill in track(named, title, console=console):
        with tempfile.TemporaryDirectory() as folder:
            found, naked = drill(Path(folder))
        failures += bool(found)
        # A spell that never ended is among the faults.
        spells += naked.spells
        if found:
            console.print(f"[red]{name}[/]: {'; '.join(found)}")
    return len(named), failures, spells


def main() -> int:
    """Run both drills and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40, help="troubled days (default: %(default)s)")
    parser.add_argument(
        "--every", type=int, default=1, help="kill at every N-th call only; 0: at none (default: %(default)s)"
    )
    parser.add_argument("--hard", type=int, default=10, help="days at a slow venue (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first of these (default: %(default)s)")
    parser.add_argument("--pace", type=float, default=15.0, help="seconds between iterations of these (default: 15)")
    parser.add_argument("--postgres", action="store_true", help="their journal is on a PostgreSQL server in trouble")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    console = Console()
    kills = []
    if args.every:
        with tempfile.TemporaryDirectory() as folder:
            calls = len(calls_of(Path(folder)))
        kills = [
            (f"call {call} {phase}", lambda folder, call=call, phase=phase: killed_at(folder, call, phase))
            for call in range(1, calls + 1, args.every)
            for phase in PHASES
        ]
    days = [(f"seed {seed}", lambda folder, seed=seed: troubled_day(folder, seed)) for seed in range(args.seeds)]
    table = Table("drill", "runs", "failures", "times without a stop", "median s", "worst s")
    wrong = 0
    for title, drills in (("killed", kills), ("troubled days", days)):
        count, failures, spells = run(console, title, drills)
        wrong += failures
        figures = (f"{statistics.median(spells):.1f}", f"{max(spells):.1f}") if spells else ("-", "-")
        table.add_row(title, str(count), str(failures), str(len(spells)), *figures)
    if kills or days:
        console.print(table)
    with server_in_trouble(args.postgres) as server:
        wrong += hard_days(console, range(args.first, args.first + args.hard), args.pace, server)
    return int(wrong > 0)


@contextmanager
def server_in_trouble(wanted: bool) -> Iterator[TroubledServer | None]:
    """A PostgreSQL server for the journals of the days, if one is wanted."""
    if not wanted:
        yield None
        return
    folder = binaries()
    if folder is None:
        raise SystemExit("--postgres needs a PostgreSQL server's programs (initdb, pg_ctl)")
    server = PostgresServer(folder)
    try:
        with quick_to_give_up():
            yield TroubledServer(server)
    finally:
        server.stop()


def hard_days(console: Console, seeds: range, pace_s: float, server: TroubledServer | None = None) -> int:
    """Play days at a slow venue and print the longest spells without stop and sale, by cause; how many were wrong."""
    days, longest = [], dict[str, tuple[float, int]]()
    for seed in track(seeds, "days at a slow venue", console=console):
        with tempfile.TemporaryDirectory() as folder:
            days.append(HardDay(Path(folder), seed, pace_s, server).play())
        if days[-1].faults:
            console.print(f"[red]seed {seed}[/]: {'; '.join(days[-1].faults)}")
        for cause, seconds in worst_by_cause(days[-1:]).items():
            longest[cause] = max(longest.get(cause, (0.0, seed)), (seconds, seed))
    table = Table("shares without stop and sale, because", "longest, s", "seed")
    for cause, (seconds, seed) in sorted(longest.items()):
        table.add_row(cause, f"{seconds:.1f}", str(seed))
    console.print(table)
    if days:
        met = sum((day.met for day in days), Counter[str]())
        console.print(", ".join(f"{what}: {count}" for what, count in sorted(met.items())))
        console.print(f"requests in the busiest minute: {max(day.busiest for day in days)}")
    return sum(bool(day.faults) for day in days)


if __name__ == "__main__":
    sys.exit(main())
