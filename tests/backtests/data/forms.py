"""Three days of one symbol as people's files have them."""

from __future__ import annotations

import pandas as pd

DAYS = ("2022-01-03", "2022-01-04", "2022-01-05")
CLOSES = (10.5, 11.5, 12.25)
ROWS = [(day, c - 0.25, c + 0.5, c - 0.5, c, 1000 + k) for k, (day, c) in enumerate(zip(DAYS, CLOSES, strict=True))]


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def each(form: str, **more: object) -> list[str]:
    """One line for each bar."""
    return [
        form.format(d=d, o=o, h=h, l=low, c=c, v=v, day=d.replace("-", ""), dot=d.replace("-", "."), k=k, **more)
        for k, (d, o, h, low, c, v) in enumerate(ROWS)
    ]


YAHOO = lines("Date,Open,High,Low,Close,Adj Close,Volume", *each("{d},{o},{h},{l},{c},{c},{v}"))


def intraday(zone: str, days: tuple[str, ...] = DAYS) -> pd.DataFrame:
    times = pd.DatetimeIndex([t for day in days for t in pd.date_range(f"{day} 09:30", periods=78, freq="5min")])
    local = times.tz_localize("America/New_York").tz_convert(zone).tz_localize(None)
    return pd.DataFrame({"symbol": "AAA", "datetime": local, "open": 2.0, "high": 2.0, "low": 1.0, "close": 2.0,
                         "volume": 5})  # fmt: skip
