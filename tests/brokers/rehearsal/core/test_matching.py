"""Where orders execute in a bar and at a quote."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.rehearsal.core.matching import low_first
from tests.brokers.rehearsal.venue import OPEN, Venue, at


@pytest.mark.parametrize(
    ("side", "kind", "terms", "bar", "price"),
    [
        ("buy", "market", {}, ("102", "103", "101", "102"), "100.01"),
        ("buy", "limit", {"limit_price": "98"}, ("99", "99", "97", "99"), "98"),
        ("buy", "limit", {"limit_price": "98"}, ("96", "99", "95", "99"), "96.01"),
        ("buy", "limit", {"limit_price": "98"}, ("99", "99", "97.995", "99"), None),
        ("buy", "limit", {"limit_price": "98"}, ("99", "99", "97.99", "99"), "98"),
        ("sell", "limit", {"limit_price": "103"}, ("101", "104", "100", "101"), "103"),
        ("sell", "limit", {"limit_price": "103"}, ("105", "106", "104", "105"), "104.99"),
        ("buy", "stop", {"stop_price": "102"}, ("101", "103", "100", "101"), "102.01"),
        ("buy", "stop", {"stop_price": "102"}, ("104", "105", "103", "104"), "104.01"),
        ("sell", "stop", {"stop_price": "98"}, ("99", "100", "97", "99"), "97.99"),
        ("sell", "stop", {"stop_price": "98"}, ("95", "96", "94", "95"), "94.99"),
        ("sell", "stop", {"stop_price": "98"}, ("99", "100", "98.01", "99"), None),
        ("sell", "stop_limit", {"stop_price": "98", "limit_price": "97"}, ("99", "99", "96", "97"), "97.99"),
        ("sell", "stop_limit", {"stop_price": "98", "limit_price": "97"}, ("95", "96", "94", "95"), None),
        ("sell", "stop_limit", {"stop_price": "98", "limit_price": "98"}, ("98", "98", "96", "97"), None),
        ("sell", "stop_limit", {"stop_price": "98", "limit_price": "98"}, ("98", "99", "96", "97"), "98"),
        ("buy", "stop_limit", {"stop_price": "102", "limit_price": "102"}, ("101", "103", "100", "101"), "102"),
        ("sell", "trailing_stop", {"trail_price": "2"}, ("101", "102", "98.5", "101"), "98.99"),
        ("sell", "trailing_stop", {"trail_percent": "2"}, ("110", "110", "107.9", "109"), None),
        ("sell", "trailing_stop", {"trail_percent": "2"}, ("110", "110", "107.8", "109"), "107.79"),
        ("buy", "trailing_stop", {"trail_price": "2"}, ("97", "99", "96", "97"), "99.01"),
    ],
)
def test_where_an_order_fills(side: str, kind: str, terms: dict, bar: tuple[str, ...], price: str | None) -> None:
    venue = Venue()
    order_id = venue.send(side, kind, **terms)
    venue.wait()
    venue.bar(*bar)
    assert venue.order(order_id)["filled_avg_price"] == price


def test_a_bar_that_spans_stop_and_target_counts_as_the_stop() -> None:
    venue = Venue()
    _, target, stop = venue.bracket()
    venue.wait()
    venue.bar("100", "120", "90", "100")
    assert venue.status(target, stop) == "replaced filled"
    assert venue.order(stop)["filled_avg_price"] == "94.99"


def test_an_entry_bought_inside_a_bar_can_be_stopped_out_in_it_but_not_reach_its_target() -> None:
    venue = Venue()
    ids = venue.bracket("limit", limit_price="99")
    venue.wait()
    venue.bar("100", "120", "90", "100")
    assert venue.status(*ids) == "filled replaced filled"
    venue = Venue()
    ids = venue.bracket("limit", limit_price="99")
    venue.wait()
    venue.bar("100", "120", "96", "97")
    assert venue.status(*ids) == "filled new held"


@pytest.mark.parametrize(
    ("position", "buy_rests", "low"), [(1, True, True), (-1, False, False), (0, True, False), (0, False, True)]
)
def test_the_extreme_that_hurts_comes_first(position: int, buy_rests: bool, low: bool) -> None:
    assert low_first(Decimal(position), buy_rests) is low


def test_orders_execute_in_the_order_in_which_the_price_reaches_them() -> None:
    venue = Venue()
    far = venue.send(kind="limit", limit_price="97", qty="1")
    near = venue.send(kind="limit", limit_price="98", qty="1")
    venue.wait()
    venue.bar("100", "100", "96", "96")
    fills = [e["order"]["id"] for e in venue.events if e["event"] == "fill"]
    assert fills == [near, far]


def test_a_bar_takes_its_time_and_ends_with_the_session() -> None:
    venue = Venue(now=at("2026-03-10 15:30"))
    sold = venue.send("sell", "limit", limit_price="101.5", qty="1")
    venue.wait()
    venue.bar("101", "101", "100", "102", minutes=60)
    assert str(venue.order(sold)["filled_at"]) == "2026-03-10T19:59:59.999999Z"
    assert venue.now < at("2026-03-10 16:00")


def test_no_order_trades_on_a_price_of_another_phase() -> None:
    venue = Venue(now=at("2026-03-10 09:00"))
    order_id = venue.send()
    venue.advance(at("2026-03-10 09:30"))
    assert venue.status(order_id) == "new"


def test_the_clock_does_not_go_back() -> None:
    venue = Venue()
    with pytest.raises(ValueError, match="cannot go back"):
        venue.advance(OPEN)


def test_money_and_margin_follow_the_fills() -> None:
    venue = Venue()
    venue.buy("100")
    venue.quote("110")
    account = venue.account()
    assert [account[k] for k in ("cash", "equity", "long_market_value")] == ["89999", "100999", "11000"]
    assert account["buying_power"] == "190998"
    position = venue.position("AAPL")
    assert [position[k] for k in ("avg_entry_price", "unrealized_pl", "cost_basis")] == ["100.01", "999", "10001"]
    venue.send(qty="100")
    venue.wait()
    assert venue.position("AAPL")["avg_entry_price"] == "105.01"


def test_yesterdays_close_is_what_today_is_compared_with() -> None:
    venue = Venue()
    venue.buy()
    venue.on_quote(at("2026-03-11 10:00"), {"AAPL": Decimal(110)})
    position = venue.position("AAPL")
    assert [position[k] for k in ("lastday_price", "change_today", "unrealized_intraday_pl")] == ["100", "0.1", "100"]
    assert venue.account()["last_equity"] == "99999.9"
