"""Quotes that must not become orders, each with its reason (DATA-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.alpaca.venue import AlpacaVenue
from brokers.desk.data.quotes import QuoteReader
from tests.brokers.desk.feedside import DataVenue, moment
from tests.brokers.desk.scene import read_quote

NOW = moment("2023-03-07 10:00")
AGE = timedelta(seconds=300)
GOOD: dict[str, Any] = {"bp": 172.62, "ap": 172.7, "t": "2023-03-07T14:59:59.286587431Z"}


def test_a_good_quote_keeps_the_prices_as_sent() -> None:
    quote = read_quote("AAPL", GOOD, NOW, AGE)
    assert (quote.bid, quote.ask, quote.problem) == (Decimal("172.62"), Decimal("172.7"), "")
    assert quote.time is not None
    assert quote.time.utcoffset() is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ap": 0}, "one-sided"),
        ({"bp": 0}, "one-sided"),
        ({"bp": None}, "one-sided"),
        ({"bp": -1}, "one-sided"),
        ({"bp": 173}, "crossed"),
        ({"ap": 182}, "wide"),
        ({"t": "2023-03-07T14:54:59Z"}, "stale"),
        ({"t": "2023-03-07T15:05:01Z"}, "ahead of the clock"),
        ({"t": None}, "no time"),
        ({"ap": float("nan")}, "not readable"),
        ({"ap": "NaN"}, "not readable"),
        ({"ap": "Infinity"}, "not readable"),
        ({"ap": "soon"}, "not readable"),
        ({"t": "yesterday"}, "not readable"),
    ],
)
def test_a_bad_quote_says_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    quote = read_quote("AAPL", {**GOOD, **change}, NOW, AGE)
    assert problem in quote.problem
    assert not quote.missing


def test_a_missing_quote_is_told_from_a_wrong_one() -> None:
    assert read_quote("AAPL", None, NOW, AGE).missing


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"t": "2023-03-07T14:55:00Z"}, False),
        ({"t": "2023-03-07T15:05:00Z"}, False),
        ({"ap": 181.251}, False),
        ({"bp": 172.7}, False),
    ],
    ids=["exactly as old as may be", "exactly as far ahead", "exactly as wide as may be", "locked"],
)
def test_limits_are_still_good(change: dict[str, Any], wrong: bool) -> None:
    assert bool(read_quote("AAPL", {**GOOD, **change}, NOW, AGE).problem) is wrong


def test_a_time_without_a_zone_is_a_problem() -> None:
    assert read_quote("AAPL", {**GOOD, "t": "2023-03-07T14:59:59"}, NOW, AGE).problem


def test_one_request_for_all_and_names_mapped_both_ways() -> None:
    venue = DataVenue({}, "2023-03-07 10:00")
    venue.quotes = {"BRK.B": GOOD, "AAPL": GOOD}
    client: Any = venue
    found = QuoteReader(AlpacaVenue(client), 300).newest(["AAPL", "BRK.B", "NONE"])
    assert venue.asked_quotes == [("AAPL", "BRK.B", "NONE")]
    assert [found[s].problem for s in ("AAPL", "BRK.B")] == ["", ""]
    assert found["NONE"].missing
