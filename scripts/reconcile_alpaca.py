#!/usr/bin/env python
"""``risk-first reconcile`` under the script's name: the journal against the broker's account."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("reconcile")

if __name__ == "__main__":
    sys.exit(main())
