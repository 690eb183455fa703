"""What is missing in Alpaca's answers is unknown: no zero, no sale, no order of another kind."""

from __future__ import annotations

import pytest

from brokers.alpaca.listings import account_of, listing_of, positions_of
from brokers.alpaca.venue import AlpacaVenue
from brokers.kraken.answers.listings import listing_of as kraken_listing_of
from brokers.kraken.answers.names import Names
from brokers.venue_errors import AccountUnreadable
from tests.brokers.alpaca.scripted import answer, client_of, serving
from tests.brokers.alpaca.test_figures import ORDER
from tests.brokers.kraken.scripted import body, scripted

ACCOUNT = {"account_number": "A", "status": "ACTIVE", "equity": "1000", "cash": "800"}


@pytest.mark.parametrize("key", ["equity", "cash"])
@pytest.mark.parametrize("value", [None, "", "x", "absent"])
def test_an_account_without_equity_or_cash_is_unreadable(key, value):
    told = {name: figure for name, figure in ACCOUNT.items() if name != key}
    if value != "absent":
        told[key] = value
    with pytest.raises(ValueError, match=key):
        account_of(told)
    with serving(answer(told)) as server, pytest.raises(AccountUnreadable, match=key):
        AlpacaVenue(client_of(server.url)).account()


def test_an_account_without_a_status_opens_nothing():
    assert not account_of(ACCOUNT).blocked
    assert account_of({**ACCOUNT, "status": None}).blocked == "its status is NOT TOLD"


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": None}, {"side": "SELL_SHORT?"}, {"side": ""}, {"type": None}, {"type": "other"}, {"status": "other"},
        {"qty": None}, {"qty": ""}, {"limit_price": None}, {"type": "stop"}, {"type": "stop_limit"},
        {"order_class": "other"},
    ],
)  # fmt: skip
def test_an_order_without_its_terms_is_not_read(wrong):
    listing = listing_of([{**ORDER, **wrong}])
    assert not listing.orders
    assert listing.unread[0].symbol == "KO"


def test_an_order_by_its_worth_has_the_quantity_that_was_filled():
    (order,) = listing_of([{**ORDER, "qty": None, "notional": "100", "type": "market", "filled_qty": "2"}]).orders
    assert order.quantity == 2


@pytest.mark.parametrize(("side", "read"), [("long", 1), ("short", 1), (None, 1), ("both", 0)])
def test_a_position_of_an_unknown_side_is_not_read(side, read):
    found = positions_of([{"symbol": "KO", "qty": "5", "side": side}])
    assert (len(found.by_symbol), found.complete) == (read, bool(read))


@pytest.mark.parametrize("key", ["vol", "vol_exec", "status"])
def test_an_order_at_kraken_without_its_terms_is_not_read(tmp_path, key):
    venue, _, _ = scripted(tmp_path)
    name, row = next(iter(body("POST /0/private/OpenOrders")["result"]["open"].items()))
    pairs = venue.reference.pairs
    assert kraken_listing_of({name: row}, pairs, Names(), venue.clock.now()).orders
    for wrong in ({k: v for k, v in row.items() if k != key}, {**row, "descr": {**row["descr"], "price": ""}}):
        listing = kraken_listing_of({name: wrong}, pairs, Names(), venue.clock.now())
        assert not listing.orders
        assert listing.unread[0].id == name


def test_a_fee_that_kraken_does_not_tell_is_unknown(tmp_path):
    venue, _, _ = scripted(tmp_path)
    name, row = next(iter(body("POST /0/private/OpenOrders")["result"]["open"].items()))
    (order,) = kraken_listing_of({name: {**row, "fee": None}}, venue.reference.pairs, Names(), venue.clock.now()).orders
    assert order.fees is None
