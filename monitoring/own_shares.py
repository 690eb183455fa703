"""Shares of ours over time, as a journal's fills and splits add up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from monitoring import journal_fills
from monitoring.journal_reader import Statements, moment
from monitoring.rows import FillRow

SPLITS_SINCE = 2
"""The version of the tables that has splits for certain."""
NOISE = 1e-9
_ALL = 10**9
_OPENING = ("entry", "hedge")


def own_shares(db: Statements) -> Iterator[tuple[datetime, str, float]]:
    """Each change in its order: when, the symbol, and our shares of it from then on, signed.

    What was bought or sold short by hand is not ours, adopted or not: a journal does not tell what was adopted. An
    order by hand takes manual shares first, then ours; an exit takes ours first, as the desk books them. A split comes
    after the fills of its moment.
    """
    ours: dict[str, float] = {}
    theirs: dict[str, float] = {}
    filled: list[tuple[datetime, str, FillRow | float]] = [
        (f.time, f.symbol, f) for f in reversed(journal_fills.fills(db, limit=_ALL))
    ]
    for time, symbol, event in sorted([*filled, *_splits(db)], key=lambda e: (e[0], not isinstance(e[2], FillRow))):
        held, manual = ours.get(symbol, 0.0), theirs.get(symbol, 0.0)
        if isinstance(event, FillRow):
            change = _from_ours(event, held, manual)
            ours[symbol], theirs[symbol] = held + change, manual + _signed(event) - change
        else:
            ours[symbol], theirs[symbol] = held * event, manual * event
        if ours[symbol] != held:
            yield time, symbol, ours[symbol]


def net_fills(db: Statements) -> dict[str, float]:
    """Our shares by symbol at the end; flat ones left out."""
    last = {symbol: shares for _, symbol, shares in own_shares(db)}
    return {symbol: shares for symbol, shares in sorted(last.items()) if abs(shares) > NOISE}


def _splits(db: Statements) -> list[tuple[datetime, str, float]]:
    """When a symbol was split, and how many shares one became."""
    if db.version < SPLITS_SINCE:
        return []
    rows = db.rows("SELECT symbol, time, before, after FROM splits")
    return [(moment(row["time"]), row["symbol"], float(row["after"]) / float(row["before"])) for row in rows]


def _signed(fill: FillRow) -> float:
    return fill.quantity if fill.side == "buy" else -fill.quantity


def _from_ours(fill: FillRow, held: float, manual: float) -> float:
    """What of a fill changes our shares."""
    signed = _signed(fill)
    if fill.role in _OPENING:
        return signed
    if fill.role == "manual":
        return _taken(signed - _taken(signed, manual), held)
    return signed - _taken(signed - _taken(signed, held), manual)


def _taken(wanted: float, there: float) -> float:
    """What of a signed quantity takes away from what is there."""
    if wanted * there >= 0:
        return 0.0
    return max(wanted, -there) if wanted < 0 else min(wanted, -there)
