"""``verify``: whether a journal, or an exported bundle of one, is what was written."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import ScreenOptions, SettingsOptions, StateOptions, a_day
from config.values.counting import counted
from config.values.markets import NEW_YORK_ZONE
from config.values.printable import one_line

if TYPE_CHECKING:
    from brokers.operator.track_record import TrackRecord


@dataclass(frozen=True, kw_only=True)
class JournalOptions:
    """Which journal, and which manual positions in it are managed like our own."""

    journal: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Its address (default: DATABASE_URL, else the state folder's file)."),
    ] = None
    adopt: Annotated[list[str], typer.Option(metavar="SYMBOL", help="As in live.adopt; repeatable.")] = field(
        default_factory=list
    )


def address_of(named: JournalOptions, chosen: SettingsOptions, state: StateOptions, screen: ScreenOptions) -> str:
    """Where the journal is."""
    from brokers.journal.database.address import journal_address
    from config.values.secrets import Secrets

    if named.journal:
        return named.journal
    if state.state_dir is None and (url := Secrets.from_environment(os.environ).DATABASE_URL) is not None:
        return url.get_secret_value()
    folder = Path(settings_of(chosen, state, screen=screen).live.state_dir)
    return str(folder / Path(journal_address(Secrets())).name)


@command(
    "risk-first verify",
    "risk-first verify --start 2026-01-05 --end 2026-01-30",
    "risk-first verify bundle --json",
)
def verify(
    named: JournalOptions,
    state: StateOptions,
    chosen: SettingsOptions,
    screen: ScreenOptions,
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="An exported folder; without it the journal is verified.")
    ] = None,
    start: Annotated[date | None, typer.Option(parser=a_day, metavar="YYYY-MM-DD", help="First day.")] = None,
    end: Annotated[date | None, typer.Option(parser=a_day, metavar="YYYY-MM-DD", help="Last day, included.")] = None,
) -> int:
    """Check that a journal or a bundle is what was written.

    Orders, positions and trades are derived from the journal's hash chain and compared byte by byte.

    Exit status: 0 it is what was written, 2 it is not, or the input was refused.
    """
    from brokers.operator.bundle import verify_bundle
    from brokers.operator.track_record import Period
    from brokers.operator.track_record import verify as verify_journal

    period = Period(midnight(start, 0), midnight(end, 1))
    if bundle is not None:
        record = verify_bundle(bundle, period)
    else:
        record = verify_journal(address_of(named, chosen, state, screen), period, tuple(named.adopt))
    tell(record, screen)
    return 0


def midnight(day: date | None, after: int) -> datetime | None:
    """Midnight in New York of a day, or of the day after it: by the calendar, also after a day of 23 hours."""
    if day is None:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK_ZONE) + timedelta(days=after)


def tell(record: TrackRecord, screen: ScreenOptions) -> None:
    """Say what a track record amounts to."""
    from commands.screen import show_json
    from monitoring.journal_trades import count_trades

    if screen.json:
        show_json(document_of(record))
        return
    counts, closed = record.counts, count_trades(map(json.loads, record.trades))
    lines = [
        f"it is what was written: {counted(counts['decisions'], 'decision')}, "
        f"{counted(counts['orders'], 'order')}, {counted(counts['fills'], 'fill report')}, "
        f"{counted(closed, 'trade')}, {counted(len(record.positions), 'position')} at the end"
    ]
    if counts["equity"]:
        rest = record.cash_change - record.cash_by_fills
        lines.append(
            f"cash moved by {record.cash_change:.2f} USD, fills by {record.cash_by_fills:.2f} after {record.fees:.2f} "
            f"of fees: {rest:z.2f} USD are other fees, dividends, interest, payments and fills that the account did "
            "not show yet"
        )
    if record.written_off:
        lines.append(
            f"{record.written_off:.2f} USD of coins below the venue's minimum could not be sold and were written off; "
            "they stay in the account"
        )
    if record.upgraded:
        lines.append(f"the chain vouches for later rows alone: {record.upgraded}")
    sys.stdout.write("".join(f"{one_line(line)}\n" for line in (*lines, f"head {record.head}")))


def document_of(record: TrackRecord) -> dict[str, Any]:
    """The same for programs."""
    return {
        "head": record.head,
        "counts": record.counts,
        "cash_change": str(record.cash_change),
        "cash_by_fills": str(record.cash_by_fills),
        "fees": str(record.fees),
        "written_off": str(record.written_off),
        "upgraded": record.upgraded or None,
        "trades": [json.loads(line) for line in record.trades],
        "positions": [json.loads(line) for line in record.positions],
    }
