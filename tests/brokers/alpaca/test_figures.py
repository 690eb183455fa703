"""Numbers and times that no market has count as unreadable."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from decimal import Decimal

import pytest

from brokers.alpaca import listings
from brokers.alpaca.listings import account_of, legs_of, listing_of, positions_of
from brokers.alpaca.market_data import quote_of
from brokers.kraken.answers.figures import moment
from brokers.kraken.answers.market_data import bars_of
from brokers.lumibot.trade_stream import TradeStream
from brokers.network.figures import amount
from brokers.venue_errors import VenueUnavailable
from tests.brokers.alpaca.scripted import answer, client_of, serving

ODD = (
    "1e30", "-1e30", "1e15", "1e999999999", "1e-999999999", "0e999999999", "0e-999999999", "1" + "0" * 5_000,
    "0." + "0" * 5_000 + "1", "nan", "-inf", "sNaN", "0x10", "1,000", "٣", "", [], {}, True,
)  # fmt: skip
ORDER = {
    "id": "o", "client_order_id": "c", "symbol": "KO", "side": "buy", "type": "limit", "status": "new", "qty": "5",
    "filled_qty": "0", "limit_price": "60", "time_in_force": "gtc", "created_at": "2024-03-04T15:00:00Z",
}  # fmt: skip
CLOCK = {
    "timestamp": "2024-03-04T15:00:00Z", "is_open": True, "next_open": "2024-03-05T14:30:00Z",
    "next_close": "2024-03-04T21:00:00Z",
}  # fmt: skip
TIMES = ("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2024-03-04T15:00:00", "soon", "-1", 5, [1],
         "2150-01-01T00:00:00Z")  # fmt: skip


@pytest.mark.parametrize("value", [value for value in ODD if value not in ("", "٣")])
def test_a_figure_that_no_market_has_is_unreadable(value):
    began = time.process_time()
    with pytest.raises(ValueError, match="x is "):
        amount({"x": value}, "x")
    assert quote_of({"bp": value, "ap": 60}).unreadable
    assert not positions_of([{"symbol": "KO", "qty": value}]).complete
    with pytest.raises(ValueError, match="equity"):
        account_of({"equity": value})
    assert listing_of([{**ORDER, "limit_price": value}]).unread[0].symbol == "KO"
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("value", ["0", "0.00", "123456.789", "-5", 1e-9, 12.5, "1E+2", 7, "999999999999999"])
def test_a_real_figure_is_exact(value):
    assert amount({"x": value}, "x") == Decimal(str(value))


@pytest.mark.parametrize("value", TIMES)
def test_a_time_that_no_account_has_seen_is_unreadable(value):
    assert listing_of([{**ORDER, "created_at": value}]).unread[0].symbol == "KO"
    assert quote_of({"bp": 60, "ap": 60.1, "t": value}).unreadable
    for key in ("timestamp", "next_open", "next_close"):
        with serving(answer({**CLOCK, key: value})) as server, pytest.raises(VenueUnavailable, match="clock"):
            client_of(server.url).venue_clock()


@pytest.mark.parametrize("value", ["1e30", 253_402_300_000, -(10**11), "soon", [1]])
def test_kraken_seconds_too(value):
    with pytest.raises(ValueError, match=r"time|year"):
        moment(value)
    rows = [[value, 1, 1, 1, 1, 1, 1, 1], [1_700_000_000, 1, 1, 1, 1, 1, 1, 1], [10**30, 1, 1, 1, 1, 1, 1, 1]]
    assert len(bars_of("BTC/USD", rows)) == 1


def test_a_clock_that_opens_in_a_year_is_no_answer():
    with serving(answer(CLOCK)) as server:
        assert client_of(server.url).venue_clock().is_open
    odd = {**CLOCK, "next_open": "2025-03-05T14:30:00Z"}
    with serving(answer(odd)) as server, pytest.raises(VenueUnavailable, match="opens at"):
        client_of(server.url).venue_clock()


@pytest.mark.parametrize("legs", [5, "ab", [5], [None], {"id": "x"}, [[]], True])
def test_legs_that_are_none_are_orders_that_cannot_be_read(legs):
    assert legs_of({"symbol": "KO", "legs": legs})
    listing = listing_of([{**ORDER, "legs": legs}])
    assert [order.id for order in listing.orders] == ["o"]
    assert {row.symbol for row in listing.unread} == {"KO"}


def test_no_row_of_a_listing_and_no_update_is_read_twice(monkeypatch):
    reads = Counter()
    read = listings._order

    def counted(row, listed_under):
        reads[row["id"]] += 1
        return read(row, listed_under)

    monkeypatch.setattr(listings, "_order", counted)
    legs = [{**ORDER, "id": name} for name in ("leg-1", "leg-2")]
    listing = listing_of([{**ORDER, "id": "top", "legs": legs}, {**ORDER, "id": "other"}])
    assert reads == Counter(["top", "leg-1", "leg-2", "other"]) and len(listing.orders) == 4
    assert [len(row["legs"] or ()) for row in listing.native] == [2, 0]
    reads.clear()
    heard = []
    stream = TradeStream("K", "S", paper=True, url=None, on_event=lambda *e: heard.append(e), on_state=heard.append)
    asyncio.run(stream._trade_updates_handler({"data": {"event": "new", "order": {**ORDER, "id": "one"}}}))
    assert [(event["event"], update.id) for event, update in heard] == [("new", "one")]
    assert reads == Counter(["one"])
