"""The trader's command, with the CPU of its own work written down: ``python metered_trader.py FILE ARGUMENTS…``.

A line of FILE is what was done and the CPU seconds that it took its thread: an iteration (``on_trading_iteration``), a
look of the watch (``tick``), or the look that an iteration shares with Lumibot's sync (``snapshot``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from config.process.environment import own_the_run

own_the_run()

import live_trader
from brokers.desk.desk import LiveDesk
from strategies.combined import CombinedStrategy


def metered(work: Callable[..., Any], file: Path) -> Callable[..., Any]:
    """The same work, its CPU added to the file."""

    @wraps(work)
    def counted(*args: Any, **named: Any) -> Any:
        began = time.thread_time()
        try:
            return work(*args, **named)
        finally:
            with file.open("a") as out:
                out.write(f"{work.__name__} {time.thread_time() - began}\n")

    return counted


def main() -> int:
    """Trade, and count."""
    file = Path(sys.argv[1])
    for owner, name in ((CombinedStrategy, "on_trading_iteration"), (LiveDesk, "snapshot"), (LiveDesk, "tick")):
        setattr(owner, name, metered(getattr(owner, name), file))
    return live_trader.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
