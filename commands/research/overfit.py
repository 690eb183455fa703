"""``overfit``: how much of the best of many backtests is luck."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backtests.research.overfit import Verdict, judge, read_matrix
from commands.composition import command
from commands.options import ScreenOptions, a_count
from commands.screen import console, show_json
from config.errors import Refusal
from config.research import research

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
        int | None, typer.Option(parser=a_count, metavar="N", help=f"Periods of a year (default: {DEFAULTS.periods}).")
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
    returns, names = read_matrix(file)
    if tried is not None and tried < len(names):
        raise Refusal(f"--tried {tried}: the file alone holds {len(names)} trials; give at least so many")
    verdict = judge(returns, names, periods=periods, blocks=blocks, counted=tried)
    if screen.json:
        show_json(verdict.document())
    else:
        console(screen.json).print(_told(verdict), highlight=False, soft_wrap=True)
    return 0


def _told(v: Verdict) -> str:
    pbo = (
        "not defined for trials that are all the same, or so few periods"
        if v.pbo is None
        else f"{v.pbo:.3f} (0.5 = chance)"
    )
    track_record, backtest = v.lengths("periods")
    lines = [
        f"{v.verdict}: {v.sentence()}",
        f"best trial                 {v.best}, one of {v.trials:,} over {v.observations:,} periods",
        f"Sharpe ratio a year        {v.sharpe:.3f}",
        f"probabilistic Sharpe       {v.psr:.3f}, the probability that it is above 0, for a single trial",
        f"deflated Sharpe            {v.dsr:.3f}, the same after {v.counted:,} trials",
        f"probability of overfitting {pbo}",
        f"shortest track record      {track_record}",
        f"shortest backtest          {backtest}",
    ]
    return "\n".join(lines)
