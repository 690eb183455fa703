"""When what ``flatten`` is to sell can be sold: a market that is closed keeps it until its next opening."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.errors import Refusal
from config.values.markets import NEW_YORK_ZONE
from monitoring.state import STATE_FILE, TraderState, read_state

NEVER_CLOSES = "24/7"


def next_sale(folder: Path, now: datetime | None = None) -> datetime | None:
    """The opening that sales of the trader of a state folder wait for; None where its market is open, or not known.

    Parameters
    ----------
    folder : Path
    now : datetime, optional
        This machine's time, by default the present.
    """
    try:
        state = read_state(folder / STATE_FILE)
    except Refusal:
        # The switch is set by its own files, whatever the screens can read.
        return None
    if state is None or state.settings.get("pace", {}).get("market", NEVER_CLOSES) == NEVER_CLOSES:
        return None
    moment = venue_time(state, now or datetime.now(UTC))
    return None if moment is None else _opening_after(moment)


def venue_time(state: TraderState, now: datetime) -> datetime | None:
    """The venue's time now; None where it stands still, as in a rehearsal that has ended."""
    if state.ended and (state.speed != 1 or abs(state.time - state.written) > timedelta(minutes=5)):
        return None
    return state.time + (now - state.written) * state.speed


def _opening_after(moment: datetime) -> datetime | None:
    # Imported here: the calendar takes half a second to load, and other levels need none.
    import pandas as pd

    from market.calendar import session_times, sessions_after, sessions_until

    today = moment.astimezone(NEW_YORK_ZONE).date()
    dates = [*sessions_until(pd.Timestamp(today), 1), *map(pd.Timestamp, sessions_after(today, 1))]
    opens, closes = session_times(pd.DatetimeIndex(dates))
    if any(first <= moment < last for first, last in zip(opens, closes, strict=True)):
        return None
    found: datetime = next(first for first in opens if first > moment).to_pydatetime()
    return found
