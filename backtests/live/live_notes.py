"""What the figures of a live run don't show: what was there before it, and what was between its iterations."""

from __future__ import annotations

from collections.abc import Sequence

from brokers.record import RunRecord
from config.values.counting import counted
from config.values.markets import NEW_YORK_ZONE


def taken_over(record: RunRecord) -> tuple[str, ...]:
    """A note about trades that an earlier start entered: the run's return does not hold all of their result."""
    if not record.equity:
        return ()
    begun = record.equity[0].time
    earlier = sum(trade.entry_time < begun for trade in record.trades)
    if not earlier:
        return ()
    return (
        f"total return and maximum drawdown are since this start at {begun.astimezone(NEW_YORK_ZONE):%Y-%m-%d %H:%M}, "
        f"with {record.initial_equity:,.2f} USD; closed trades entered before it, whose results count from the entry: "
        f"{earlier} of {len(record.trades)}",
    )


def without_a_stop(seconds: Sequence[float]) -> tuple[str, ...]:
    """A note about times without a stop, each of so many seconds: iterations may have seen none of them."""
    if not seconds:
        return ()
    return (
        f"{counted(len(seconds), 'time')} without a stop, the longest {max(1, round(max(seconds)))} s; position time "
        "protected is counted at each iteration, so that a time between two of them is not in it",
    )
