"""What the codes in trades and quotes mean."""

from __future__ import annotations

from brokers.rehearsal.alpaca.data.parameters import bad
from brokers.rehearsal.alpaca.routes import Call, Routes

EXCHANGES = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "H": "MIAX",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long Term Stock Exchange",
    "M": "Chicago Stock Exchange",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "S": "NASDAQ Small Cap",
    "T": "NASDAQ Int",
    "U": "Members Exchange",
    "V": "IEX",
    "W": "CBOE",
    "X": "NASDAQ OMX PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
# Those that this exchange gives; Alpaca lists more.
CONDITIONS = {
    "trade": {"@": "Regular Sale", "O": "Market Center Opening Trade", "M": "Market Center Close Price"},
    "quote": {"R": "Regular Two Sided Open"},
}
TAPES = ("A", "B", "C")


def add_meta(routes: Routes) -> None:
    """Register the paths below /v2/stocks/meta."""
    routes.add("GET", "/v2/stocks/meta/exchanges", lambda call: dict(EXCHANGES))
    routes.add("GET", "/v2/stocks/meta/conditions/{}", _conditions)


def _conditions(call: Call) -> dict[str, str]:
    if call.ids[0] not in CONDITIONS:
        raise bad(f"invalid ticktype: {call.ids[0]}; it is one of {', '.join(CONDITIONS)}")
    if call.query.get("tape") not in TAPES:
        raise bad(f"invalid tape: {call.query.get('tape', '')}; it is one of {', '.join(TAPES)}")
    return dict(CONDITIONS[call.ids[0]])
