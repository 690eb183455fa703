"""Entries before the opening: limits flagged for it, no bracket, a stop from the opening on, and a cap until then."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from risk.model import BracketTerms
from tests.brokers.desk.scene import Scene, read_quote

EIGHT = datetime(2023, 3, 7, 13, 0, tzinfo=UTC)


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path, start=EIGHT, overrides=["live.extended_hours.enabled=true"])
    yield scene
    scene.stop()


def test_an_early_entry_is_a_limit_without_a_bracket_and_gets_its_exits_at_once(scene):
    scene.enter("AAPL", 50)
    sent = next(what for name, what in scene.wire.calls if name == "submit")
    assert (sent["type"], sent["extended_hours"], sent["time_in_force"]) == ("limit", True, "day")
    assert "order_class" not in sent
    scene.settle(3)
    assert scene.held() == 49
    # They rest at the venue; they are triggered from the opening on.
    assert scene.stopped() == 49
    scene.step(90 * 60 + 60, AAPL=90)
    scene.settle(4)
    assert scene.held() == 0
    assert scene.agrees()


def test_what_waits_for_its_stop_is_capped_and_said(scene, caplog):
    with caplog.at_level(logging.INFO):
        scene.enter("AAPL", 70)
        scene.settle(3)
        scene.enter("MSFT", 50)
    assert scene.held("AAPL") == 69
    assert scene.desk.entries.refusals.skipped[-1].reason == "DESK_EXTENDED: too much is without a stop until the open"
    assert "at most 9999" in caplog.text


def test_without_a_quote_nothing_is_bought_early(scene):
    scene.quoted = lambda symbol: read_quote(symbol, None, scene.exchange.now, timedelta(minutes=5))
    scene.enter("AAPL", 50)
    assert scene.held() == Decimal(0)
    assert scene.desk.entries.refusals.skipped[-1].reason == "DESK_EXTENDED: no quote"


def test_an_early_short_is_no_exit_without_a_position(scene):
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(99)})
    terms = BracketTerms("sell_short", 0.05, 0.15)
    scene.enter("AAPL", 50, side="sell_short", stop=105.0, target=85.0, terms=terms)
    scene.settle(3)
    assert [(order["side"], order["status"]) for order in scene.open()] == [("sell", "new")]
    scene.step(1, AAPL=100)
    scene.settle(3)
    assert -scene.held() == 50
    stop = next(order for order in scene.open() if order["type"] == "stop")
    assert (stop["side"], stop["qty"]) == ("buy", "50")
