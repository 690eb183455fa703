"""Trades with plain alpaca-py, its clients and both its streams; says what it saw as JSON."""

import json
import sys
import threading
import time
from datetime import UTC, datetime

from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.live import StockDataStream
from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest, StockQuotesRequest, StockTradesRequest
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, PositionIntent, TimeInForce
from alpaca.trading.requests import (
    GetCalendarRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)
from alpaca.trading.stream import TradingStream


def wait_for(done):
    ends = time.monotonic() + 20
    while not done():
        if time.monotonic() > ends:
            raise SystemExit("waited in vain")
        time.sleep(0.02)


def main():
    url, key, secret = sys.argv[1:4]
    trading = TradingClient(key, secret, url_override=url)
    data = StockHistoricalDataClient(key, secret, url_override=url)
    seen = {"account": trading.get_account().status.value, "open": trading.get_clock().is_open}
    updates, trades = [], []
    sockets = url.replace("http", "ws")
    account = TradingStream(key, secret, url_override=sockets + "/stream")
    market = StockDataStream(key, secret, url_override=sockets + "/v2/iex")

    async def on_update(update):
        updates.append(str(getattr(update.event, "value", update.event)))

    async def on_trade(trade):
        trades.append(trade.symbol)

    account.subscribe_trade_updates(on_update)
    market.subscribe_trades(on_trade, "AAPL")
    for stream in (account, market):
        threading.Thread(target=stream.run, daemon=True).start()
    wait_for(lambda: trades)
    common = {"symbol": "AAPL", "qty": 10, "time_in_force": TimeInForce.DAY}
    bought = trading.submit_order(
        MarketOrderRequest(**common, side=OrderSide.BUY, position_intent=PositionIntent.BUY_TO_OPEN)
    )
    wait_for(lambda: "fill" in updates)
    seen["bought"] = trading.get_order_by_id(bought.id).status.value
    seen["intent"] = trading.get_order_by_id(bought.id).position_intent.value
    seen["position"] = trading.get_open_position("AAPL").qty
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL", feed="iex"))["AAPL"]
    pair = trading.submit_order(
        LimitOrderRequest(
            symbol="AAPL",
            qty=10,
            side=OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            order_class=OrderClass.OCO,
            take_profit=TakeProfitRequest(limit_price=round(quote.ask_price * 1.2, 2)),
            stop_loss=StopLossRequest(stop_price=round(quote.ask_price * 0.8, 2)),
        )
    )
    seen["oco"] = [pair.order_class.value, len(pair.legs)]
    wait_for(lambda: trading.get_order_by_id(pair.id).status.value == "new")
    moved = trading.replace_order_by_id(pair.id, ReplaceOrderRequest(limit_price=round(quote.ask_price * 1.3, 2)))
    seen["replaced"] = moved.replaces == pair.id
    wait_for(lambda: "replaced" in updates)
    seen["listed"] = len(trading.get_orders(GetOrdersRequest(nested=True)))
    trading.cancel_orders()
    wait_for(lambda: trading.get_open_position("AAPL").qty_available == "10")
    trading.close_position("AAPL")
    wait_for(lambda: not trading.get_all_positions())
    start, end = datetime(2026, 3, 9, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)
    window = {"symbol_or_symbols": "AAPL", "start": start, "end": end, "feed": "iex"}
    seen["bars"] = [
        len(data.get_stock_bars(StockBarsRequest(**window, timeframe=frame))["AAPL"])
        for frame in (TimeFrame.Day, TimeFrame.Hour)
    ]
    seen["trades"] = len(data.get_stock_trades(StockTradesRequest(**window))["AAPL"])
    seen["quotes"] = len(data.get_stock_quotes(StockQuotesRequest(**window))["AAPL"])
    seen["history"] = trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1D", timeframe="1H")).timeframe
    seen["calendar"] = len(trading.get_calendar(GetCalendarRequest(start=start.date(), end=end.date())))
    seen["updates"] = updates
    seen["stream"] = sorted(set(trades))
    sys.stdout.write(json.dumps(seen) + "\n")


main()
