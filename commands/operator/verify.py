"""``risk-first verify``: whether a journal, or an exported bundle of one, is what was written."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from brokers.journal.address import journal_address
from brokers.operator.bundle import verify_bundle
from brokers.operator.track_record import Period, TrackRecord, verify
from config.errors import Refusal, exit_status
from config.secrets import Secrets

NEW_YORK = ZoneInfo("America/New_York")
Adopted = Annotated[
    list[str] | None, typer.Option("--adopt", metavar="SYMBOL", help="as in live.adopt; may be given several times")
]
Address = Annotated[
    str, typer.Option("--journal", metavar="FILE|URL", help="default: DATABASE_URL, else state/journal.sqlite3")
]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def command(
    bundle: Annotated[
        Path | None, typer.Argument(help="an exported folder; without it the journal is verified")
    ] = None,
    journal: Address = "",
    start: Annotated[str, typer.Option(help="first day, e.g. 2026-01-05")] = "",
    end: Annotated[str, typer.Option(help="last day")] = "",
    adopt: Adopted = None,
) -> None:
    """Derive orders, positions and trades from the journal's chain and compare them byte by byte.

    Exit status: 0 it is what was written, 2 it is not, or the input was refused.
    """

    def run() -> int:
        period = Period(_day(start, "--start", 0), _day(end, "--end", 1))
        if bundle is not None:
            _print(verify_bundle(bundle, period))
            return 0
        address = journal or journal_address(Secrets.from_environment(os.environ))
        _print(verify(address, period, tuple(adopt or ())))
        return 0

    raise typer.Exit(exit_status(run))


def _day(text: str, option: str, after: int) -> datetime | None:
    """Midnight in New York of a day, or of the day after it."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=NEW_YORK)
    except ValueError:
        raise Refusal(f"{option} {text}: it is no day; write one as 2026-01-05") from None
    return day + timedelta(days=after)  # By the calendar: midnight, also after a day of 23 hours.


def _print(record: TrackRecord) -> None:
    counts = record.counts
    typer.echo(
        f"it is what was written: {counts['decisions']} decisions, {counts['orders']} orders, {counts['fills']} fill "
        f"reports, {len(record.trades)} trades, {len(record.positions)} positions at the end"
    )
    if counts["equity"]:
        rest = record.cash_change - record.cash_by_fills
        typer.echo(
            f"cash moved by {record.cash_change:.2f} USD, fills by {record.cash_by_fills:.2f}: {rest:.2f} USD are "
            "fees, dividends, interest, payments and fills that the account did not show yet"
        )
    if record.upgraded:
        typer.echo(f"the chain vouches for later rows alone: {record.upgraded}")
    typer.echo(f"head {record.head}")
