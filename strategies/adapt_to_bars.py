"""Fits a pipeline to the bars that a backtest decides on: what can't happen on them is off and told, or refused."""

from __future__ import annotations

from config import Refusal, Settings
from config.values.markets import NEW_YORK
from market.bars import BarTable
from strategies.pipeline import Pipeline
from strategies.registry import keep_daily_signals


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
    if bars.daily:
        return keep_daily_signals(pipeline, settings)
    pipeline.window_minutes = bars.minutes
    pipeline.intraday = True
    opens = bars.opens_at.tz_convert(NEW_YORK)
    minutes = (opens.hour * 60 + opens.minute).unique().tolist()
    missed = [w for w in pipeline.windows if not any(pipeline.inside(w, minute) for minute in minutes)]
    if not missed:
        return ()
    told = ", ".join(map(_clock, missed))
    grid = f"bars of {bars.minutes} minutes open from {_clock(min(minutes))} to {_clock(max(minutes))} New York"
    # Data of a single session may be the beginning of one: that its later windows have no bars proves nothing.
    if len(missed) == len(pipeline.windows) and bars.session[-1] > bars.session[0]:
        raise Refusal(
            f"{settings.source_of('pace.windows')}: pace.windows: no bar opens at {told} or soon after, so that "
            f"nothing could ever be entered; the {grid}, choose times in between or shorter bars"
        )
    return (f"scan windows in which no bar opens, so that nothing is entered: {told}; the {grid}",)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
