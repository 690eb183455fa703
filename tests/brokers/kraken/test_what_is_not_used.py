"""Which of Kraken's questions are asked, which are not and why that is enough: every example belongs to one of them."""

from __future__ import annotations

from decimal import Decimal

from brokers.kraken.answers.names import uuid_of
from brokers.kraken.venue import KrakenVenue
from brokers.lumibot.kraken_broker import KrakenBroker
from tests.brokers.kraken.scene import ETH, KrakenScene, scripted_day
from tests.brokers.kraken.scripted import EXAMPLES, scripted
from tests.brokers.rehearsal.kraken.market import served

ASKED = {
    "SystemStatus", "Time", "Assets", "AssetPairs", "Ticker", "OHLC", "BalanceEx", "TradeVolume", "AddOrder",
    "AmendOrder", "CancelOrder", "OpenOrders", "ClosedOrders", "QueryOrders",
}  # fmt: skip
NOT_ASKED = {
    "Depth": "bid and ask are in Ticker",
    "AddOrderBatch": "each order is journaled and looked up by itself",
    "CancelAll": "it tells a number; the clean-up cancels one by one, so that each is confirmed, tried again and named",
    "CancelAllOrdersAfter": "it would cancel the stops",
    "TradesHistory": "it counts twice, and an order tells its volume, cost and fee",
    "GetWebSocketsToken": "no stream: orders are followed by asking",
}
STREAM = {"ws_v2"}


def test_every_example_is_asked_for_or_left_out_with_a_reason():
    endpoints = {name.split("/")[-1].split("?")[0] for name in EXAMPLES if "/0/" in name}
    assert endpoints == ASKED | NOT_ASKED.keys()
    assert {name for name in EXAMPLES if "/0/" not in name} == {"errors", *STREAM}


def test_a_whole_day_asks_for_nothing_else(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scripted_day(scene)
        scene.venue.terms([ETH])
        scene.venue.bars([ETH], 60, server.now.replace(hour=0))
        assert scene.faults() == []
        assert scene.asked.keys() <= ASKED
        assert ASKED - scene.asked.keys() <= {"Assets", "SystemStatus"}, "all of them are met in a day"
        scene.close()


def test_what_the_stream_would_tell_is_in_the_listings(tmp_path):
    """Each order of the stream's examples, with its fill: by OpenOrders and ClosedOrders alone."""
    assert KrakenVenue.quote_stream is None and KrakenBroker._get_stream_object(None) is None
    rows = [EXAMPLES["ws_v2"]["snapshot"]["data"], *(update["data"] for update in EXAMPLES["ws_v2"]["updates"])]
    told = [row for part in rows for row in part]
    venue, _, _ = scripted(tmp_path)
    listed = {order.id: order for order in venue.open_orders().orders}
    assert {row["order_id"] for row in told} <= listed.keys()
    (part,) = (row for row in told if row["order_status"] == "partially_filled")
    assert listed[part["order_id"]].quantity == Decimal("0.0002")
    named = {row["cl_ord_id"] for row in told if row.get("cl_ord_id")}
    assert len(named) == 1 and all(len(name) == len(uuid_of("an order")) for name in named)


def test_a_part_of_an_entry_is_booked_with_its_fee_without_a_stream(tmp_path):
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        server.faults.venue.partial_fill_frac = 1.0
        scene.enter(ETH, 200)
        scene.step(2)
        (entry,) = (item.order for item in scene.journal.filled_orders() if item.order.role == "entry")
        assert Decimal(0) < entry.filled_quantity < entry.quantity
        assert entry.fees > 0
        scene.close()
