"""Acceptance and life of single orders."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.core.model import Asset
from brokers.rehearsal.core.settings import VenueSettings
from tests.brokers.rehearsal.venue import Venue, at, order, refused


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (order(kind="limit"), "limit orders require limit_price"),
        (order(kind="limit", limit_price="99", stop_price="98"), "limit orders must not have stop_price"),
        (order(kind="stop"), "stop orders require stop_price"),
        (order(kind="stop_limit", stop_price="1"), "stop_limit orders require limit_price"),
        (order(limit_price="99"), "market orders must not have limit_price"),
        (order(kind="trailing_stop"), "trailing_stop orders require either trail_price or trail_percent"),
        (order(kind="trailing_stop", trail_price="1", trail_percent="1"), "trailing_stop orders require either"),
        (order(kind="trailing_stop", trail_price="1", time_in_force="ioc"), "trailing_stop orders must be DAY or GTC"),
        (order(trail_price="1"), "market orders must not have trail_price"),
        (order(side="hold"), "invalid side"),
        (order(kind="iceberg"), "invalid type"),
        (order(time_in_force="gtd"), "invalid time_in_force"),
        (order(order_class="mleg"), "invalid order_class"),
        (order(qty="ten"), "invalid qty"),
        (order(qty="0"), "qty must be > 0"),
        (order(qty="NaN"), "qty must be > 0"),
        (order(qty=True), "invalid qty"),
        (order(qty=None), "qty or notional is required"),
        (order(qty="1", notional="5"), "only one of qty or notional"),
        (order(symbol=""), "symbol is required"),
        (order(symbol="ZZZZ"), 'asset "ZZZZ" not found'),
        (order(symbol="MSFT"), "no market price for MSFT"),
        (order(client_order_id="x" * 129), "client_order_id must be no more than 128 characters"),
        (order(stop_loss="95"), "invalid stop_loss"),
        (order(qty="1.5", time_in_force="gtc"), "fractional orders must be DAY orders"),
        (order(qty="1.5", kind="trailing_stop", trail_price="1"), "fractional orders must be simple orders"),
        (order(qty="1.0000000001"), "qty and notional take at most 9 decimals"),
        (order(notional="50", kind="limit", limit_price="99"), "notional orders must be market orders"),
        (order(notional="50", time_in_force="gtc"), "fractional orders must be DAY orders"),
        (order(side="sell", qty="1.5"), "fractional orders cannot be sold short"),
        (order(extended_hours=True), "extended hours order must be DAY limit orders"),
        (
            order(kind="limit", limit_price="99", extended_hours=True, time_in_force="gtc"),
            "extended hours order must be DAY limit orders",
        ),
        (
            order(kind="trailing_stop", trail_price="1", extended_hours=True),
            "extended hours order must be DAY limit orders",
        ),
    ],
)
def test_malformed_requests(payload: dict, message: str) -> None:
    status, body = refused(Venue(), payload)
    assert status == 422
    assert str(body["message"]).startswith(message)
    assert body["code"] == 42210000


@pytest.mark.parametrize(
    ("price", "accepted"),
    [("290.12", True), ("290.123", False), ("1.01", True), ("1.001", False), ("0.9999", True), ("0.99991", False)],
)
def test_ticks(price: str, accepted: bool) -> None:
    payload = order(kind="limit", limit_price=price, qty="1")
    if accepted:
        assert Venue().submit(payload)["limit_price"] == price
        return
    message = f"invalid limit_price {price}. sub-penny increment does not fulfill minimum pricing criteria"
    assert refused(Venue(), payload) == (422, {"code": 42210000, "message": message})


def test_prices_may_be_numbers() -> None:
    assert Venue().submit(order(kind="limit", limit_price=99.5, qty=3))["limit_price"] == "99.5"


def test_a_client_order_id_is_spent_for_ever() -> None:
    venue = Venue()
    first = venue.send(kind="limit", limit_price="90", client_order_id="one")
    venue.wait()
    venue.cancel(first)
    venue.wait()
    assert venue.status(first) == "canceled"
    expected = {"code": 40010001, "message": "client_order_id must be unique"}
    assert refused(venue, order(client_order_id="one")) == (422, expected)
    assert venue.order_by_client_id("one")["id"] == first
    assert venue.submit(order(client_order_id="y" * 128))


def test_a_refused_order_does_not_spend_its_client_order_id() -> None:
    venue = Venue()
    refused(venue, order(client_order_id="one", kind="limit"))
    assert venue.submit(order(client_order_id="one"))


def test_notional_starts_at_one_dollar() -> None:
    venue = Venue()
    assert refused(venue, order(notional="0.99"))[0] == 403
    venue.send(notional="1")
    venue.wait()
    assert venue.position("AAPL")["qty"] == "0.009999"


def test_buying_power() -> None:
    venue = Venue()
    status, body = refused(venue, order(qty="2000"))
    assert status == 403
    assert body == {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "200000",
        "cost_basis": "200020",
    }
    venue.send(kind="limit", limit_price="99", qty="1500")
    assert venue.account()["buying_power"] == "51500"
    assert refused(venue, order(kind="limit", limit_price="99", qty="521"))[0] == 403


def test_small_accounts_have_no_margin_and_no_shorts() -> None:
    venue = Venue(settings=VenueSettings(cash_usd=Decimal(1999)))
    assert venue.account()["multiplier"] == "1"
    assert refused(venue, order(qty="20"))[0] == 403
    assert refused(venue, order("sell", qty="1")) == (
        403,
        {"code": 40310000, "message": "account is not allowed to short"},
    )


def test_what_cannot_be_shorted_or_split() -> None:
    venue = Venue(symbols=(Asset("id-1", "AAPL", "Apple", fractionable=False, shortable=False),))
    assert refused(venue, order("sell", qty="1"))[0] == 422
    assert refused(venue, order(qty="1.5"))[0] == 422


def test_a_cancelled_or_filled_order_is_no_longer_cancelable() -> None:
    venue = Venue()
    order_id = venue.send()
    venue.wait()
    with pytest.raises(ApiError, match="422"):
        venue.cancel(order_id)
    with pytest.raises(ApiError, match="404"):
        venue.cancel("nothing")


def test_gtc_orders_are_cancelled_after_90_days() -> None:
    venue = Venue()
    order_id = venue.send(kind="limit", limit_price="50", time_in_force="gtc")
    venue.wait()
    venue.advance(venue.now + timedelta(days=89))
    assert venue.order(order_id)["status"] != "canceled"
    venue.advance(venue.now + timedelta(days=1))
    assert venue.status(order_id) == "canceled"


def test_a_day_order_expires_at_the_close_half_days_included() -> None:
    venue = Venue(now=at("2026-11-27 12:59:50"))
    order_id = venue.send(kind="limit", limit_price="90")
    venue.wait()
    assert venue.status(order_id) == "new"
    venue.advance(at("2026-11-27 13:00"))
    assert venue.status(order_id) == "expired"


@pytest.mark.parametrize(("tif", "status"), [("ioc", "canceled"), ("fok", "canceled")])
def test_at_once_or_not_at_all(tif: str, status: str) -> None:
    venue = Venue()
    late = venue.send(kind="limit", limit_price="99", time_in_force=tif)
    taken = venue.send(kind="limit", limit_price="101", time_in_force=tif)
    venue.wait()
    assert venue.status(late, taken) == f"{status} filled"


def test_orders_after_the_close_rest_until_four_in_the_morning() -> None:
    venue = Venue(now=at("2026-03-10 16:30"))
    market, limit = venue.send(), venue.send(kind="limit", limit_price="99")
    venue.wait()
    assert venue.status(market, limit) == "accepted accepted"
    venue.advance(at("2026-03-11 03:59:59"))
    assert venue.status(market, limit) == "accepted accepted"
    venue.advance(at("2026-03-11 04:00"))
    assert venue.status(market, limit) == "new new"
    venue.on_quote(at("2026-03-11 09:29"), {"AAPL": Decimal(98)})
    venue.advance(at("2026-03-11 09:31"))
    assert venue.status(market, limit) == "new new"
    venue.on_quote(at("2026-03-11 09:32"), {"AAPL": Decimal(98)})
    assert venue.status(market, limit) == "filled filled"


def test_stops_trigger_in_regular_hours_only() -> None:
    venue = Venue(now=at("2026-03-10 15:59"))
    venue.buy()
    stop = venue.send("sell", "stop", stop_price="95", time_in_force="gtc")
    venue.wait()
    venue.on_quote(at("2026-03-10 16:05"), {"AAPL": Decimal(90)})
    assert venue.status(stop) == "accepted"
    venue.on_quote(at("2026-03-11 08:00"), {"AAPL": Decimal(90)})
    assert venue.status(stop) == "new"
    venue.on_quote(at("2026-03-11 09:30"), {"AAPL": Decimal(91)})
    assert venue.order(stop)["filled_avg_price"] == "90.99"


def test_extended_hours_limits_trade_before_the_open_and_after_the_close() -> None:
    venue = Venue(now=at("2026-03-10 08:00"))
    early = venue.send(kind="limit", limit_price="100.5", extended_hours=True)
    venue.wait()
    assert venue.status(early) == "filled"
    late = venue.send(kind="limit", limit_price="90", extended_hours=True)
    venue.on_quote(at("2026-03-10 19:00"), {"AAPL": Decimal(95)})
    assert venue.status(late) == "new"
    venue.on_quote(at("2026-03-10 19:01"), {"AAPL": Decimal(89)})
    assert venue.status(late) == "filled"
    last = venue.send(kind="limit", limit_price="80", extended_hours=True)
    venue.advance(at("2026-03-10 20:00"))
    assert venue.status(last) == "expired"
