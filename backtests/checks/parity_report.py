"""A parity check as a document and as a page."""

from __future__ import annotations

from typing import Any

from backtests.checks.parity import Cause, Parity
from backtests.research.page import heading, page, paragraph, table

MEANINGS = {
    Cause.FIGURES: "price, ATR, score, stop or target is another one",
    Cause.READING: "a rule read another figure of book or bars",
    Cause.RULE: "a rule says something else of the same figures",
    Cause.ORDER: "other rules, or in another order",
    Cause.GONE: "it was proposed then and is not now",
    Cause.NEW: "it is proposed now and was not then",
    Cause.ADJUSTMENT: "a trim, an exit or a tighter stop is another one",
}
LISTED = 200


def document(found: Parity) -> dict[str, Any]:
    """The answer for programs."""
    return {
        "verdict": found.sentence(),
        "iterations": found.iterations,
        "same": found.same,
        "decisions": found.decisions,
        "adjustments": found.adjustments,
        "counts": {str(cause): count for cause, count in found.counts.items()},
        "reason": str(found.reason) if found.differences else None,
        "unexplained": found.unexplained,
        "settings_changed": list(found.changed),
        "recorded_by": sorted(found.programs),
        "missing_iterations": found.damage.missing,
        "damaged_lines": found.damage.lines,
        "differences": [
            {"time": d.time, "symbol": d.symbol, "cause": str(d.cause), "detail": d.detail} for d in found.differences
        ],
    }


def parity_page(found: Parity) -> str:
    """The page; it needs no network."""
    counts = [(str(cause), count, MEANINGS[cause]) for cause, count in found.counts.items()]
    parts = [paragraph(found.sentence(), "verdict"), *(paragraph(text, "note") for text in gaps(found))]
    if counts:
        shown = found.differences[:LISTED]
        rows = [(f"{d.time:%Y-%m-%d %H:%M:%S}", d.symbol, str(d.cause), d.detail) for d in shown]
        parts += [
            table(("cause", "decisions", "meaning"), counts),
            heading("Differences" if len(shown) == len(found.differences) else f"The first {LISTED} differences"),
            table(("time, New York", "symbol", "cause", "detail"), rows),
        ]
    return page("Decided again", parts)


def gaps(found: Parity) -> list[str]:
    """What of the record could not be used, in words."""
    told = []
    if found.damage.missing:
        told.append(f"{found.damage.missing:,} iterations are missing in the record.")
    if found.damage.lines:
        told.append(f"{found.damage.lines:,} lines of the record are damaged, as a crash leaves the last one.")
    return told
