"""A comparison of two runs on screen and as markdown."""

from __future__ import annotations

from rich.table import Table

from backtests.checks.comparison_result import Cause, Comparison
from monitoring.record_table import Column, RecordTable

TITLE = "decisions, live and backtest"

MEANINGS = {
    Cause.DECIDED_EARLIER: "its position ended inside the bar, so that live decided before the bar was over",
    Cause.DECIDED_AGAIN: "live scans several times per bar: a later scan took what the first one had left",
    Cause.ENTERED_AGAIN: "out inside the bar, or not filled, live entered once more before the bar was over",
    Cause.BOOK: "positions, cash, equity or budget differ, since an earlier trade went differently",
    Cause.HAND: "an order that is not of this program held a part of live's cash",
    Cause.QUOTE: "the same decision, another size at the quote of its moment",
    Cause.BARS: "the figures or bars that were seen differ",
    Cause.FILL: "the same order, filled at another price or not completely",
    Cause.VENUE: "the venue or the gate before it took the order in one run only",
    Cause.HALTED: "entries were stopped in one run only",
    Cause.NO_ITERATION: "no iteration in that bar",
    Cause.EDGE_LIVE: "before the first or after the last bar of the backtest",
    Cause.EDGE_BACKTEST: "before the first or after the last iteration of the live run",
    Cause.UNEXPLAINED: "none of these",
}


def _rows(found: Comparison) -> list[tuple[str, int, str]]:
    rows = [
        ("the same", found.same, f"of {found.pairs} that both made"),
        ("said again", found.repeated, "live decisions that repeat the first of their bar, not compared"),
    ]
    counts = found.counts
    rows += [(str(cause), counts[cause], MEANINGS[cause]) for cause in Cause if counts[cause]]
    return rows if found.unexplained else [*rows, (str(Cause.UNEXPLAINED), 0, MEANINGS[Cause.UNEXPLAINED])]


def counts_table(found: Comparison) -> Table:
    """How many decisions were the same, and how many differ by which cause."""
    table = Table(title=TITLE, title_justify="left")
    for heading, justify in (("cause", "left"), ("decisions", "right"), ("meaning", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # a tuple of literals is text
    for cause, count, meaning in _rows(found):
        table.add_row(cause, str(count), meaning, style="red" if cause == Cause.UNEXPLAINED and count else "")
    return table


def list_table(found: Comparison) -> RecordTable:
    """Every difference."""
    columns = [Column("bar, New York"), Column("symbol"), Column("signal")]
    table = RecordTable([*columns, Column("cause", prose=True), Column("detail", prose=True)], "differences")
    for d in found.differences:
        table.add(f"{d.bar:%Y-%m-%d %H:%M}", d.symbol, d.signal, str(d.cause), d.detail)
    return table


def document(found: Comparison) -> dict[str, object]:
    """The same for programs."""
    return {
        "live": str(found.live),
        "backtest": str(found.backtest),
        "both_made": found.pairs,
        "the_same": found.same,
        "said_again": found.repeated,
        "counts": {str(cause): count for cause, count in found.counts.items()},
        "unexplained": found.unexplained,
        "differences": [
            {"bar": d.bar, "symbol": d.symbol, "signal": d.signal, "cause": str(d.cause), "detail": d.detail}
            for d in found.differences
        ],
    }


def markdown(found: Comparison) -> str:
    """Counts and every difference."""
    lines = ["| cause | decisions | meaning |", "| --- | ---: | --- |"]
    lines += [f"| {cause} | {count} | {meaning} |" for cause, count, meaning in _rows(found)]
    lines += ["", "| bar, New York | symbol | signal | cause | detail |", "| --- | --- | --- | --- | --- |"]
    for d in found.differences:
        detail = d.detail.replace("|", "\\|")
        lines.append(f"| {d.bar:%Y-%m-%d %H:%M} | {d.symbol} | {d.signal} | {d.cause} | {detail} |")
    return "\n".join(lines) + "\n"
