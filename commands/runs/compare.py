"""``compare``: a live run's decisions beside a backtest's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.composition import command
from commands.options import ScreenOptions


@command("risk-first compare runs/rehearse-active-2022-05-06 runs/backtest-active-2022-05-06 --out comparison.md")
def compare(
    live: Annotated[Path, typer.Argument(metavar="LIVE_DIR", help="Folder of a rehearse, paper or live run.")],
    backtest: Annotated[Path, typer.Argument(metavar="BACKTEST_DIR", help="Folder of a backtest of the same days.")],
    screen: ScreenOptions,
    out: Annotated[Path | None, typer.Option(metavar="FILE.md", help="Write it down too.")] = None,
) -> int:
    """Compare the decisions of a live run and a backtest.

    Of the same days, one by one, each difference by its cause. Both runs read the same file of bars, in regular hours
    alone and with prices in whole cents: a rehearsal's exchange rounds to cents, a backtest does not, and nearly every
    figure would differ (bars_differ). Decisions before and after the days that both have are summed up.

    Exit status: 0 every difference is explained, 1 one is not, 2 refused the input.
    """
    from backtests.checks.comparison import compare as compared
    from backtests.checks.comparison_report import counts_table, document, list_table, markdown
    from commands.screen import console, show_json, write_out

    found = compared(live, backtest)
    write_out(out, lambda: markdown(found))
    if screen.json:
        show_json(document(found))
    else:
        printer = console(json=False)
        if not screen.quiet:
            printer.print(list_table(found))
        printer.print(counts_table(found))
    return 1 if found.unexplained else 0
