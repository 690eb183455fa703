"""From the options of a research command to the bars, window and settings that its trials share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.runs.request import RunArguments, requested, settled

if TYPE_CHECKING:
    from backtests.data.data_sets import DataSet
    from backtests.request import RunRequest
    from backtests.research.search.trials import TrialContext


PageOption = Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page too; it needs no network.")]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request with its data and what trials share."""

    request: RunRequest
    data: DataSet
    context: TrialContext


def prepared(arguments: RunArguments) -> Prepared:
    """Read the data and refuse what can't be run on them.

    Raises
    ------
    Refusal
        If settings or data can't be used.
    """
    from backtests.data.data_sets import window
    from backtests.reports.metrics import sessions_per_year
    from backtests.research.search.trials import TrialContext
    from backtests.run_data import data_for
    from config.process.environment import own_the_run
    from strategies.adapt_to_bars import fit
    from strategies.registry import build_pipeline

    own_the_run()
    mode, settings = settled(arguments)
    request = requested(arguments, mode, settings)
    data = data_for(request, settings)
    start, end = window(data, request.start, request.end, settings.pace.day)
    fit(build_pipeline(settings), data.table, settings)
    base = settings.as_dict()
    key = hashlib.sha256(repr((data.hash, settings.config_hash, start, end, request.seed)).encode()).hexdigest()
    context = TrialContext(key, base, data.table, start, end, sessions_per_year(data.table.opens_at))
    return Prepared(request, data, context)
