#!/usr/bin/env python
"""``risk-first explain`` under the script's name: why orders were sent, resized or refused."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("explain")

if __name__ == "__main__":
    sys.exit(main())
