"""Kills a real trader with kill -9 at every call to the venue, one after the other, and reports what came of it."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.drills.killing import BUSY, DATA, QUIET, Outcome, kill_at

PHASES = ("before", "after")


def main() -> int:
    """Exit status 0 if every kill was survived, 1 if not, 2 without the data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=40, help="kill at each of so many calls (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="begin with this call (default: %(default)s)")
    parser.add_argument("--changing", action="store_true", help="count requests that change orders, on a busier day")
    parser.add_argument("--term", action="store_true", help="SIGTERM: nothing may be left bare even before the restart")
    parser.add_argument("--jobs", type=int, default=2, help="at the same time (default: %(default)s)")
    args = parser.parse_args()
    if not DATA.is_file():
        print(f"{DATA}: is not there; the drill replays it", file=sys.stderr)
        return 2
    points = [(call, phase) for call in range(args.first, args.first + args.calls) for phase in PHASES]
    console = Console()

    def one(point: tuple[int, str]) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            day = BUSY if args.changing else QUIET
            return kill_at(*point, Path(folder), day, args.changing, signal.SIGTERM if args.term else signal.SIGKILL)

    with ThreadPoolExecutor(args.jobs) as pool:
        outcomes = list(track(pool.map(one, points), "killing", len(points), console=console))
    for outcome in outcomes:
        if outcome.faults:
            console.print(
                f"[red]call {outcome.call} {outcome.phase} {outcome.method} {outcome.path}[/]", outcome.faults
            )
    kinds = Counter((outcome.method, outcome.path.rstrip("0123456789abcdef-")) for outcome in outcomes)
    console.print(
        f"{len(outcomes)} kill points, {sum(bool(o.faults) for o in outcomes)} failures; by call: {dict(kinds)}"
    )
    return int(any(outcome.faults for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
