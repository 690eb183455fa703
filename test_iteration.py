#!/usr/bin/env python
"""``live_trader.py --once`` under the name that other programs of this kind give it."""

import sys

from live_trader import main

if __name__ == "__main__":
    sys.exit(main(["--once", *sys.argv[1:]]))
