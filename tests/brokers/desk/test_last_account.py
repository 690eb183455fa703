"""Equity and cash as a process ends, and of when they are where positions are known as of later."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from brokers.desk.lifecycle.wiring import LiveAccount
from brokers.desk.session_report import SessionReport
from brokers.operator.track_record import verify
from brokers.reporting.iteration_report import IterationReport
from brokers.venue_errors import VenueUnavailable
from commands.screen import console
from commands.views.status import _screen, document
from monitoring.status import status
from tests.brokers.desk.scene import Scene, held
from tests.brokers.desk.test_leaving import unanswered
from tests.monitoring.journals import trader_state


def close(scene: Scene, report: SessionReport) -> None:
    """The process ends, with nothing of it there but the desk and the summary."""
    nothing: Any = SimpleNamespace(stop=lambda *args: None, journal=scene.journal, close=lambda: None)
    LiveAccount(scene.desk, nothing, nothing, nothing, nothing, "1M", nothing, report, 60.0).close()


@pytest.fixture
def stopped_out(scene, caplog):
    """A position that was sold since the last iteration, and the report of its session."""
    caplog.set_level(logging.INFO)
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    held(scene)
    report.check()
    scene.pass_time(2, AAPL=90)
    assert scene.held() == 0
    scene.desk.tick()
    return report


def summary_of(caplog) -> str:
    (told,) = [record.message for record in caplog.records if record.message.startswith("session ")]
    return str(told)


def test_the_account_is_read_once_at_the_end_and_kept(scene, stopped_out, caplog):
    rows = len(scene.desk.record.equity)
    scene.wire.calls.clear()
    close(scene, stopped_out)
    assert [name for name, _ in scene.wire.calls].count("account") == 1
    truth = scene.exchange.account()
    assert f": equity {float(truth['equity']):,.2f} USD, -" in summary_of(caplog)
    last = scene.desk.record.equity[-1]
    assert len(scene.desk.record.equity) == rows + 1
    assert (last.cash, last.equity, last.positions) == (float(truth["cash"]), float(truth["equity"]), 0)
    record = verify(scene.address)
    assert record.cash_change == pytest.approx(record.cash_by_fills, abs=Decimal("0.1"))
    assert record.cash_change < -200


def test_equity_that_cannot_be_read_at_the_end_is_told_with_its_time(scene, stopped_out, caplog):
    rows = len(scene.desk.record.equity)

    def unread(name: str, when: str) -> None:
        if name == "account":
            raise VenueUnavailable("no answer")

    scene.wire.mishap = unread
    close(scene, stopped_out)
    assert len(scene.desk.record.equity) == rows
    before = scene.desk.record.equity[-1]
    assert f": equity {before.equity:,.2f} USD as of 10:00:0" in summary_of(caplog)


def test_nothing_is_kept_at_the_end_where_no_look_was_possible(scene, stopped_out, monkeypatch):
    monkeypatch.setattr("brokers.desk.lifecycle.wiring.PROTECT_WITHIN_S", 0.3)
    rows = len(scene.desk.record.equity)
    scene.wire.mishap = unanswered
    close(scene, stopped_out)
    assert len(scene.desk.record.equity) == rows


def test_positions_are_newer_than_the_account_after_a_look_and_after_a_fill(scene):
    held(scene)
    asked = scene.state.view.account_time
    assert not scene.positions.newer_than(asked)
    scene.pass_time(2, AAPL=90)
    assert scene.positions.newer_than(asked), "the stream has told of a fill"
    scene.step()
    asked = scene.state.view.account_time
    assert not scene.positions.newer_than(asked)
    scene.pass_time(2)
    scene.desk.tick()
    assert scene.positions.newer_than(asked), "a look between iterations asks for no account"


def test_status_tells_of_when_equity_and_cash_are():
    at = datetime(2022, 12, 13, 20, 25, 43, tzinfo=UTC)
    shown = {}
    for name, time in (("old", at), ("new", None)):
        found = status(replace(trader_state(), account_time=time))
        printer = console(json=False)
        with printer.capture() as kept:
            printer.print(_screen(found))
        shown[name] = " ".join(kept.get().split())
        assert document(found)["account_as_of"] == time
    told = "equity 105,000.00, cash 94,500.00, today -122.00 (-0.12%)"
    assert f"{told}, as of 15:25:43" in shown["old"]
    assert told in shown["new"] and f"{told}, as of" not in shown["new"]
