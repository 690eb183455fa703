#!/usr/bin/env python
"""Fill Lumibot's Yahoo cache from a file of daily bars, for YahooDataBacktesting runs without a network.

The cache folder is $LUMIBOT_CACHE_FOLDER, or Lumibot's default. Symbols already there are replaced.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtests.data.bar_files import absent, read_bars
from backtests.data.yahoo_cache import fill
from config.errors import Refusal
from config.process.environment import own_the_run


def main() -> int:
    """Fill the cache; 0 when done, 2 when the input is refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="parquet or csv with daily bars, adjusted for splits and dividends")
    parser.add_argument("--symbols", type=lambda text: text.split(","), help="comma-separated; all by default")
    parser.add_argument(
        "--hold",
        action="store_true",
        help="never download these symbols again (Lumibot's own benchmark needs it); use a cache folder of its own",
    )
    arguments = parser.parse_args()
    own_the_run()
    try:
        bars = read_bars(arguments.file, arguments.symbols)
        written = fill(bars, arguments.hold)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    for symbol, last in written.items():
        print(f"{symbol}: cached up to {last}")
    missing = absent(bars, arguments.symbols or [])
    if missing:
        print(f"not in {arguments.file}: {', '.join(missing)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
