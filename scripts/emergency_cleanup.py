#!/usr/bin/env python
"""``risk-first cleanup`` under the script's name: cancels all orders, sells dust, purges unknown symbols."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("cleanup")

if __name__ == "__main__":
    sys.exit(main())
