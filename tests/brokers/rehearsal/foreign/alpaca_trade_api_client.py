"""Trades with alpaca-trade-api for Python, in an environment of its own; says what it saw as JSON."""

import json
import os
import sys
import threading
import time

os.environ["APCA_API_DATA_URL"] = sys.argv[1]  # read when the package is imported or a client is made

from alpaca_trade_api.rest import REST, APIError, TimeFrame
from alpaca_trade_api.stream import Stream


def wait_for(done):
    ends = time.monotonic() + 20
    while not done():
        if time.monotonic() > ends:
            raise SystemExit("waited in vain")
        time.sleep(0.02)


def main():
    url, key, secret = sys.argv[1:4]
    api = REST(key, secret, base_url=url, raw_data=True)
    seen = {"account": api.get_account()["status"], "open": api.get_clock()["is_open"]}
    updates, bars = [], []
    stream = Stream(key, secret, base_url=url, data_stream_url=url.replace("http", "ws"), raw_data=True)

    async def on_update(message):
        updates.append(message["data"]["event"])

    async def on_trade(message):
        bars.append(message["S"])

    stream.subscribe_trade_updates(on_update)
    stream.subscribe_trades(on_trade, "AAPL")
    threading.Thread(target=stream.run, daemon=True).start()
    wait_for(lambda: bars)
    bought = api.submit_order("AAPL", qty=10, side="buy", type="market", time_in_force="day")
    wait_for(lambda: "fill" in updates)
    seen["bought"] = api.get_order(bought["id"])["status"]
    seen["position"] = api.get_position("AAPL")["qty"]
    last = float(api.get_latest_trade("AAPL")["p"])
    pair = api.submit_order(
        "AAPL",
        qty=10,
        side="sell",
        type="limit",
        time_in_force="gtc",
        order_class="oco",
        take_profit={"limit_price": round(last * 1.2, 2)},
        stop_loss={"stop_price": round(last * 0.8, 2)},
    )
    seen["oco"] = [pair["order_class"], len(pair["legs"])]
    wait_for(lambda: any(o["id"] == pair["id"] and o["status"] == "new" for o in api.list_orders(nested=True)))
    moved = api.replace_order(pair["id"], limit_price=round(last * 1.3, 2))
    seen["replaced"] = moved["replaces"] == pair["id"]
    wait_for(lambda: "replaced" in updates)
    api.cancel_all_orders()
    wait_for(lambda: api.get_position("AAPL")["qty_available"] == "10")
    api.close_position("AAPL")
    wait_for(lambda: not api.list_positions())
    try:
        api.get_position("AAPL")
    except APIError as error:
        seen["missing"] = str(error)
    seen["bars"] = [
        len(api.get_bars("AAPL", frame, "2026-03-09", "2026-03-10", feed="iex", limit=1000))
        for frame in (TimeFrame.Day, TimeFrame.Hour)
    ]
    seen["trades"] = len(api.get_trades("AAPL", "2026-03-09", "2026-03-10", feed="iex", limit=1000))
    seen["history"] = api.get_portfolio_history(period="1D", timeframe="1H")["timeframe"]
    seen["calendar"] = len(api.get_calendar("2026-03-09", "2026-03-11"))
    seen["assets"] = [asset["symbol"] for asset in api.list_assets(status="active")]
    seen["updates"] = updates
    seen["stream"] = sorted(set(bars))
    sys.stdout.write(json.dumps(seen) + "\n")


main()
