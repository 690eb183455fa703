"""Bar lengths as Alpaca writes them: 5Min, 1Hour, 1Day, 1Week, 3Month."""

from __future__ import annotations

import re

from brokers.rehearsal.core.bar_playback import HOUR_NS, MINUTE_NS, Timeframe

PATTERN = re.compile(r"([1-9]\d?)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
ALLOWED = {
    **dict.fromkeys(("Min", "T"), range(1, 60)),
    **dict.fromkeys(("Hour", "H"), range(1, 24)),
    **dict.fromkeys(("Day", "D", "Week", "W"), range(1, 2)),
    **dict.fromkeys(("Month", "M"), (1, 2, 3, 4, 6, 12)),
}


def read_timeframe(text: str) -> Timeframe | None:
    """A bar length; None for anything that Alpaca doesn't offer."""
    found = PATTERN.fullmatch(text)
    if found is None or int(found[1]) not in ALLOWED[found[2]]:
        return None
    number, unit = int(found[1]), found[2]
    if unit in ("Min", "T"):
        return Timeframe("intraday", number * MINUTE_NS)
    if unit in ("Hour", "H"):
        return Timeframe("intraday", number * HOUR_NS)
    if unit in ("Month", "M"):
        return Timeframe("month", months=number)
    return Timeframe("day" if unit in ("Day", "D") else "week")
