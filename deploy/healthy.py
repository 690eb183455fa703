"""Whether the trader of a state folder is at work: status 0 if a file of it changed lately, else 1. For HEALTHCHECK."""

from __future__ import annotations

import sys
import time
from pathlib import Path

LATELY = ("trader.json", "journal.sqlite3-wal", "log/trader.jsonl")


def age_s(folder: Path, now: float) -> float:
    """Seconds since the trader wrote last; endless where it never did."""
    times = [(folder / name).stat().st_mtime for name in LATELY if (folder / name).exists()]
    return now - max(times) if times else float("inf")


def main(argv: list[str]) -> int:
    """``healthy.py FOLDER SECONDS``."""
    return 0 if age_s(Path(argv[0]), time.time()) <= float(argv[1]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
