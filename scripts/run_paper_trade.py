#!/usr/bin/env python
"""``risk-first replay-then-paper`` under the script's name: replays a window, then trades on paper alike."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("replay-then-paper")

if __name__ == "__main__":
    sys.exit(main())
