"""Fits a pipeline to the bars that a backtest decides on: what can't happen on them is off and told, or refused."""

from __future__ import annotations

from config import Refusal, Settings
from config.values.markets import NEW_YORK, NEW_YORK_EQUITY_MARKETS
from market.bars import DAY_MINUTES, BarTable
from market.daily_decisions import days_of
from strategies.pipeline import Pipeline
from strategies.registry import keep_daily_signals


def decides_on_days(settings: Settings) -> bool:
    """Whether the settings ask for decisions on daily bars at times within the session, as a live run takes them."""
    pace = settings.pace
    return pace.bars == DAY_MINUTES and bool(pace.windows) and pace.market in NEW_YORK_EQUITY_MARKETS


def decision_bars(bars: BarTable, settings: Settings) -> BarTable:
    """The bars that are decided on: the days of intraday bars where the settings ask for them, else the bars."""
    return bars if bars.daily or not decides_on_days(settings) else days_of(bars)


def fit(pipeline: Pipeline, bars: BarTable, settings: Settings) -> tuple[str, ...]:
    """Switch off what means nothing on daily bars, and find the scan windows that intraday bars never reach.

    Parameters
    ----------
    pipeline : Pipeline
        Changed: its signals on daily bars, the length of its windows on others.
    bars : BarTable
        With the history before the run.
    settings : Settings
        What the pipeline was built from.

    Returns
    -------
    tuple of str
        What a reader of the figures must know of it.

    Raises
    ------
    Refusal
        If no signal is left on daily bars, too few for the quorum, or if nothing could ever be entered.
    """
    on_days = decides_on_days(settings)
    wanted = settings.pace.bars
    if settings.provenance.chosen("pace.bars") and wanted != bars.minutes and not (on_days and not bars.daily):
        length = "a day" if bars.daily else f"{bars.minutes} minutes"
        raise Refusal(
            f"{settings.source_of('pace.bars')}: pace.bars is {wanted}, the bars are of {length}; give bars of that "
            f"length, or pace.bars={bars.minutes}",
            key="pace.bars",
        )
    if bars.daily:
        return (*keep_daily_signals(pipeline, settings), *_windows_of_days(settings))
    notes: tuple[str, ...] = ()
    if on_days:
        told = " and ".join(settings.pace.windows)
        notes = (
            *keep_daily_signals(pipeline, settings),
            f"decided on the days that are over, at {told} New York; filled on bars of {bars.minutes} minutes",
        )
    pipeline.window_minutes = bars.minutes
    pipeline.intraday = not on_days
    opens = bars.opens_at.tz_convert(NEW_YORK)
    minutes = (opens.hour * 60 + opens.minute).unique().tolist()
    missed = [w for w in pipeline.windows if not any(pipeline.inside(w, minute) for minute in minutes)]
    if not missed:
        return notes
    told = ", ".join(map(_clock, missed))
    grid = f"bars of {bars.minutes} minutes open from {_clock(min(minutes))} to {_clock(max(minutes))} New York"
    # Data of a single session may be the beginning of one: that its later windows have no bars proves nothing.
    if len(missed) == len(pipeline.windows) and bars.session[-1] > bars.session[0]:
        raise Refusal(
            f"{settings.source_of('pace.windows')}: pace.windows: no bar opens at {told} or soon after, so that "
            f"nothing could ever be entered; the {grid}, choose times in between or shorter bars"
        )
    return (
        *notes,
        f"scan windows in which no bar opens, so that nothing is entered: {told}; the {grid}",
    )


def _windows_of_days(settings: Settings) -> tuple[str, ...]:
    """A note about the user's scan windows where the bars are daily."""
    if not (settings.pace.windows and settings.provenance.chosen("pace.windows")):
        return ()
    source = settings.source_of("pace.windows")
    return (f"{source}: pace.windows changes nothing on bars of a day: each is decided on once, when it is over",)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
