"""Every request that ccxt and Lumibot were seen to send is understood, signed as they sign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.brokers.rehearsal.kraken.market import Wire, served
from tests.brokers.rehearsal.kraken.recorded import needs_recordings, requests

pytestmark = needs_recordings
REFUSED = {
    "raw type stop-loss": "EGeneral:Invalid arguments:price",
    "trailing stop": "EGeneral:Invalid arguments:ordertype",
    "tiny limit below ordermin": "EOrder:Order minimum not met",
    "tiny market below ordermin": "EOrder:Order minimum not met",
    "cancel unknown": "EOrder:Unknown order",
}
"""What Kraken itself would refuse, and its words; all else is accepted."""
NAMED = ("AmendOrder", "CancelOrder", "CancelOrderBatch", "QueryOrders")


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with served(account={"balances": {"XBT": 1}, "cash_usd": 100_000}) as server:
        yield Wire(server)


def test_every_recorded_request(wire: Wire) -> None:
    rows = requests()
    refused = set()
    for row in rows:
        answer = ask(wire, row)
        label, expected = row["label"], REFUSED.get(row["label"], "")
        assert answer["error"] == ([expected] if expected else []), (label, row["body"], answer)
        refused |= {label} if expected else set()
    assert len(rows) == 92
    assert refused == set(REFUSED)
    assert sum(row["signature_valid"] is True for row in rows) == 68


def ask(wire: Wire, row: dict[str, Any]) -> dict[str, Any]:
    method = row["path"].rsplit("/", 1)[1]
    if row["method"] == "GET":
        return wire.public(method, **row["query"])
    assert wire.private("CancelAll")["error"] == []
    body = row["body"]
    if method in NAMED and row["label"] != "cancel unknown":
        body = with_orders_of_ours(wire, row["params"], body)
    return wire.private(method, body, json=row["content_type"] == "application/json")


def with_orders_of_ours(wire: Wire, params: dict[str, Any], body: str) -> str:
    """The same request for orders that rest here, of the kind that it is about."""
    stop = "trigger_price" in params or "triggerPrice" in params
    kind = {"type": "sell", "ordertype": "stop-loss", "price": "80000"} if stop else {
        "type": "buy", "ordertype": "limit", "price": "70000"
    }  # fmt: skip
    if own := params.get("cl_ord_id"):
        kind["cl_ord_id"] = own
    named = params.get("txid", "").split(",") if "txid" in params else params.get("orders", [])
    for name in named or [""]:
        placed = wire.private("AddOrder", pair="XXBTZUSD", volume="0.0003", **kind)
        assert placed["error"] == []
        if name:
            body = body.replace(quote(name), placed["result"]["txid"][0])
    return body


def test_a_json_close_is_understood_like_that_of_a_form() -> None:
    with served() as server:
        wire = Wire(server)
        wire.nonce += 1
        body = {
            "nonce": str(wire.nonce), "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.001",
            "price": "80000", "close": {"ordertype": "stop-loss", "price": "79000"},
        }  # fmt: skip
        answer = wire.send("AddOrder", json.dumps(body), str(wire.nonce), json=True)
        assert answer["result"]["descr"]["close"] == "close position @ stop loss 79000.0"
