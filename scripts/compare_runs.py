#!/usr/bin/env python
"""``risk-first compare`` under the script's name: the decisions of a live run and a backtest."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("compare")

if __name__ == "__main__":
    sys.exit(main())
