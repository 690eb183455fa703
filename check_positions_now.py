#!/usr/bin/env python
"""``risk-first positions`` under the name that other programs of this kind give it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from commands.app import script

main = script("positions")

if __name__ == "__main__":
    sys.exit(main())
