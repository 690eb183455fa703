"""Entries: a limit through the ask, half a minute, the rest at market, never more than was approved."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from brokers.alpaca.errors import AlpacaRefusal
from brokers.desk.data.quotes import Quote
from brokers.desk.execution.entries import ATTEMPTS
from brokers.desk.monitor import Monitor
from brokers.rehearsal.core.faults import FaultPlan
from brokers.venue_errors import RateLimited
from risk.model import BracketTerms
from tests.brokers.desk.entry_scene import buys, leave_behind, sent
from tests.brokers.desk.scene import Scene, fill, held, lost, read_quote


def scene_at(folder, price: float = 100.0, **options) -> Scene:
    return Scene(folder, prices={"AAPL": price}, **options)


@pytest.fixture
def scene(tmp_path):
    scene = scene_at(tmp_path)
    yield scene
    scene.stop()


def entry_reason(scene: Scene) -> str:
    return next(order.reason for order in scene.journal.run_orders() if order.role == "entry")


@pytest.mark.parametrize(
    ("price", "limit"),
    [
        (50.0, "50.03"),  # ask 50.01 + 0.02
        (99.98, "100.01"),  # ask 99.99, the last cheap one
        (99.99, "100.05"),  # ask 100.00 * 1.0005
        (400.0, "400.22"),  # ask 400.01 * 1.0005 = 400.210005, up to the next cent
    ],
)
def test_the_limit_lies_through_the_ask(tmp_path, price, limit):
    scene = scene_at(tmp_path, price)
    scene.enter("AAPL", 10)
    order = sent(scene)[0]
    assert (order["type"], order["limit_price"], order["order_class"]) == ("limit", limit, "bracket")
    assert order["time_in_force"] == "gtc"
    scene.stop()


def test_the_bracket_lies_at_the_quote(scene):
    scene.enter("AAPL", 10)
    order = sent(scene)[0]
    # Ask 100.01: 5% below is 95.0095, never farther away than that; 15% above is 115.0115.
    assert order["stop_loss"] == {"stop_price": "95.01"}
    assert order["take_profit"] == {"limit_price": "115.01"}


def test_a_short_is_the_mirror_image(scene):
    terms = BracketTerms("sell_short", 0.05, 0.15)
    scene.enter("AAPL", 10, side="sell_short", stop=105.0, target=85.0, terms=terms)
    order = sent(scene)[0]
    # Bid 99.99: limit 0.02 below, stop at most 5% above.
    assert (order["side"], order["limit_price"]) == ("sell", "99.97")
    assert (order["stop_loss"], order["take_profit"]) == ({"stop_price": "104.98"}, {"limit_price": "84.99"})
    scene.settle(2)
    assert scene.held() == -10


def test_the_approved_notional_is_never_exceeded(scene):
    scene.enter("AAPL", 50)
    assert buys(scene) == [("limit", "49")]  # 5,000 USD at the limit of 100.06
    assert "50 became 49 at the quote 100.0100" in entry_reason(scene)


def test_without_a_quote_it_goes_at_market_with_a_note(scene):
    scene.quoted = lambda symbol: read_quote(symbol, None, scene.exchange.now, timedelta(minutes=5))
    scene.enter("AAPL", 10)
    assert buys(scene) == [("market", "10")]
    assert "AT_MARKET: no quote, the last close is 100" in entry_reason(scene)
    scene.settle(2)
    assert scene.stopped() == 10


@pytest.mark.parametrize(("bid", "ask"), [("101", "100"), ("0", "100"), ("90", "100")])
def test_a_quote_that_cannot_be_right_makes_no_order(scene, bid, ask):
    raw = {"bp": bid, "ap": ask, "t": scene.exchange.now.isoformat()}
    scene.quoted = lambda symbol: read_quote(symbol, raw, scene.exchange.now, timedelta(minutes=5))
    scene.enter("AAPL", 10)
    assert sent(scene) == []
    assert scene.desk.entries.refusals.skipped[0].reason.startswith("DESK_QUOTE: AAPL: quote is")
    assert scene.journal.run_orders() == []


def test_a_stale_quote_makes_no_order(scene):
    scene.quote_age = timedelta(minutes=6)
    scene.enter("AAPL", 10)
    assert sent(scene) == []
    assert "stale" in scene.desk.entries.refusals.skipped[0].reason


def test_a_quote_far_from_the_decision_is_stopped_by_the_gate(scene):
    far = Quote("AAPL", Decimal("129.99"), Decimal("130.01"), scene.exchange.now, "")
    scene.quoted = lambda symbol: far
    scene.enter("AAPL", 10)
    assert sent(scene) == []
    assert "GATE_COLLAR" in scene.desk.entries.refusals.skipped[0].reason


def test_an_entry_refused_again_and_again_is_told_once_a_day(scene, caplog):
    far = Quote("AAPL", Decimal("129.99"), Decimal("130.01"), scene.exchange.now, "")
    scene.quoted = lambda symbol: far
    for _ in range(3):
        scene.enter("AAPL", 10)
    assert len(scene.desk.entries.refusals.skipped) == 3
    assert [r.message.split(":")[1] for r in caplog.records if "not entered" in r.message] == [" GATE_COLLAR"]


def test_nothing_is_left_of_an_order_for_less_than_a_share(scene):
    scene.enter("AAPL", 1, price=99.0)
    assert sent(scene) == []
    assert "DESK_SIZE" in scene.desk.entries.refusals.skipped[0].reason


def test_unfilled_for_half_a_minute_it_is_cancelled_and_the_rest_goes_at_market(scene):
    leave_behind(scene)
    scene.step(29)
    assert [name for name, _ in scene.wire.calls].count("cancel") == 0
    scene.step(1.1)
    assert [name for name, _ in scene.wire.calls].count("cancel") == 1
    # The outcome of the cancel comes first.
    assert len(buys(scene)) == 1
    scene.settle(3)
    assert buys(scene) == [("limit", "39"), ("market", "39")]
    assert sent(scene)[1]["order_class"] == "bracket"
    assert scene.held() == scene.stopped() == 39
    assert scene.desk.entries.tasks == {}


def test_slippage_is_measured_against_the_first_ask(scene):
    leave_behind(scene)
    scene.settle(5, 15)
    ((name, ask, average),) = scene.desk.entries.slippage
    assert (ask, average) == (100.01, 101.01)
    assert scene.journal.order(name).type == "market"


def test_what_filled_in_part_is_covered_before_the_rest_is_bought(tmp_path):
    faults = FaultPlan(seed=1, partial_fill_frac=1.0)
    scene = scene_at(tmp_path, faults=faults)
    scene.enter("AAPL", 40)
    scene.step()
    part = scene.held()
    assert 0 < part < 39
    faults.partial_fill_frac = 0.0
    scene.settle(12)
    assert [what["side"] for what in sent(scene)] == ["buy", "sell", "buy"]
    assert Decimal(sent(scene)[1]["qty"]) == part
    assert Decimal(sent(scene)[2]["qty"]) == 39 - part
    assert scene.held() == scene.stopped() == 39
    scene.stop()


def test_what_a_part_leaves_is_a_limit_until_half_a_minute_after_the_first_order(scene):
    """The market runs away after 8 of 14: nothing goes at market before thirty seconds are over."""
    began = scene.exchange.now
    partly(scene)
    scene.prices["AAPL"] = Decimal("100.50")
    for _ in range(45):
        scene.step(1)
        early = (scene.exchange.now - began).total_seconds() < 30
        assert not early or [kind for kind, _ in buys(scene)] in (["limit"], ["limit", "limit"])
    assert buys(scene) == [("limit", "14"), ("limit", "6"), ("market", "6")]
    again = sent(scene)[2]
    # Ask 100.51 * 1.0005, as for the first one; exits as usual.
    assert (again["limit_price"], again["order_class"]) == ("100.57", "bracket")
    assert scene.held() == scene.stopped() == 14
    assert scene.agrees()


def test_a_venue_that_fills_each_limit_in_part_gets_three_of_them_and_one_market_order(scene):
    """Each limit has ten of the thirty seconds, however soon the one before it has filled in part."""
    began, at = scene.exchange.now, list[float]()
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 41)
    for _ in range(29):
        if any(order["side"] == "buy" and order["status"] == "new" for order in scene.open()):
            fill(scene, 5)
        before = len(buys(scene))
        scene.step(1)
        if len(buys(scene)) > before:
            at.append((scene.exchange.now - began).total_seconds())
    assert scene.exchange.now < began + timedelta(seconds=30)
    assert buys(scene) == [("limit", "40"), ("limit", "35"), ("limit", "30")]
    assert at == pytest.approx([10, 20], abs=1)
    assert scene.held() == scene.stopped() == 15
    scene.settle(5)
    assert buys(scene)[3:] == [("market", "25")]
    assert scene.held() == scene.stopped() == 40
    assert len([order for order in scene.open() if order["type"] == "stop"]) == 4
    assert scene.agrees()


def test_what_waits_for_its_time_alone_is_not_looked_at_before_it(scene):
    """The rest of an entry whose part is behind its stop needs no request until its next order."""
    partly(scene)
    scene.settle(3)
    assert scene.stopped() == 8 and list(scene.desk.entries.tasks) == ["AAPL"]
    assert not scene.desk.urgent
    followed: Any = SimpleNamespace(watch=lambda symbols: None, followed={"AAPL"})
    monitor = Monitor(scene.desk, scene.clock, stream=followed)
    pause = monitor._look()
    assert 4 < pause < 9, "one look, at the time of its next limit"
    scene.pass_time(pause + 0.01)
    assert scene.desk.urgent, "a venue that is looked at only where something is under way is looked at before that"
    monitor._look()
    assert buys(scene) == [("limit", "14"), ("limit", "6")]
    assert scene.desk.urgent


def short_of_requests(scene: Scene) -> list[bool]:
    """The own limit leaves no room, neither for a quote nor for an entry, until the list is emptied."""
    on = [True]
    scene.state.room = lambda requests: not on
    return on


def watch(scene: Scene, seconds: int) -> None:
    """Looks without iterations, which wait for room."""
    for _ in range(seconds):
        scene.pass_time(1)
        scene.desk.tick()


def test_without_room_for_requests_the_rest_is_put_off_and_not_given_up(scene, caplog):
    caplog.set_level(logging.INFO)
    partly(scene)
    on = short_of_requests(scene)
    watch(scene, 60)
    assert buys(scene) == [("limit", "14")]
    assert caplog.text.count("the rest of the entry is put off, NOT_SENT: own rate limit") == 1
    on.clear()
    watch(scene, 8)
    assert buys(scene) == [("limit", "14"), ("market", "6")]
    assert scene.held() == scene.stopped() == 14
    assert scene.desk.entries.refusals.skipped == []


@pytest.mark.parametrize("streamed", [True, False])
def test_room_for_the_order_alone_is_enough_where_a_stream_has_the_quote(scene, streamed):
    partly(scene)
    scene.state.room = lambda requests: requests < 2
    venue: Any = scene.state.venue
    venue.quote_stream = SimpleNamespace(latest=lambda symbol: object() if streamed else None)
    watch(scene, 15)
    assert buys(scene) == [("limit", "14"), ("limit", "6")][: 1 + streamed]


def test_a_rest_that_could_not_be_sent_for_too_long_is_given_up(scene, caplog):
    partly(scene)
    short_of_requests(scene)
    watch(scene, 100)
    assert "AAPL: 8 of 14 shares bought, the rest is given up: NOT_SENT: own rate limit" in caplog.text
    assert scene.desk.entries.tasks == {}
    assert scene.stopped() == 8


@pytest.mark.parametrize("request_name", ["quote", "submit"])
def test_a_request_of_the_rest_that_did_not_leave_is_tried_again(scene, request_name):
    partly(scene)
    scene.settle(3)
    failing = [True, True]

    def none_left(name: str, phase: str) -> None:
        if name == request_name and failing:
            failing.pop()
            raise RateLimited("own rate limit", told=True)

    quotes = scene.state.quotes

    def asked(symbols: Iterable[str]) -> Mapping[str, Quote]:
        none_left("quote", "before")
        return quotes(symbols)

    scene.state.quotes, scene.wire.mishap = asked, none_left
    scene.settle(22)
    assert not failing
    assert buys(scene)[-1] == ("limit", "6")


def test_where_nothing_goes_at_market_what_is_left_after_half_a_minute_is_given_up(tmp_path, caplog):
    scene = scene_at(tmp_path, overrides=["live.entry.rest=none"])
    partly(scene)
    scene.settle(40)
    assert buys(scene) == [("limit", "14"), ("limit", "6")]
    assert scene.held() == scene.stopped() == 8
    assert "AAPL: 6 of 14 shares not bought" in caplog.text
    scene.stop()


def test_the_rest_is_not_bought_once_its_part_was_sold_at_its_stop(scene, caplog):
    partly(scene)
    scene.settle(2)
    assert scene.stopped() == 8
    scene.step(1, AAPL=94)
    scene.settle(40)
    assert scene.held() == 0
    assert "market" not in [kind for kind, _ in buys(scene)]
    assert scene.agrees()


def test_a_fill_that_overtakes_the_cancel_is_not_bought_again(tmp_path):
    faults = FaultPlan(cancel_race_frac=1.0)
    scene = scene_at(tmp_path, faults=faults)
    leave_behind(scene)
    scene.settle(6, 15)
    assert len(buys(scene)) == 1
    assert scene.held() == scene.stopped() == 39
    scene.stop()


def test_a_venue_that_fills_in_crumbs_is_left_alone(tmp_path):
    scene = scene_at(tmp_path, faults=FaultPlan(seed=3, partial_fill_frac=1.0))
    scene.enter("AAPL", 90)
    scene.settle(30)
    assert len(buys(scene)) <= ATTEMPTS
    assert scene.held() == scene.stopped() <= 89
    scene.stop()


def test_an_entry_that_somebody_else_cancelled_is_not_sent_again(scene):
    leave_behind(scene)
    scene.step()
    entry = next(order for order in scene.open() if order["side"] == "buy")
    scene.exchange.cancel(entry["id"])
    scene.settle(4)
    assert len(buys(scene)) == 1
    assert scene.desk.entries.tasks == {}


def with_bars(scene: Scene, **closes: float) -> None:
    """The last bar that the desk knows closed there."""
    table = LastBar(closes)
    scene.desk.barred._bars = lambda: table


class LastBar:
    """A table of one bar, as far as its closes are read."""

    def __init__(self, closes: dict[str, float]) -> None:
        self.symbols, self.close = tuple(closes), np.array([list(closes.values())])

    def __len__(self) -> int:
        return len(self.close)


def test_a_bar_far_from_the_quote_is_barred_while_it_stands_and_the_quote_is_far(scene):
    with_bars(scene, AAPL=1000.0, MSFT=100.0)
    scene.enter("AAPL", 5, price=1000.0)
    assert scene.desk.entries.refusals.skipped[-1].reason.startswith("GATE_COLLAR")
    (barred,) = scene.desk.reconcile().barred
    assert (barred.symbol, barred.price) == ("AAPL", 1000.0)
    assert barred.why == "its last bar closed at 1000, far from the quote"
    # The quote was wrong, and not the bar.
    scene.prices["AAPL"] = Decimal(1001)
    assert scene.desk.reconcile().barred == ()
    scene.prices["AAPL"] = Decimal(100)
    scene.enter("AAPL", 5, price=1000.0)
    assert len(scene.desk.reconcile().barred) == 1
    with_bars(scene, AAPL=100.0, MSFT=100.0)
    assert scene.desk.reconcile().barred == ()


def test_bars_of_another_scale_are_barred_before_the_first_scan(scene, caplog):
    """All prices of AAPL are multiplied by ten; a bar has come between the start and the first scan."""
    asked = []
    quotes = scene.state.quotes
    scene.state.quotes = lambda symbols: quotes(asked.append(sorted(symbols)) or symbols)
    scene.desk.barred.prepared({"AAPL": 1000.0, "MSFT": 100.0, "NVDA": 70.0})
    book = scene.desk.reconcile()
    assert [barred.symbol for barred in book.barred] == ["AAPL"]
    assert book.why_barred("AAPL", 1003.0) == "its bars close at 1000, far from the quote"
    assert not book.why_barred("MSFT", 100.0)
    with_bars(scene, AAPL=1003.0, MSFT=100.0, NVDA=101.0)
    assert [barred.symbol for barred in scene.desk.reconcile().barred] == ["AAPL"]
    with_bars(scene, AAPL=100.3, MSFT=100.0, NVDA=101.0)
    assert scene.desk.reconcile().barred == ()
    scene.desk.reconcile()
    assert asked == [["AAPL", "MSFT", "NVDA"], ["AAPL"], ["AAPL"]]
    assert caplog.text.count("AAPL: its bars close at 1000, far from the quote; nothing is entered in it") == 1


def test_a_bar_without_a_sound_quote_bars_nothing(scene):
    scene.quote_age = timedelta(minutes=6)
    scene.desk.barred.prepared({"AAPL": 1000.0})
    assert scene.desk.reconcile().barred == ()
    scene.quote_age = timedelta(0)
    assert [barred.symbol for barred in scene.desk.reconcile().barred] == ["AAPL"]


def test_each_symbol_is_asked_for_until_it_had_a_sound_quote_and_those_that_are_wrong_beside_it(scene):
    quotes, asked, unsound = scene.state.quotes, list[list[str]](), {"AAPL", "NVDA"}

    def some(symbols: Iterable[str]) -> Mapping[str, Quote]:
        asked.append(sorted(symbols))
        found = quotes(asked[-1])
        return {s: replace(quote, problem="crossed") if s in unsound else quote for s, quote in found.items()}

    scene.state.quotes = some
    scene.desk.barred.prepared({"AAPL": 1000.0, "MSFT": 1000.0, "NVDA": 100.0})
    assert [barred.symbol for barred in scene.desk.reconcile().barred] == ["MSFT"]
    unsound.discard("AAPL")
    assert sorted(barred.symbol for barred in scene.desk.reconcile().barred) == ["AAPL", "MSFT"]
    unsound.clear()
    scene.desk.reconcile()
    with_bars(scene, AAPL=100.0, MSFT=100.0, NVDA=100.0)
    assert scene.desk.reconcile().barred == ()
    scene.desk.reconcile()
    assert asked == [["AAPL", "MSFT", "NVDA"], ["AAPL", "MSFT", "NVDA"], ["AAPL", "MSFT", "NVDA"], ["AAPL", "MSFT"]]


def test_nothing_is_asked_for_where_no_bar_was_far_from_its_quote(scene, monkeypatch):
    monkeypatch.setattr(scene.state, "quotes", None)
    assert scene.desk.reconcile().barred == ()


def test_what_the_broker_has_sold_is_told_and_not_bought_back_in_the_session(scene, caplog):
    held(scene)
    for order in scene.open():
        if order["type"] == "limit":
            scene.exchange.cancel(order["id"])
    for _ in range(2):
        # Ended first, then released.
        scene.pass_time(5)
    terms = {"symbol": "AAPL", "qty": "49", "side": "sell", "type": "market", "time_in_force": "day"}
    scene.exchange.submit({**terms, "client_order_id": "liquidation"})
    scene.pass_time(1)
    scene.settle(3)
    assert scene.held() == 0
    (line,) = [r for r in caplog.records if "closed by an order that was not sent here" in r.message]
    assert line.levelname == "WARNING"
    assert line.message.startswith("AAPL: 49 shares of ours closed by an order that was not sent here, by hand or by")
    assert [barred.symbol for barred in scene.desk.reconcile().barred] == ["AAPL"]
    scene.restart()
    assert [barred.symbol for barred in scene.desk.reconcile().barred] == ["AAPL"]
    scene.pass_time(24 * 3600)
    assert scene.desk.reconcile().barred == ()


def test_a_second_entry_waits_for_the_outcome_of_the_first(scene):
    scene.wire.mishap = lost("submit", "before")
    scene.enter("AAPL", 40)
    scene.step()
    scene.enter("AAPL", 40)
    assert len(sent(scene)) == 1
    assert scene.desk.entries.refusals.skipped[-1].reason.startswith("DESK_PENDING")


def test_pending_entries_are_told_to_the_rules(scene):
    leave_behind(scene)
    book = scene.desk.reconcile()
    assert {s: p.quantity for s, p in book.pending.items()} == {"AAPL": 39}
    scene.restart()
    pending = scene.desk.reconcile().pending
    assert {s: (p.quantity, p.side) for s, p in pending.items()} == {"AAPL": (39, "buy")}


def test_an_entry_from_before_a_restart_is_ended(scene):
    leave_behind(scene)
    scene.restart()
    scene.settle(3)
    assert scene.open() == []
    assert scene.held() == 0
    assert scene.agrees()


def partly(scene: Scene, quantity: int = 8) -> None:
    """Of an entry of 14 some shares fill, and the market runs away."""
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 15)
    fill(scene, quantity)


def test_the_rest_is_bought_once_the_part_is_behind_its_stop(scene):
    partly(scene)
    refused = [2]

    def no_exits(name, when):
        if name == "submit" and when == "before" and scene.wire.calls[-1][1].get("order_class") == "oco" and refused[0]:
            refused[0] -= 1
            raise AlpacaRefusal(422, None, "not now")

    scene.wire.mishap = no_exits
    bought = []
    for _ in range(40):
        before = scene.held()
        scene.step(1)
        bought.append((scene.held() > before, scene.stopped() >= before))
    assert refused == [0]
    assert (True, False) not in bought
    assert (True, True) in bought
    assert scene.held() == scene.stopped() == 14


def test_a_rest_that_the_later_quote_makes_smaller_is_no_share_that_was_not_bought(scene, caplog):
    caplog.set_level(logging.INFO)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 50)
    fill(scene, 20)
    scene.step(1, AAPL=103)
    scene.settle(12)
    assert scene.held() == scene.stopped() == 48
    assert "AAPL: 48 of 49 shares bought, the quote of the last order allowed no more" in caplog.text
    assert "not bought" not in caplog.text
    assert "30 became 28 at the quote 103.01" in caplog.text


def test_the_rest_is_not_bought_while_its_part_has_no_stop(scene, caplog):
    partly(scene)

    def no_exits(name, when):
        if name == "submit" and when == "before" and scene.wire.calls[-1][1].get("order_class") == "oco":
            raise AlpacaRefusal(422, None, "not now")

    scene.wire.mishap = no_exits
    scene.settle(40)
    assert scene.held() == 8
    assert "AAPL: 6 of 14 shares not bought, those there have no stop" in caplog.text


@pytest.mark.parametrize("price", [95.02, 95.0, 94.0])
def test_the_rest_is_not_bought_at_or_beyond_the_stop_of_its_part(scene, price):
    partly(scene)
    scene.prices["AAPL"] = Decimal(str(price))
    scene.settle(12)
    assert [kind for kind, _ in buys(scene)] == ["limit"]
    assert any(skipped.reason.startswith("DESK_STOP: ") for skipped in scene.desk.entries.refusals.skipped)


def test_the_risk_of_a_position_is_that_of_all_its_parts(scene):
    partly(scene)
    scene.desk.tick()
    scene.step(1, AAPL=97)
    scene.settle(12)
    assert scene.held() == scene.stopped() == 14
    # The rest lies behind the stop of its part, which is nearer than its own 5% would be.
    assert {Decimal(o["stop_price"]) for o in scene.open() if o["type"] == "stop"} == {Decimal("95.01")}
    position = scene.positions.book.ledger.positions["AAPL"]
    assert (position.initial_stop, position.initial_quantity) == (pytest.approx(95.01), 14)
    assert position.risk_per_share == pytest.approx((8 * 100.01 + 6 * 97.01) / 14 - 95.01)


def test_the_rest_of_a_short_lies_behind_the_stop_of_its_part_too(scene):
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(99)})
    terms = BracketTerms("sell_short", 0.05, 0.15)
    scene.enter("AAPL", 15, side="sell_short", stop=105.0, target=85.0, terms=terms)
    (entry,) = (order for order in scene.exchange._state.open_orders("AAPL") if not order.buy)
    scene.exchange._life.fill(entry, Decimal(8), Decimal("99.99"))
    scene.hand_on()
    scene.desk.tick()
    scene.step(1, AAPL=103)
    scene.settle(12)
    assert scene.held() == -14
    # 5% above the bid of 102.99 would be 108.13.
    assert {Decimal(o["stop_price"]) for o in scene.open() if o["type"] == "stop"} == {Decimal("104.98")}


def test_the_risk_of_a_rest_that_was_bought_higher_is_its_own(scene):
    partly(scene)
    scene.prices["AAPL"] = Decimal(102)
    for _ in range(3):
        scene.step(0.3)
    scene.step(1, AAPL=102)
    scene.settle(12)
    position = scene.positions.book.ledger.positions["AAPL"]
    rest = float(scene.held()) - 8
    assert rest > 0
    assert position.initial_stop == pytest.approx((8 * 95.01 + rest * 96.91) / (8 + rest))
