"""``overfit``: how much of the best of many backtests is luck."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from backtests.research.matrix import read_matrix
from backtests.research.overfit import UNDEFINED, Verdict, judge
from backtests.research.statistics import FEWEST_OBSERVATIONS
from commands.composition import command
from commands.options import ScreenOptions, a_count
from commands.screen import console, show_json
from config.errors import Refusal
from config.research import research
from config.values.counting import counted

DEFAULTS = research().overfit
MOST_BLOCKS = 20
"""20 blocks are 184,756 splits already."""


@command(
    "risk-first overfit trials.csv",
    "risk-first overfit trials.csv --periods 12 --blocks 10 --json",
    "risk-first overfit trials.csv --tried 400",
)
def overfit(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Returns: the period, then one column a trial.")],
    screen: ScreenOptions,
    periods: Annotated[
        int | None,
        typer.Option(
            parser=a_count, metavar="N", help=f"Periods of a year (default: by the dates, else {DEFAULTS.periods})."
        ),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(
            parser=a_count,
            metavar="N",
            help=f"Blocks of the cross-validation, even, up to {MOST_BLOCKS} (default: {DEFAULTS.blocks}).",
        ),
    ] = None,
    tried: Annotated[
        int | None,
        typer.Option(parser=a_count, metavar="N", help="Trials that were made, where the file holds only some."),
    ] = None,
) -> int:
    """Judge the best of many backtests by the returns of all.

    Says whether it has an edge, no edge, is overfit, or the record is too short, with the deflated Sharpe ratio and
    the probability of backtest overfitting. Works on anybody's backtests, whatever made them.
    """
    blocks = DEFAULTS.blocks if blocks is None else blocks
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise Refusal(f"--blocks {blocks}: give an even number from 2 to {MOST_BLOCKS}, e.g. {DEFAULTS.blocks}")
    returns, names, by_dates = read_matrix(file)
    if tried is not None and tried < len(names):
        raise Refusal(f"--tried {tried}: the file alone holds {len(names)} trials; give at least so many")
    verdict = judge(returns, names, periods=periods or by_dates, blocks=blocks, counted=tried)
    if screen.json:
        show_json(verdict.document())
    else:
        console(screen.json).print(_told(verdict, _source(periods, by_dates)), highlight=False, soft_wrap=True)
    return 0


def _source(given: int | None, by_dates: int | None) -> str:
    """Where the periods of a year come from, and how to give others."""
    if given is not None:
        return ""
    return ", by the dates; --periods gives others" if by_dates else ", assumed; --periods gives others"


def _told(v: Verdict, source: str) -> str:
    sharpe = f"{v.sharpe:.3f}" if math.isfinite(v.sharpe) else f"{UNDEFINED}, as the returns never move"

    def told(value: float, what: str) -> str:
        return f"{value:.3f}, {what}" if math.isfinite(value) else few

    after = f"the same after {counted(v.counted, 'trial')}"
    few = f"{UNDEFINED} for fewer than {FEWEST_OBSERVATIONS} periods" if math.isfinite(v.sharpe) else UNDEFINED
    track_record, backtest = v.lengths("periods")
    lines = [
        f"{v.verdict}: {v.sentence()}",
        f"best trial                 {v.best}, one of {v.trials:,} over {v.observations:,} periods",
        f"Sharpe ratio a year        {sharpe} ({v.periods:,} periods a year{source})",
        f"probabilistic Sharpe       {told(v.psr, 'the probability that it is above 0, for a single trial')}",
        f"deflated Sharpe            {told(v.dsr, after)}",
        f"probability of overfitting {v.pbo_told()}",
        f"shortest track record      {track_record}",
        f"shortest backtest          {backtest}",
    ]
    return "\n".join(lines)
