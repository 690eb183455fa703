"""``risk-first data``: fetch bars into a file, and show what a file holds."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from config.errors import Refusal
from config.values.counting import counted
from config.values.printable import one_line

EXAMPLES_SHOW = (
    "\b\nExamples:\n  risk-first data show bars.parquet\n  risk-first data show prices.csv --date-order dmy --json"
)
EXAMPLES_GET = (
    "\b\nExamples:\n  risk-first data get --source yahoo --symbols AAPL,BRK.B --start 2020-01-02 --end 2024-12-31 "
    "--out bars.parquet\n  risk-first data get --source alpaca --symbols SPY --start 2024-01-02 --end 2024-03-28 "
    "--minutes 5 --out spy.csv"
)
DAY_MINUTES = 1440
ZONES = {"America/New_York": "New York", "UTC": "UTC"}
SHOWN = 5
"""Symbols whose first and last bars the screen shows."""

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


class DateOrder(StrEnum):
    """What comes first in 03/04/2022."""

    DMY = "dmy"
    MDY = "mdy"


class DecimalSign(StrEnum):
    """What 1,234 has."""

    POINT = "point"
    COMMA = "comma"


class Labels(StrEnum):
    """Which moment of a bar its time is."""

    BEGIN = "begin"
    END = "end"


class Hours(StrEnum):
    """Whose bars are kept."""

    REGULAR = "regular"
    EXTENDED = "extended"
    ALL = "all"


class Source(StrEnum):
    """Where bars come from."""

    YAHOO = "yahoo"
    ALPACA = "alpaca"


class Feed(StrEnum):
    """Alpaca's data plans."""

    IEX = "iex"
    SIP = "sip"


def _day(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD, e.g. 2024-06-28") from None


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@app.callback()
def data() -> None:
    """Fetch bars into a file, and show what a file holds."""


@app.command(epilog=EXAMPLES_SHOW)
def show(
    file: Annotated[Path, typer.Argument(help="A .parquet or .csv file, or a folder with one for each symbol.")],
    as_json: AsJson = False,
    date_order: Annotated[DateOrder | None, typer.Option(help="Of dates such as 03/04/2022.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of times without an offset (default: New York's; of coins say it).")
    ] = None,
    decimal: Annotated[DecimalSign | None, typer.Option(help="What a number such as 1,234 or 1.234 means.")] = None,
    labels: Annotated[Labels | None, typer.Option(help="Which moment of an intraday bar its time is.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Of a file of one symbol that does not name it.")] = None,
    hours: Annotated[Hours, typer.Option(help="Whose bars are kept.")] = Hours.REGULAR,
) -> None:
    """Show how a file is read: symbols, span, bar length, gaps, jumps, bars outside sessions or off the grid."""
    from backtests.data.bar_files import described, read_file
    from backtests.data.reading.options import ReadOptions

    options = ReadOptions(
        date_order=None if date_order is None else date_order.value,
        timezone=timezone,
        decimal=None if decimal is None else decimal.value,
        symbol=symbol,
        hours=hours.value,
        labels=None if labels is None else labels.value,
        symbol_option="--symbol",
    )
    told = described(read_file(file, options=options))
    typer.echo(json.dumps(told) if as_json else _screen(file, told))


@app.command(epilog=EXAMPLES_GET)
def get(
    source: Annotated[Source, typer.Option(help="Where the bars come from.")],
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Symbols, separated by commas.")],
    start: Annotated[date, typer.Option(parser=_day, metavar="YYYY-MM-DD", help="First day.")],
    end: Annotated[date, typer.Option(parser=_day, metavar="YYYY-MM-DD", help="Last day, included.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .parquet or .csv file to write.")],
    minutes: Annotated[int, typer.Option(min=1, help="Length of a bar; 1440 is a day.")] = DAY_MINUTES,
    feed: Annotated[Feed, typer.Option(help="Alpaca's data plan.")] = Feed.IEX,
    alpaca_url: Annotated[str | None, typer.Option(metavar="BASE", help="Another host than Alpaca's own.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch bars, adjusted for splits and dividends, into a file; FILE.json beside it says where they come from."""
    from backtests.data import downloads
    from backtests.data.bar_files import described, read_file
    from backtests.data.reading.options import ReadOptions
    from config.values.addresses import address

    downloads.refuse_target(out, overwrite=overwrite)
    if alpaca_url is not None:
        try:
            alpaca_url = address(alpaca_url.rstrip("/"), "https", "http")
        except ValueError as error:
            raise Refusal(f"--alpaca-url {alpaca_url}: {error}") from None
    names = [name for name in symbols.split(",") if name.strip()]
    found = downloads.download(source.value, names, start, end, minutes, feed=feed.value, data_url=alpaca_url)
    about = {"source": source.value, "start": start.isoformat(), "end": end.isoformat(), "bar_seconds": minutes * 60}
    downloads.write(found, out, about, overwrite=overwrite)
    told = described(read_file(out, options=ReadOptions(hours="all")))
    told |= {"out": str(out), "adjusted_for": downloads.ADJUSTED, "missing": list(found.missing)}
    typer.echo(json.dumps(told) if as_json else _screen(out, told))


def _screen(file: Path, told: dict[str, Any]) -> str:
    symbols = told["symbols"]
    lines = [
        f"read as  {told['read_as']}",
        f"symbols  {len(symbols)}: {', '.join(symbols)}",
        f"span     {told['start']} to {told['end']}",
        f"bars     {told['rows']:,} of {_length(told['bar_seconds'])}",
    ]
    for symbol, edges in list(told["bars"].items())[:SHOWN]:
        first, last = (_bar(edges[name], told["zone"]) for name in ("first", "last"))
        lines.append(f"closes   {symbol}: {first}, {last}")
    if (more := len(told["bars"]) - SHOWN) > 0:
        lines.append(f"closes   of {counted(more, 'more symbol')} with --json")
    if "adjusted_for" in told:
        lines.append(f"prices   adjusted for {told['adjusted_for']}")
    if told.get("missing"):
        lines.append(f"missing  {', '.join(told['missing'])}: the source has no bars of them")
    lines += [f"note     {note}" for note in told["notes"]]
    return "\n".join(map(one_line, [str(file), *lines]))


def _bar(bar: dict[str, Any], zone: str) -> str:
    """One bar's close and time, in words."""
    moment = bar["time"] if not zone else f"{datetime.fromisoformat(bar['time']):%Y-%m-%d %H:%M} {ZONES[zone]}"
    return f"{bar['close']:.6g} ({moment})"


def _length(seconds: int) -> str:
    return "a day" if seconds == DAY_MINUTES * 60 else f"{seconds // 60} minutes"
