#!/usr/bin/env python
"""``risk-first positions`` under the script's name: each position and what protects it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("positions")

if __name__ == "__main__":
    sys.exit(main())
