#!/usr/bin/env python
"""``risk-first kill`` under the script's name: stops entries, or sells everything."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("kill")

if __name__ == "__main__":
    sys.exit(main())
