"""What a stream has told since the last look, where no look is possible: on screens, in the alarm and at the end."""

from __future__ import annotations

import logging

import pytest

from brokers.desk.lifecycle.shutdown import shut_down
from brokers.desk.session_report import SessionReport
from brokers.live_state.snapshot import held_now
from brokers.reporting.iteration_report import IterationReport
from brokers.venue_errors import VenueUnavailable
from tests.brokers.desk.scene import changes, held
from tests.brokers.desk.test_leaving import unanswered
from tests.brokers.desk.test_unwritable_journal import standing


def without_looks(scene):
    """Exits of AAPL end by hand while no look is possible; the stream tells it."""
    scene.enter("MSFT", 40)
    held(scene)
    scene.wire.mishap = unanswered
    (stop,) = (order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    scene.pass_time(1)
    assert scene.stopped() == 0


def test_a_stop_that_the_stream_says_has_ended_is_told_without_a_look(scene, caplog):
    without_looks(scene)
    ((aapl, stops), (msft, _)) = held_now(scene.desk, None)
    assert (aapl.symbol, aapl.protected_quantity, stops) == ("AAPL", 0, ())
    assert msft.protected_quantity == 39
    check = standing(scene)
    check()
    for _ in range(4):
        scene.pass_time(2)
        with pytest.raises(VenueUnavailable):
            scene.desk.tick()
        check()
    assert scene.desk.protector.log.present == {"AAPL": "49 shares without a working stop"}
    assert "UNPROTECTED AAPL: 49 shares without a working stop for " in caplog.text
    assert "UNPROTECTED MSFT" not in caplog.text
    assert changes(scene) == [], "whether its shares are free nobody has seen"
    scene.wire.mishap = lambda name, when: None
    scene.settle(3)
    assert scene.stopped() == 49 and scene.desk.protector.log.present == {}


def test_leaving_names_the_position_whose_stop_has_ended_since_the_last_look(scene, caplog):
    without_looks(scene)
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    report.check()
    with caplog.at_level(logging.INFO):
        shut_down(scene.desk, 0.3)
        report.tell()
    told = [record.message for record in caplog.records]
    (first,) = [line for line in told if line.startswith("leaving: no look was possible")]
    assert "every position had its stop, and since then the stop of AAPL has ended; start again" in first
    assert (
        "AAPL: left with 49 shares without a working stop, its stop was cancelled at 10:00:03; nothing protects them "
        "as far as is known; start again to protect it"
    ) in told
    assert any(line.startswith("MSFT: 39 shares stay behind: sell stop of 39") for line in told)
    (summary,) = [line for line in told if line.startswith("session ")]
    assert summary.endswith("WITHOUT A STOP NOW: AAPL") and "1 time without a stop" in summary


def test_a_position_of_which_no_order_is_known_is_named_too(scene, caplog):
    held(scene)
    scene.state.view.orders = {}
    scene.wire.mishap = unanswered
    scene.desk.protector.measure = lambda symbol: None
    shut_down(scene.desk, 0.3)
    assert "AAPL: 49 shares stay, and no order that protects them is known" in caplog.text
