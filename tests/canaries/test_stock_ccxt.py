"""What Lumibot's stock Ccxt broker and ccxt itself get wrong at Kraken, one test per defect that is worked around."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ccxt
import pytest
from lumibot.brokers import Ccxt
from lumibot.data_sources import CcxtData
from lumibot.entities import Asset, Order

from brokers.desk.venue_snapshot import VenueSnapshot
from brokers.kraken import payloads, venue
from brokers.kraken.answers import balances, listings
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rest import KrakenRest
from brokers.kraken.venue import KrakenVenue
from brokers.lumibot.kraken_broker import KrakenBroker
from brokers.order_types import State
from brokers.venue_values import VenueAccount
from brokers.venues import open_kraken
from config import Refusal, load
from tests.brokers.kraken.scripted import EXAMPLES, SECRET, body, results, scripted
from tests.canaries.stock import still

BTC, USD = Asset("BTC", "crypto"), Asset("USD", "forex")
CONFIG = {"exchange_id": "kraken", "sandbox": False, "apiKey": "key", "secret": SECRET}


class StockKraken(ccxt.kraken):
    """ccxt's own client with the examples' answers in the place of the network."""

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        endpoint = url.rsplit("/", 1)[-1].partition("?")[0]
        self.sent.append((endpoint, str(body or url)))
        answer = self.answers[endpoint]
        found = {"error": answer} if isinstance(answer, list) else {"error": [], "result": answer}
        text = json.dumps(found, default=float)
        self.last_http_response, found = text, json.loads(text)
        self.handle_errors(200, "", url, method, {}, text, found, headers, body)
        return found


class StockData(CcxtData):
    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        super().__init__(CONFIG)
        api = StockKraken(CONFIG)
        api.sent, api.answers, api.enableRateLimit = [], results() | (answers or {}), False
        self.api = api


def stock(answers: dict[str, Any] | None = None) -> Any:
    return Ccxt(CONFIG, data_source=StockData(answers), connect_stream=False)


def sent(broker: Any, endpoint: str) -> str:
    return next(text for name, text in reversed(broker.api.sent) if name == endpoint)


def order(kind: str, side: str = "sell", **more: Any) -> Order:
    return Order("s", BTC, 0.0002, side, order_type=kind, quote=USD, **more)


@pytest.fixture
def listed() -> dict[str, Any]:
    return {key: dict(row) for key, row in body("POST /0/private/OpenOrders")["result"]["open"].items()}


def ours(folder: Path, answers: dict[str, Any] | None = None) -> Any:
    return KrakenBroker(scripted(folder, answers)[0], market="24/7")


# ---- orders out ------------------------------------------------------------------------------------------


def test_a_stop_is_sent_as_a_market_order() -> None:
    broker = stock()
    broker._submit_order(order("stop", stop_price=88_000))
    still("ordertype=market" in sent(broker, "AddOrder"), True, False, payloads.fields_of)


def test_a_trailing_stop_is_sent_with_a_type_that_kraken_does_not_have() -> None:
    broker = stock()
    broker._submit_order(order("trailing_stop", trail_percent=0.01))
    still("ordertype=trailing_stop" in sent(broker, "AddOrder"), True, False, payloads.fields_of)


def test_moving_a_stop_moves_nothing_at_the_venue() -> None:
    broker = stock()
    resting = order("stop", stop_price=88_000)
    broker._submit_order(resting)
    broker._modify_order(resting, stop_price=88_500)
    moved = "trigger_price=" in sent(broker, "AmendOrder"), float(resting.stop_price)
    still(moved, (False, 88_500.0), (True, 88_500.0), venue.KrakenVenue.replace)


def test_a_bracket_ends_in_an_error_status_without_an_exception() -> None:
    broker = stock()
    bracket = order("limit", "buy", limit_price=89_000, order_class="bracket", secondary_limit_price=95_000,
                    secondary_stop_price=88_000)  # fmt: skip
    broker._submit_order(bracket)
    still((bracket.status, [e for e, _ in broker.api.sent if e == "AddOrder"]), ("error", []), ("error", ["AddOrder"]),
          payloads.fields_of)  # fmt: skip


def test_no_client_id_is_sent_so_that_nothing_can_be_looked_up() -> None:
    broker = stock()
    broker._submit_order(order("limit", "buy", limit_price=89_000))
    still("cl_ord_id" in sent(broker, "AddOrder"), False, True, venue.KrakenVenue.submit)


def test_an_order_below_the_minimum_is_sent() -> None:
    broker = stock()
    broker._submit_order(Order("s", BTC, 0.00001, "buy", order_type="market", quote=USD))
    still(any(e == "AddOrder" for e, _ in broker.api.sent), True, False, payloads.fields_of)


def test_a_closing_price_is_sent_off_the_tick() -> None:
    broker = stock()
    entry = order("limit", "buy", limit_price=89_000)
    entry.custom_params = {"close": {"ordertype": "stop-loss", "price": 88_110.04}}
    broker._submit_order(entry)
    still("88110.04" in sent(broker, "AddOrder"), True, False, payloads.fields_of)


def test_validate_is_sent_as_the_text_true_with_a_capital() -> None:
    broker = stock()
    broker.api.load_markets()
    broker.api.create_order("BTC/USD", "limit", "buy", 0.0002, 89_000, {"validate": True})
    still("validate=True" in sent(broker, "AddOrder"), True, False, payloads.fields_of)


# ---- orders in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["iceberg", "trailing-stop", "settle-position"])
def test_one_foreign_order_stops_the_sync(listed: dict[str, Any], kind: str) -> None:
    foreign = listed["OFORGN-AAAAA-000004"]
    foreign["descr"] = {**foreign["descr"], "ordertype": kind}
    broker = stock({"OpenOrders": {"open": {"OFORGN-AAAAA-000004": foreign}}})

    def synced() -> str:
        try:
            broker._parse_broker_orders(broker.api.fetch_open_orders(), "s")
        except ValueError:
            return "raised"
        return "went on"

    still(synced(), "raised", "went on", listings.listing_of)


def test_a_take_profit_is_read_as_a_stop(listed: dict[str, Any]) -> None:
    row = listed["OSTOP1-AAAAA-000002"]
    row["descr"] = {**row["descr"], "ordertype": "take-profit", "price": "95000.0"}
    broker = stock({"OpenOrders": {"open": {"OSTOP1-AAAAA-000002": row}}})
    (raw,) = broker.api.fetch_open_orders()
    try:
        read = str(broker._parse_broker_order(raw, "s").order_type)
    except ValueError:
        read = "raised"
    still(read, "stop", "limit", listings.order_of)


def test_a_cancel_leaves_the_order_as_it_was() -> None:
    broker = stock()
    resting = order("limit", "buy", limit_price=89_000)
    broker._submit_order(resting)
    before = resting.status
    broker.cancel_order(resting)
    still(resting.status == before, True, False, venue.KrakenVenue.cancel)


def test_a_cancel_of_what_is_gone_goes_up_to_the_strategy(tmp_path: Path) -> None:
    broker = stock()
    resting = order("limit", "buy", limit_price=89_000)
    broker._submit_order(resting)
    broker.api.answers["CancelOrder"] = ["EOrder:Unknown order"]

    def cancelled(which: Any) -> str:
        try:
            which.cancel_order(resting)
        except Exception as error:
            return type(error).__name__
        return "told"

    still(cancelled(broker), "OrderNotFound", "told", KrakenBroker.cancel_order)
    assert cancelled(ours(tmp_path)) == "told"


def test_open_orders_alone_are_cancelled_by_an_emergency() -> None:
    broker = stock()
    broker.cancel_open_orders("s")
    still([e for e, _ in broker.api.sent if e.startswith("Cancel")], [], ["CancelOrder"], venue.KrakenVenue.cancel)


# ---- the account -----------------------------------------------------------------------------------------


def test_what_earns_is_not_counted_and_dust_is_a_position(tmp_path: Path) -> None:
    ticker = body("GET /0/public/Ticker?pair=XXBTZUSD")["result"]["XXBTZUSD"]
    broker = stock({"Ticker": {"XXBTZUSD": ticker, "XDGUSD": ticker}})
    cash, _, _ = broker._get_balances_at_broker(USD, None)
    names = sorted(row["currency"] for row in broker._pull_broker_positions())
    still(cash, 100.0, 155.0, balances.balances_of)
    still(any("DOGE" in name for name in names), True, False, balances.positions_of)
    account = ours(tmp_path)
    there = account.client.positions().by_symbol
    account._view = VenueSnapshot(account.client.clock.now(), VenueAccount("x"), there, {})
    assert [p.asset.symbol for p in account._pull_positions("s")] == ["BTC"]


def test_one_ticker_is_asked_for_each_coin() -> None:
    held = {"XXBT": {"balance": "1", "hold_trade": "0"}, "XETH": {"balance": "1", "hold_trade": "0"}}
    ticker = body("GET /0/public/Ticker?pair=XXBTZUSD")["result"]["XXBTZUSD"]
    broker = stock({"BalanceEx": held, "Ticker": {"XXBTZUSD": ticker, "XETHZUSD": ticker}})
    broker._get_balances_at_broker(USD, None)
    still(sum(e == "Ticker" for e, _ in broker.api.sent), 2, 1, venue.KrakenVenue.account)


def test_hours_cannot_be_asked_for() -> None:
    source = StockData()
    from lumibot.tools.lumibot_logger import get_logger  # noqa: F401  # loads what the source logs with

    def asked(step: str) -> str:
        try:
            source.get_historical_prices(BTC, 2, step, quote=USD)
        except Exception as error:
            return type(error).__name__
        return "bars"

    still(asked("hour") != "bars", True, False, venue.KrakenVenue.bars)


# ---- ccxt itself -----------------------------------------------------------------------------------------


def test_nonces_in_milliseconds_repeat(tmp_path: Path) -> None:
    api = ccxt.kraken()
    drawn = [api.nonce() for _ in range(500)]
    still(len(set(drawn)) < len(drawn), True, False, Nonce.take)
    nonce = Nonce(tmp_path / "nonce")
    assert len({nonce.take() for _ in range(500)}) == 500


def test_the_throttle_sleeps_before_every_read() -> None:
    api = ccxt.kraken()
    api.lastRestRequestTimestamp = api.milliseconds()
    began = time.monotonic()
    api.throttle(0.2)
    still(time.monotonic() - began > 0.1, True, False, KrakenRest.request)


@pytest.mark.parametrize(
    ("text", "defect", "right"),
    [
        ("EAPI:Rate limit exceeded", "unknown", "refused"),
        ("EAPI:Invalid nonce", "unknown", "refused"),
        ("EService:Market in cancel_only mode", "unknown", "refused"),
        ("EService:Timeout", "refused", "unknown"),
    ],
)
def test_errors_are_sorted_by_what_can_be_retried(text: str, defect: str, right: str) -> None:
    api = StockKraken(CONFIG)
    api.sent, api.answers = [], {"AddOrder": [text]}
    try:
        api.privatePostAddOrder({})
    except ccxt.NetworkError:
        found = "unknown"
    except ccxt.BaseError:
        found = "refused"
    from brokers.kraken.connection.errors import error_of

    still(found, defect, right, error_of)


# ---- what was never told ---------------------------------------------------------------------------------


def test_the_stream_loses_what_was_filled_in_part(tmp_path: Path) -> None:
    """Kraken's event has ``cum_qty``; ccxt.pro's order has no filled quantity until the order is complete."""
    import ccxt.pro

    (told,) = (
        row for update in EXAMPLES["ws_v2"]["updates"] for row in update["data"] if row["order_status"] ==
        "partially_filled"
    )  # fmt: skip
    assert float(told["cum_qty"]) == 0.0001
    read = ccxt.pro.kraken().parse_ws_order(told)
    still(read["filled"], None, 0.0001, KrakenBroker._get_stream_object)
    assert ours(tmp_path)._get_stream_object() is None
    assert KrakenVenue.quote_stream is None


def test_a_part_that_filled_while_the_order_is_open_is_not_told(listed: dict[str, Any], tmp_path: Path) -> None:
    """The executor copies status and quantity of what is still open; here it is a fill at the next look."""
    row = listed["OENTRY-AAAAA-000001"]
    row["vol_exec"], row["cost"], row["fee"], row["price"] = "0.0001", "8.9", "0.02225", "89000.0"
    answers = {"OpenOrders": {"open": {"OENTRY-AAAAA-000001": row}}}
    (raw,) = stock(answers).api.fetch_open_orders()
    parsed = stock(answers)._parse_broker_order(raw, "s")
    filled = sum(float(part.quantity) for part in parsed.transactions)
    still(filled, 0.0, 0.0001, KrakenBroker._tell)
    venue_, _, _ = scripted(tmp_path, answers)
    (there,) = venue_.open_orders().orders
    assert (there.state, float(there.filled), str(there.fees)) == ("partially_filled", 0.0001, "0.02225")


def test_an_order_that_was_cancelled_is_over_at_the_next_look_alone(listed: dict[str, Any], tmp_path: Path) -> None:
    """Stock Ccxt leaves it as new for good until it leaves the listing; here the look ends it."""
    broker = stock()
    resting = order("limit", "buy", limit_price=89_000)
    broker._submit_order(resting)
    broker.cancel_order(resting)
    still(resting.is_canceled(), False, True, KrakenBroker._tell)
    account = ours(tmp_path)
    (there,) = (o for o in account.client.open_orders().orders if o.id == "OENTRY-AAAAA-000001")
    mine = account._seen(there, "s")
    assert mine is not None and not mine.is_canceled()
    account._tell(mine, replace(there, state=State.CANCELLED))
    assert mine.is_canceled()


def test_the_sandbox_that_ccxt_does_not_have() -> None:
    """Asked for a sandbox, stock Lumibot ends in an error of Python's; here paper accounts are refused in words."""

    def opened(sandbox: bool) -> str:
        try:
            CcxtData({**CONFIG, "sandbox": sandbox})
        except (TypeError, ccxt.BaseError) as error:
            return type(error).__name__
        return "opened"

    still(opened(True), "TypeError", "opened", KrakenBroker.__init__)
    with pytest.raises(Refusal, match="Kraken has no paper accounts"):
        open_kraken(load("micro_cap"), paper=True)


def test_a_market_order_comes_back_as_one_that_is_ended_at_once(listed: dict[str, Any]) -> None:
    """ccxt gives market orders a time in force of its own; Kraken names none, and here none is believed."""
    row = listed["OENTRY-AAAAA-000001"]
    row["descr"] = {**row["descr"], "ordertype": "market", "price": "0"}
    broker = stock({"OpenOrders": {"open": {"OENTRY-AAAAA-000001": row}}})
    (raw,) = broker.api.fetch_open_orders()
    still(str(broker._parse_broker_order(raw, "s").time_in_force).lower(), "ioc", "gtc", listings.order_of)
