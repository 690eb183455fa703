#!/usr/bin/env python
"""``risk-first monitor`` under the script's name: sockets, threads and open files of a running trader."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commands.app import script

main = script("monitor")

if __name__ == "__main__":
    sys.exit(main())
