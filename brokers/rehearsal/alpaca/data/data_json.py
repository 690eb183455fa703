"""The JSON objects of market data."""

from __future__ import annotations

from decimal import Decimal

from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.core.bar_playback import PlayedBar, from_ns

QUOTE_SIZE = 100
EXCHANGE_CODE, TAPE_CODE = "V", "C"


def zulu(stamp: int) -> str:
    """A time as the market data API writes it: no fraction where there is none."""
    time = from_ns(stamp)
    text = time.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time.microsecond:06d}Z" if time.microsecond else f"{text}Z"


def bar_json(bar: PlayedBar) -> Json:
    """The Bar object."""
    return {
        "t": zulu(bar.start),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "n": bar.trades,
        "vw": bar.vwap,
    }


def trade_json(at: int, price: float, shares: float) -> Json:
    """The Trade object."""
    return {
        "t": zulu(at),
        "x": EXCHANGE_CODE,
        "p": price,
        "s": shares,
        "c": ["@"],
        "i": at // 1_000,
        "z": TAPE_CODE,
    }


def quote_json(at: int, bid: Decimal, ask: Decimal) -> Json:
    """The Quote object."""
    return {
        "t": zulu(at),
        "bx": EXCHANGE_CODE,
        "bp": float(bid),
        "bs": QUOTE_SIZE,
        "ax": EXCHANGE_CODE,
        "ap": float(ask),
        "as": QUOTE_SIZE,
        "c": ["R"],
        "z": TAPE_CODE,
    }
