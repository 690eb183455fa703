"""Every example body goes through a parser, or the reading is named that tells the same: REST and the stream alike.

Bodies of questions that are asked are read by the venue. Those of questions that are not asked, and the stream's, are
held against what the venue reads from the others: nothing in them is lost by not asking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.kraken.connection.rates import TIERS
from brokers.order_types import State
from brokers.venue_errors import VenueRefusal, VenueUnavailable
from brokers.venue_requests import Single
from brokers.venue_values import VenueOrder
from tests.brokers.kraken.scripted import EXAMPLES, ScriptedRest, body, scripted
from tests.brokers.kraken.test_what_is_not_used import ASKED, NOT_ASKED

BTC = "BTC/USD"
ENTRY, STOP = "OENTRY-AAAAA-000001", "OSTOP1-AAAAA-000002"
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)
BODIES = [
    (name, part)
    for name, example in EXAMPLES.items()
    if isinstance(example, dict) and "/0/" in name
    for part, content in example.items()
    if isinstance(content, dict)
]
STREAM = EXAMPLES["ws_v2"]


def endpoint_of(name: str) -> str:
    return name.split("/")[-1].split("?")[0]


def answer_of(name: str, part: str) -> Any:
    told = body(name, part)
    return told["error"] or told["result"]


# ---- bodies of questions that are asked -----------------------------------------------------------------------


def placed(folder: Path, part: str) -> object:
    """What the venue makes of an answer to AddOrder; the answer does not repeat what was asked for."""
    venue, _, admission = scripted(folder, {"AddOrder": answer_of("POST /0/private/AddOrder", part)})
    with admission.sending("name", urgent=False):
        try:
            return venue.submit(Single(BTC, "buy", Decimal("0.0002")), "name", opens=True).id
        except (VenueRefusal, VenueUnavailable) as error:
            return type(error)


def cancelled(folder: Path, part: str) -> object:
    venue, _, admission = scripted(folder, {"CancelOrder": answer_of("POST /0/private/CancelOrder", part)})
    with admission.sending(ENTRY, urgent=True):
        try:
            return venue.cancel(ENTRY)
        except VenueRefusal as error:
            return type(error)


def by_id(folder: Path) -> VenueOrder:
    return scripted(folder)[0].order(ENTRY).orders[0]


def amended(folder: Path) -> str:
    """The answer has an id of the amendment and none of the order, so the client's caller asks for the order itself."""
    venue, _, admission = scripted(folder)
    with admission.sending("name", urgent=True):
        return str(venue.client.amend("name", {"txid": STOP, "trigger_price": "88200"}, "XXBTZUSD")["amend_id"])


READ: dict[str, Callable[[Path], object]] = {
    "SystemStatus": lambda folder: scripted(folder)[0]._view.closed(),
    "Time": lambda folder: scripted(folder)[0].client.time()["unixtime"],
    "Assets": lambda folder: scripted(folder)[0].reference.pairs.coin("XXDG"),
    "AssetPairs": lambda folder: scripted(folder)[0].rules.tick(90_000, BTC),
    "Ticker": lambda folder: scripted(folder)[0].quotes([BTC])[BTC].ask,
    "OHLC": lambda folder: len(scripted(folder)[0].bars([BTC], 60, LONG_AGO)),
    "BalanceEx": lambda folder: scripted(folder)[0].account().cash,
    "TradeVolume": lambda folder: scripted(folder)[0].terms([BTC])[0].taker,
    "AmendOrder": amended,
    "OpenOrders": lambda folder: len(scripted(folder)[0].open_orders().orders),
    "ClosedOrders": lambda folder: len([o for o in scripted(folder)[0].orders_since(LONG_AGO).orders if not o.open]),
    "QueryOrders": lambda folder: by_id(folder).state,
}
MEANING = {
    "SystemStatus": "", "Time": 1795891200, "Assets": "DOGE", "AssetPairs": 0.1, "Ticker": Decimal("90000.1"),
    "OHLC": 2, "BalanceEx": 155, "TradeVolume": Decimal("0.004"), "AmendOrder": "TAAAAA-BBBBB-CCCCCC", "OpenOrders": 4,
    "ClosedOrders": 3, "QueryOrders": State.FILLED,
}  # fmt: skip
PLACED = {part: f"OAAAAA-BBBBB-CCCCC{letter}" for part, letter in zip(
    ("limit", "limit_with_close", "market", "stop_loss", "stop_loss_limit", "take_profit", "trailing"), "CDEFGHI",
    strict=True)}  # fmt: skip
OTHER_ENDS = {"refused": VenueRefusal, "validate": VenueUnavailable}
"""``validate`` tells no id: taken for an answer to an order it would be one whose outcome is not known."""
CANCELS = {"body": True, "pending": False, "unknown": VenueRefusal}


@pytest.mark.parametrize(("name", "part"), BODIES, ids=lambda text: text.replace("/0/private/", "").replace(" ", ""))
def test_a_body_is_read(tmp_path, name, part):
    endpoint = endpoint_of(name)
    if endpoint == "AddOrder":
        found = placed(tmp_path, part)
        assert found == PLACED[part] if part in PLACED else issubclass(found, OTHER_ENDS[part])
    elif endpoint == "CancelOrder":
        assert cancelled(tmp_path, part) == CANCELS[part], "only what is not pending has ended"
    elif endpoint in ASKED:
        assert READ[endpoint](tmp_path) == MEANING[endpoint] and part == "body"
    else:
        assert endpoint in SAME_ELSEWHERE, "held against another reading below"


# ---- bodies of questions that are not asked -------------------------------------------------------------------


def depth(folder: Path) -> None:
    """The best of each side is the ticker's bid and ask; what lies behind them is not traded on."""
    (book,) = body("GET /0/public/Depth?pair=XXBTZUSD&count=2")["result"].values()
    quote = scripted(folder)[0].quotes([BTC])[BTC]
    assert (Decimal(book["bids"][0][0]), Decimal(book["asks"][0][0])) == (quote.bid, quote.ask)


def batch(folder: Path) -> None:
    """Each part is what AddOrder answers to one order: an id, or why not."""
    taken, refused = body("POST /0/private/AddOrderBatch")["result"]["orders"]
    alone = body("POST /0/private/AddOrder", "limit")["result"]
    assert taken["descr"] == alone["descr"] and isinstance(taken["txid"], str)
    assert [refused["error"]] == body("POST /0/private/AddOrder", "refused")["error"]
    assert issubclass(placed(folder, "refused"), VenueRefusal)


def cancel_all(folder: Path) -> None:
    """A number, which the listing of open orders has too, with their names."""
    assert body("POST /0/private/CancelAll")["result"]["count"] == len(scripted(folder)[0].open_orders().orders)


def switch(folder: Path) -> None:
    """The venue's time is Time's; when it would cancel follows from a request that does not leave this program."""
    armed, off = (body("POST /0/private/CancelAllOrdersAfter", part)["result"] for part in ("body", "off"))
    now = datetime.fromtimestamp(scripted(folder)[0].client.time()["unixtime"], UTC)
    assert [datetime.fromisoformat(told["currentTime"]) for told in (armed, off)] == [now, now]
    rest: ScriptedRest = scripted(folder)[1]
    with pytest.raises(VenueRefusal, match="order gateway"):
        rest.privatePostCancelAllOrdersAfter({"timeout": 60})
    assert rest.count("CancelAllOrdersAfter") == 0


def trades(folder: Path) -> None:
    """A fill's volume, cost and fee are in its order."""
    (trade,) = body("POST /0/private/TradesHistory")["result"]["trades"].values()
    order = listed(folder)[trade["ordertxid"]]
    assert (order.filled, order.average_price) == (Decimal(trade["vol"]), Decimal(trade["price"]))
    assert order.filled * order.average_price == Decimal(trade["cost"])
    assert order.fees == Decimal(trade["fee"])


def token(folder: Path) -> None:
    """It opens the stream and nothing else."""
    assert body("POST /0/private/GetWebSocketsToken")["result"]["token"] == STREAM["subscribe"]["params"]["token"]


SAME_ELSEWHERE = {
    "Depth": depth, "AddOrderBatch": batch, "CancelAll": cancel_all, "CancelAllOrdersAfter": switch,
    "TradesHistory": trades, "GetWebSocketsToken": token,
}  # fmt: skip


@pytest.mark.parametrize("endpoint", SAME_ELSEWHERE)
def test_what_is_not_asked_is_told_elsewhere(tmp_path, endpoint):
    SAME_ELSEWHERE[endpoint](tmp_path)


def test_no_body_is_left_out():
    assert SAME_ELSEWHERE.keys() == NOT_ASKED.keys()
    assert READ.keys() == MEANING.keys() == ASKED - {"AddOrder", "CancelOrder"}
    parts = {part for name, part in BODIES if endpoint_of(name) == "AddOrder"}
    assert parts == PLACED.keys() | OTHER_ENDS.keys()
    assert {part for name, part in BODIES if endpoint_of(name) == "CancelOrder"} == CANCELS.keys()
    assert STREAM.keys() == {"subscribe", "ack", "snapshot", "updates"}
    assert [update["sequence"] for update in STREAM["updates"]] == [*READ_BY]


# ---- the stream -----------------------------------------------------------------------------------------------

STATES = {
    "pending_new": {State.WORKING, State.PARTIALLY_FILLED}, "new": {State.WORKING, State.PARTIALLY_FILLED},
    "partially_filled": {State.PARTIALLY_FILLED}, "filled": {State.FILLED}, "triggered": {State.FILLED},
}  # fmt: skip
"""What the listings say of an order by the time they are asked; they have no word for one that triggered."""


def listed(folder: Path) -> dict[str, VenueOrder]:
    return {order.id: order for order in scripted(folder)[0].open_orders().orders}


def ended(folder: Path) -> dict[str, VenueOrder]:
    return {order.id: order for order in scripted(folder)[0].orders_since(LONG_AGO).orders if not order.open}


def asked_for(folder: Path) -> dict[str, VenueOrder]:
    return {ENTRY: by_id(folder)}


READ_BY = {2: listed, 3: listed, 4: listed, 5: asked_for, 6: ended}
"""Of each update, which reading of REST tells it."""


def events() -> Iterator[tuple[int, dict[str, Any]]]:
    """Each event with what was told of its order before."""
    known: dict[str, dict[str, Any]] = {}
    for message in (STREAM["snapshot"], *STREAM["updates"]):
        for row in message["data"]:
            known[row["order_id"]] = known.get(row["order_id"], {}) | row
            yield message["sequence"], known[row["order_id"]]


def same(told: dict[str, Any], order: VenueOrder) -> None:
    """Whether an order as REST tells it has every figure that the stream has told of it."""
    assert (order.symbol, order.side, str(order.id)) == (told["symbol"], told["side"], told["order_id"])
    assert order.quantity == told["order_qty"]
    assert order.state in STATES[told["order_status"]]
    if "limit_price" in told:
        assert order.limit_price == told["limit_price"]
    if "triggers" in told and "price" in told["triggers"]:
        assert order.stop_price == told["triggers"]["price"]
    if told.get("cum_qty"):
        assert order.filled == told["cum_qty"]
        assert order.average_price == told["avg_price"]
        assert order.filled * order.average_price == told["cum_cost"]


@pytest.mark.parametrize("sequence", [1, *READ_BY])
def test_an_event_of_the_stream_is_in_a_listing(tmp_path, sequence):
    (told,) = (told for number, told in events() if number == sequence)
    order = READ_BY.get(sequence, listed)(tmp_path)[told["order_id"]]
    same(told, order)
    if sequence == 4:
        assert order.fees == sum(fee["qty"] for fee in told["fees"])
    if "cl_ord_id" in told:
        row = body("POST /0/private/OpenOrders")["result"]["open"][told["order_id"]]
        assert row["cl_ord_id"] == told["cl_ord_id"]


def test_what_opens_the_stream_tells_the_limit_that_is_counted_here():
    """The venue would stream its counter; ours is counted ahead of it, against the same limit."""
    asked, answer = STREAM["subscribe"], STREAM["ack"]
    assert asked["params"]["ratecounter"] and answer["success"] and asked["req_id"] == answer["req_id"]
    assert answer["result"]["maxratecount"] == TIERS["starter"].engine
