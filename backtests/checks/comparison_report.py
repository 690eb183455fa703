"""A comparison of two runs on screen and as markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from backtests.checks.comparison_result import Cause, Comparison
from config.values.counting import counted
from monitoring.record_table import Column, RecordTable

TITLE = "decisions, live and backtest"
BAR = r"\|"
"""A bar inside a cell of markdown."""
EDGES = (Cause.EDGE_LIVE, Cause.EDGE_BACKTEST)

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


def _listed(found: Comparison) -> Iterator[tuple[str, str, str, str, str]]:
    """The cells of every difference; those at the edges of the window are summed up in a row each."""
    for edge in EDGES:
        bars = [d.bar for d in found.differences if d.cause is edge]
        if bars:
            first, last = (f"{bar:%Y-%m-%d %H:%M}" for bar in (min(bars), max(bars)))
            yield (
                first if first == last else f"{first} to {last}",
                "",
                "",
                str(edge),
                f"{counted(len(bars), 'decision')} {MEANINGS[edge]}",
            )
    for d in found.differences:
        if d.cause not in EDGES:
            yield f"{d.bar:%Y-%m-%d %H:%M}", d.symbol, d.signal, str(d.cause), d.detail


def list_table(found: Comparison) -> RecordTable:
    """Every difference but those at the window's edges, which are one row."""
    columns = [Column("bar, New York"), Column("symbol"), Column("signal")]
    table = RecordTable([*columns, Column("cause", prose=True), Column("detail", prose=True)], "differences")
    for row in _listed(found):
        table.add(*row)
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
    """Counts and the differences, as ``list_table`` has them."""
    lines = ["| cause | decisions | meaning |", "| --- | ---: | --- |"]
    lines += [f"| {cause} | {count} | {meaning} |" for cause, count, meaning in _rows(found)]
    lines += ["", "| bar, New York | symbol | signal | cause | detail |", "| --- | --- | --- | --- | --- |"]
    for row in _listed(found):
        lines.append(f"| {' | '.join(cell.replace('|', BAR) for cell in row)} |")
    return "\n".join(lines) + "\n"
