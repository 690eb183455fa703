"""The venue's own client library builds the requests and reads the answers."""

from __future__ import annotations

from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, TimeInForce
from alpaca.trading.models import Asset, Clock, Order, Position, TradeAccount, TradeUpdate
from alpaca.trading.requests import (
    LimitOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)

from tests.brokers.rehearsal.venue import Venue


def group(side: OrderSide, order_class: OrderClass, limit: float) -> dict:
    return LimitOrderRequest(
        symbol="AAPL",
        qty=10,
        side=side,
        time_in_force=TimeInForce.GTC,
        order_class=order_class,
        limit_price=limit,
        take_profit=TakeProfitRequest(limit_price=110.0),
        stop_loss=StopLossRequest(stop_price=95.0),
    ).to_request_fields()


def test_a_bracket_then_an_oco_whose_stop_is_moved() -> None:
    venue = Venue()
    entry = Order(**venue.submit(group(OrderSide.BUY, OrderClass.BRACKET, 100.05)))
    assert entry.legs is not None
    assert [leg.status for leg in entry.legs] == [OrderStatus.HELD, OrderStatus.HELD]
    venue.wait()
    venue.cancel(str(entry.legs[0].id))
    venue.wait()
    venue.wait()
    target = Order(**venue.submit(group(OrderSide.SELL, OrderClass.OCO, 110.0)))
    assert target.legs is not None
    venue.wait()
    patch = ReplaceOrderRequest(stop_price=96.0).to_request_fields()
    moved = Order(**venue.replace(str(target.legs[0].id), patch))
    venue.wait()
    assert venue.status(str(target.id), str(moved.id)) == "new held"
    assert Position(**venue.position("AAPL")).qty_available == "0"
    for event in venue.events:
        assert TradeUpdate(**event).order.symbol == "AAPL"


def test_account_clock_and_assets_are_read() -> None:
    venue = Venue()
    assert TradeAccount(**venue.account()).buying_power == "200000"
    assert Clock(**venue.clock()).is_open
    assert Asset(**venue.asset("AAPL")).easy_to_borrow
