"""Every example body goes through the parsers of the venue."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from brokers.kraken.answers import listings
from brokers.kraken.answers.names import uuid_of
from brokers.kraken.connection.errors import error_of
from brokers.order_types import OrderType, State
from brokers.venue_errors import KeysRefused, NotSent, OutcomeUnknown, VenueRefusal
from brokers.venue_requests import Bracket, Single, StopOnly
from tests.brokers.kraken.scripted import EXAMPLES, body, scripted

BTC = "BTC/USD"
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def kraken(tmp_path):
    return scripted(tmp_path)


def test_pairs_carry_their_own_steps_and_minimums(kraken):
    venue, _, _ = kraken
    assert venue.rules.tick(90_000, BTC) == 0.1
    assert venue.rules.least(BTC, Decimal(90_000)) == Decimal("0.00005")
    assert venue.rules.least("DOGE/USD", Decimal("0.001")) == Decimal(500), "the least cost counts too"
    assert venue.lists("DOGE/USD") and venue.trades("ETH/USD") and not venue.lists("AUT/USD")


def test_tickers_become_quotes_of_now(kraken):
    venue, rest, _ = kraken
    quote = venue.quotes([BTC])[BTC]
    assert (quote.bid, quote.ask) == (Decimal("90000.0"), Decimal("90000.1"))
    assert quote.time is not None and quote.time.tzinfo is not None
    venue.quotes([BTC])
    assert rest.count("Ticker") == 1, "a second question of the same moment asks nothing"


def test_the_forming_bar_is_none(kraken):
    venue, rest, _ = kraken
    frame = venue.bars([BTC], 60, datetime(2026, 11, 28, tzinfo=UTC))
    assert list(frame["close"]) == [89_900.0, 90_000.0]
    assert frame["datetime"].iloc[-1] == datetime.fromtimestamp(1795887600, UTC)
    assert rest.asked[-1][1]["interval"] == "60"


def test_balances_fold_what_earns_and_leave_out_what_is_locked_and_dust(kraken):
    venue, _, _ = kraken
    positions = venue.positions().by_symbol
    assert set(positions) == {BTC}, "0.000031 DOGE is dust, SOL.S is locked, USD.F is cash"
    assert positions[BTC].quantity == Decimal("0.0012")
    assert positions[BTC].available == Decimal("0.0010")
    account = venue.account()
    assert account.cash == Decimal(155)
    assert account.equity == Decimal(155) + Decimal("0.0012") * 90_000
    assert "DOGE/USD" in venue.dust().by_symbol


def test_open_orders_are_read_and_a_trailing_stop_of_a_hand_is_no_error(kraken):
    venue, _, _ = kraken
    listing = venue.open_orders()
    orders = {order.id: order for order in listing.orders}
    entry, stop = orders["OENTRY-AAAAA-000001"], orders["OSTOP1-AAAAA-000002"]
    assert (entry.symbol, entry.side, entry.type, entry.state) == (BTC, "buy", OrderType.LIMIT, State.PARTIALLY_FILLED)
    assert (entry.filled, entry.average_price, entry.fees) == (Decimal("0.0001"), 89_000, Decimal("0.02225"))
    assert (stop.type, stop.stop_price, stop.made_by) == (OrderType.STOP, Decimal("88110.0"), entry.id)
    assert orders["OSTOPL-AAAAA-000003"].limit_price == Decimal("87500.0")
    assert orders["OFORGN-AAAAA-000004"].type == OrderType.TRAILING_STOP
    assert not listing.unread


@pytest.mark.parametrize("kind", ["take-profit", "iceberg", "settle-position", "trailing-stop-limit"])
def test_an_order_of_an_unknown_kind_is_told_and_not_fatal(tmp_path, kind):
    rows = {key: dict(row) for key, row in body("POST /0/private/OpenOrders")["result"]["open"].items()}
    foreign = rows["OFORGN-AAAAA-000004"]
    foreign["descr"] = {**foreign["descr"], "ordertype": kind}
    venue, _, _ = scripted(tmp_path, {"OpenOrders": {"open": rows}})
    listing = venue.open_orders()
    assert len(listing.orders) == 3
    assert [(row.id, row.symbol) for row in listing.unread] == [("OFORGN-AAAAA-000004", BTC)]


def test_what_has_ended_is_listed_with_its_fill_and_its_fee(kraken):
    venue, rest, _ = kraken
    orders = {order.id: order for order in venue.orders_since(LONG_AGO).orders}
    assert orders["OSTOP1-AAAAA-000002"].state is State.FILLED
    assert orders["OSTOP1-AAAAA-000002"].average_price == Decimal("88050")
    assert orders["OENTRY-AAAAA-000001"].state is State.CANCELLED
    assert orders["OENTRY-AAAAA-000001"].filled == Decimal("0.0001")
    assert orders["OEXPIR-AAAAA-000005"].state is State.EXPIRED
    before = rest.count("ClosedOrders")
    venue.orders_since(LONG_AGO + timedelta(days=1))
    assert rest.count("ClosedOrders") == before, "nothing has ended since, so nothing is asked"


def test_one_order_by_its_id(tmp_path):
    venue, _, _ = scripted(tmp_path)
    ack = venue.order("OENTRY-AAAAA-000001")
    assert ack.orders[0].state is State.FILLED and ack.orders[0].filled == Decimal("0.0002")
    gone, _, _ = scripted(tmp_path, {"QueryOrders": ["EOrder:Unknown order"]})
    with pytest.raises(VenueRefusal, match="no order"):
        gone.order("ONONE-AAAAA-000009")


def test_the_fee_is_this_account_s_and_none_is_assumed(tmp_path):
    venue, _, _ = scripted(tmp_path)
    terms = {term.symbol: term for term in venue.terms([BTC])}
    assert (terms[BTC].maker, terms[BTC].taker) == (Decimal("0.0025"), Decimal("0.004"))
    assert terms[BTC].least_usd == Decimal("0.00005") * Decimal("90000.1")
    silent, _, _ = scripted(tmp_path, {"TradeVolume": {"currency": "ZUSD", "volume": "0"}})
    with pytest.raises(Exception, match="does not tell this account's fee"):
        silent.terms([BTC])


@pytest.mark.parametrize(
    ("request_", "part", "fields"),
    [
        (
            Single(BTC, "buy", Decimal("0.0002"), OrderType.LIMIT, Decimal("89000.04")),
            "limit",
            {"ordertype": "limit", "type": "buy", "price": "89000", "volume": "0.0002", "oflags": "fciq"},
        ),
        (
            Bracket(Single(BTC, "buy", Decimal("0.0002"), OrderType.LIMIT, Decimal(89000)), Decimal("88110.04"), None),
            "limit_with_close",
            {"close[ordertype]": "stop-loss", "close[price]": "88110.1"},
        ),
        (Single(BTC, "sell", Decimal("0.0002")), "market", {"ordertype": "market", "type": "sell"}),
        (
            StopOnly(BTC, "sell", Decimal("0.0002"), Decimal("88000.04")),
            "stop_loss",
            {"ordertype": "stop-loss", "price": "88000.1", "trigger": "last"},
        ),
        (
            Single(BTC, "sell", Decimal("0.0002"), OrderType.STOP_LIMIT, Decimal(87500), Decimal(88000)),
            "stop_loss_limit",
            {"ordertype": "stop-loss-limit", "price": "88000", "price2": "87500"},
        ),
    ],
)
def test_orders_go_out_on_the_tick_in_the_safe_direction(tmp_path, request_, part, fields):
    venue, rest, admission = scripted(tmp_path, {"AddOrder": body("POST /0/private/AddOrder", part)["result"]})
    with admission.sending("name", urgent=False):
        ack = venue.submit(request_, "name", opens=True)
    endpoint, sent = rest.asked[-1]
    assert endpoint == "AddOrder" and sent.items() >= fields.items()
    assert sent["pair"] == "XXBTZUSD" and len(sent["cl_ord_id"]) == 36
    assert ack.id == body("POST /0/private/AddOrder", part)["result"]["txid"][0]
    assert ack.orders[0].open and ack.client_order_id == "name"


def test_what_did_not_come_through_the_gateway_is_not_sent(kraken):
    venue, rest, _ = kraken
    with pytest.raises(VenueRefusal, match="order gateway"):
        venue.submit(Single(BTC, "buy", Decimal("0.0002")), "name", opens=True)
    with pytest.raises(VenueRefusal, match="order gateway"):
        rest.create_order(BTC, "market", "buy", 0.0002) if rest.load_markets() is None else rest.privatePostCancelAll()
    assert not any(endpoint in ("AddOrder", "CancelAll") for endpoint, _ in rest.asked)


def test_below_the_minimum_nothing_is_sent(kraken):
    venue, rest, admission = kraken
    with admission.sending("name", urgent=False), pytest.raises(VenueRefusal, match=r"minimum of 0\.00005"):
        venue.submit(Single(BTC, "buy", Decimal("0.00004")), "name", opens=True)
    assert rest.count("AddOrder") == 0


def test_a_cancel_and_its_refusal(tmp_path):
    venue, _, admission = scripted(tmp_path)
    with admission.sending("OENTRY-AAAAA-000001", urgent=True):
        venue.cancel("OENTRY-AAAAA-000001")
    gone, _, admission = scripted(tmp_path, {"CancelOrder": body("POST /0/private/CancelOrder", "unknown")["error"]})
    with admission.sending("ONONE", urgent=True), pytest.raises(VenueRefusal):
        gone.cancel("ONONE")


@pytest.mark.parametrize("texts", EXAMPLES["errors"], ids=lambda texts: texts[0])
def test_each_error_text_means_something_definite(texts):
    asked, changed = error_of(texts, changes=False), error_of(texts, changes=True)
    unknown = texts[0] in ("EGeneral:Internal error", "EService:Unavailable", "EService:Busy")
    assert isinstance(changed, OutcomeUnknown) == unknown
    assert asked is not None and not isinstance(asked, OutcomeUnknown)
    turned_away = ("Rate limit", "lockout", "nonce", "Deadline", "Too many")
    assert isinstance(changed, NotSent) == any(word in texts[0] for word in turned_away)
    keys = ("Invalid key", "Invalid signature", "Permission denied")
    assert isinstance(changed, KeysRefused) == any(word in texts[0] for word in keys)


def test_what_has_ended_is_told_again_to_whoever_asks_again(kraken):
    """A comparison that looks twice must see the same orders twice."""
    venue, rest, _ = kraken
    first = {order.id for order in venue.orders_since(LONG_AGO).orders}
    assert {order.id for order in venue.orders_since(LONG_AGO).orders} == first
    assert rest.count("ClosedOrders") == 1
    late = max(order.changed for order in venue.orders_since(LONG_AGO).orders if not order.open)
    ended = {order.id for order in venue.orders_since(late + timedelta(seconds=1)).orders if not order.open}
    assert ended == set(), "what ended before is not told"


def test_no_row_is_read_twice_unless_it_is_told_anew(kraken, monkeypatch):
    venue, rest, _ = kraken
    now = [datetime(2026, 11, 28, 12, tzinfo=UTC)]
    monkeypatch.setattr(venue.clock, "now", lambda: now[0])
    reads = Counter()
    read = listings.order_of

    def counted(txid, row, *rest_of_it):
        reads[txid] += 1
        return read(txid, row, *rest_of_it)

    monkeypatch.setattr(listings, "order_of", counted)
    ended = rest.answers["ClosedOrders"]["closed"]
    venue.orders_since(LONG_AGO)
    told = Counter([*rest.answers["OpenOrders"]["open"], *ended])
    assert reads == told and len(ended) >= 2
    venue.open_orders()
    assert reads == told, "a second question of the same moment"
    now[0] += timedelta(minutes=1)
    venue.orders_since(LONG_AGO - timedelta(days=1))
    assert rest.count("ClosedOrders") == 2
    told += Counter(list(rest.answers["OpenOrders"]["open"]))
    assert reads == told, "what has ended was listed again, and nothing in it was new"
    # A figure that was missing comes, and so does our name of an order that ended before.
    txid, row = next((txid, row) for txid, row in ended.items() if Decimal(str(row["vol_exec"])) > 0)
    rest.answers["ClosedOrders"] = {"closed": {**ended, txid: {**row, "fee": "0.77", "cl_ord_id": uuid_of("ours")}}}
    venue.orders_since(LONG_AGO - timedelta(days=2))
    told[txid] += 1
    assert reads == told
    venue.expect(["ours"])
    (order,) = [order for order in venue.orders_since(LONG_AGO).orders if order.id == txid]
    assert (order.fees, order.client_order_id) == (Decimal("0.77"), "ours") and reads == told
