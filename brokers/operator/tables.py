"""What the operator's scripts found, as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from brokers.operator.differences import Difference
from brokers.operator.manual_positions import ManualPosition
from brokers.operator.positions import PositionReport
from brokers.quantities import digits
from brokers.venue_values import VenuePosition
from config.values.counting import signed
from monitoring.record_table import Column, RecordTable

UNKNOWN, NOT_KNOWN = "–", "not known"


def differences_table(differences: Sequence[Difference]) -> RecordTable:
    """Journal against venue, one record for each difference."""
    table = RecordTable(
        [
            Column("of"),
            Column("kind", prose=True),
            Column("here", prose=True),
            Column("at the venue", prose=True),
            Column("what it is", prose=True),
        ],
        "Journal against venue",
    )
    for d in sorted(differences, key=lambda d: d.kind):
        table.add(d.subject, d.kind.value, d.here, d.there, d.text)
    return table


def manual_position_lines(manual: Sequence[ManualPosition]) -> list[str]:
    """What was traded by hand, each position and all of them together."""
    if not manual:
        return []
    worth, share = sum(held.worth for held in manual), sum(held.share for held in manual)
    lines = [f"By hand: {held.text}" for held in manual]
    return [*lines, f"By hand, together: {worth:,.2f} USD, {share:.1%} of the account"]


def remainder_lines(remainders: Iterable[VenuePosition]) -> list[str]:
    """Coins that are too few to be a position: they count in equity, and nothing can sell them by themselves."""
    return [
        f"{there.symbol}: {digits(there.quantity)} coins, {there.market_value or 0:.2f} USD, are below the venue's "
        "minimum: no position, and nothing can sell them by themselves"
        for there in remainders
    ]


def positions_table(reports: Sequence[PositionReport]) -> RecordTable:
    """Each position with its levels; a level that is no order at the venue is in brackets."""
    table = RecordTable(
        [
            Column("symbol"),
            Column("owner"),
            Column("held", right=True),
            Column("protected", right=True),
            Column("entry", right=True),
            Column("price", right=True),
            Column("profit", right=True),
            Column("R so far", right=True),
            Column("stop", right=True),
            Column("to stop", right=True),
            Column("target", right=True),
            Column("to target", right=True),
            Column("would trigger now"),
        ],
        "Positions",
    )
    for r in reports:
        table.add(
            r.symbol,
            r.owner,
            digits(r.held),
            f"{digits(r.protected)} of {digits(abs(r.held))}",
            f"{_entry(r.entry)}, {_entry(r.paid_by_hand)}" if r.by_hand else _entry(r.entry),
            _price(r.price),
            UNKNOWN if math.isnan(r.profit) else signed(r.profit, ",.2f"),
            _r(r.unrealised_r),
            _level(r.stop, r.stop_works),
            _distance(r, r.to_stop),
            _level(r.target, r.target_works),
            _distance(r, r.to_target),
            r.triggers or "none",
        )
    return table


def _entry(usd: float) -> str:
    return NOT_KNOWN if math.isnan(usd) else _price(usd)


def _price(usd: float) -> str:
    return UNKNOWN if math.isnan(usd) else f"{usd:,.2f}" if abs(usd) >= 1 else f"{usd:.4f}"


def _level(usd: float, works: bool) -> str:
    return _price(usd) if works or math.isnan(usd) else f"({_price(usd)})"


def _r(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{signed(value, '.2f')} R"


def _distance(report: PositionReport, usd: float) -> str:
    if math.isnan(usd):
        return UNKNOWN
    part = f"{report.in_frac(usd):.2%}"
    return part if math.isnan(report.in_r(usd)) else f"{part}, {report.in_r(usd):.2f} R"
