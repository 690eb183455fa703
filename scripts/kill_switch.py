#!/usr/bin/env python
"""Set a trader's kill switch, or show it.

Usage: kill_switch.py stop|flatten|off|status [--state-dir DIR]

stop ends entries within one iteration, flatten also sells what the trader holds and ends it, off allows entries
again. A trader that starts finds it as it was left. It needs no keys and no network.
Exit status: 0 done, 2 refused the input.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from brokers.desk.entry_halts import KillLevel
from brokers.operator.killing import set_switch
from config.arguments import add_settings, add_state_folder, command, settings_of
from config.errors import exit_status

STATUS = "status"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    parser = command(__file__, __doc__)
    parser.add_argument(
        "level", choices=(*map(str, (KillLevel.STOP, KillLevel.FLATTEN, KillLevel.OFF)), STATUS), help="what to do"
    )
    add_state_folder(parser)
    add_settings(parser)
    args = parser.parse_args(argv)
    wanted = None if args.level == STATUS else KillLevel(args.level)
    print(set_switch(Path(settings_of(args).live.state_dir), wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
