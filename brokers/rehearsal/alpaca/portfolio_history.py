"""Equity over time: at each close, and by the minute."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

from brokers.rehearsal.alpaca.errors import unprocessable
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.queries import Query, choose, day, flag, moment
from brokers.rehearsal.alpaca.us_hours import NEW_YORK_ZONE, US_HOURS
from brokers.rehearsal.core.hours import Phase

MINUTE = timedelta(minutes=1)
LENGTHS = {"1Min": MINUTE, "5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1H": 60 * MINUTE, "1D": timedelta(days=1)}
PERIOD = re.compile(r"([1-9]\d{0,3})([DWMA])")
DAYS = {"D": 1, "W": 7, "M": 30, "A": 365}
DEFAULT_PERIOD = "1M"
FINE, MIDDLE = timedelta(days=7), timedelta(days=30)
PHASES = {
    "market_hours": (Phase.REGULAR,),
    "extended_hours": (Phase.PRE, Phase.REGULAR, Phase.POST),
    "continuous": tuple(Phase),
}


class PortfolioHistory:
    """Keeps what prices and closes tell of the equity.

    Parameters
    ----------
    opened : datetime
        When the account was opened.
    equity : Decimal
        What it began with, USD.
    """

    def __init__(self, opened: datetime, equity: Decimal) -> None:
        self._opening = equity
        self._closes: list[tuple[datetime, Decimal]] = []
        self._minutes: dict[datetime, Decimal] = {_minute(opened): equity}

    def on_prices(self, at: datetime, equity: Decimal) -> None:
        """Take note of the equity after prices moved; the last of a minute counts."""
        self._minutes[_minute(at)] = equity

    def on_close(self, at: datetime, equity: Decimal) -> None:
        """Take note of the equity at a session's close."""
        self._closes.append((at, equity))

    def history(self, query: Query, now: datetime, equity: Decimal) -> Json:
        """GET /v2/account/portfolio/history, USD: equity at each close and now, or at the steps of a shorter frame."""
        start, end, span = _window(query, now)
        usual = "1Min" if span < FINE else "15Min" if span < MIDDLE else "1D"
        timeframe = choose(query, "timeframe", tuple(LENGTHS), usual)
        reporting = choose(query, "intraday_reporting", tuple(PHASES), "market_hours")
        if flag(query, "extended_hours") and not query.get("intraday_reporting"):
            reporting = "extended_hours"
        per_day = choose(query, "pnl_reset", ("per_day", "no_reset"), "per_day") == "per_day"
        if query.get("cashflow_types", "NONE") not in ("", "NONE"):
            raise unprocessable("cashflow_types: no cash flows in or out of a rehearsed account; leave it out")
        if timeframe == "1D":
            points = [(at, value) for at, value in [*self._closes, (now, equity)] if start <= at <= end]
            base, gains = self._opening, [value - self._opening for _, value in points]
        else:
            if span > MIDDLE:
                raise unprocessable(f"timeframe {timeframe} is for at most 30 days; use 1D")
            points = self._steps(LENGTHS[timeframe], start, min(end, now), now, equity, PHASES[reporting])
            base = self._before(points[0][0] if points else start)
            gains = [value - (self._before(_midnight(at)) if per_day else base) for at, value in points]
        return {
            "timestamp": [int(at.timestamp()) for at, _ in points],
            "equity": [float(value) for _, value in points],
            "profit_loss": [float(gain) for gain in gains],
            "profit_loss_pct": [float(gain / base) for gain in gains],
            "base_value": float(base),
            "timeframe": timeframe,
        }

    def _steps(
        self,
        length: timedelta,
        start: datetime,
        end: datetime,
        now: datetime,
        equity: Decimal,
        phases: tuple[Phase, ...],
    ) -> list[tuple[datetime, Decimal]]:
        """Equity at the end of each step, by the step's beginning; steps in which there is no trading are left out."""
        known = sorted(self._minutes.items())
        known.append((max(_minute(now), known[-1][0]) + MINUTE, equity))
        found: list[tuple[datetime, Decimal]] = []
        for (at, value), (following, _) in pairwise(known):
            # A value lasts until the next is known; one that begins before the window still counts in it.
            step = max(at, start) - (max(at, start) - _midnight(max(at, start))) % length
            while step < following and step <= end:
                if step >= start and US_HOURS.phase_at(step) in phases:
                    if found and found[-1][0] == step:
                        found.pop()
                    found.append((step, value))
                step += length
        return found

    def _before(self, at: datetime) -> Decimal:
        """The equity of the last close before a moment."""
        return next((value for close, value in reversed(self._closes) if close <= at), self._opening)


def _window(query: Query, now: datetime) -> tuple[datetime, datetime, timedelta]:
    """First and last moment asked for, and the length by which the timeframe is chosen."""
    period, start, end = query.get("period"), _instant(query, "start"), _instant(query, "end")
    # As older clients write it: whole days of New York.
    first, last = day(query, "date_start"), day(query, "date_end")
    if first is not None and start is None:
        start = datetime.combine(first, time(), NEW_YORK_ZONE)
    if last is not None and end is None:
        end = datetime.combine(last, time.max, NEW_YORK_ZONE)
    if period and start is not None and end is not None:
        raise unprocessable("period must not be given with both start and end")
    length = _period(period or DEFAULT_PERIOD)
    if end is None:
        end = now if start is None or not period else start + length
    end = min(end, now)
    if start is None:
        # A day is today's, seven days are today and the six before.
        start = _midnight(end) - length + timedelta(days=1)
    elif not period:
        length = end - start
    if end < start:
        raise unprocessable("end must not be before start")
    return start.astimezone(UTC), end.astimezone(UTC), length


def _period(text: str) -> timedelta:
    found = PERIOD.fullmatch(text)
    if found is None:
        raise unprocessable(f"invalid period: {text}; it is a number and one of D, W, M, A")
    return timedelta(days=int(found[1]) * DAYS[found[2]])


def _instant(query: Query, name: str) -> datetime | None:
    text = query.get(name, "")
    if text.isdecimal() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    return moment(query, name)


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(NEW_YORK_ZONE).date(), time(), NEW_YORK_ZONE)
