"""The equity that a day is measured from: at the session's opening, however late its first iteration is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from brokers.desk.session_report import SessionReport
from brokers.live_state.snapshot import _opening
from brokers.venue_errors import VenueUnavailable
from config import Refusal
from market.trading_day import DEFAULT, use_day_of
from risk.drawdown_halt import DrawdownHalt
from tests.brokers.desk.scene import TUESDAY, Scene
from tests.brokers.desk.test_stop_only_venue import Day
from tests.risk.helpers import market, module

TODAY, NEXT = TUESDAY.date(), TUESDAY.date() + timedelta(days=1)
OPENS = datetime(2023, 3, 8, 14, 30, tzinfo=UTC)


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path, halters=[module(DrawdownHalt)], overrides=["gate.max_order_notional_frac=0.5"])
    yield made
    made.stop()


def overnight(scene: Scene) -> None:
    """Three positions, 60,000 USD of them, until a moment before the next opening."""
    for symbol in ("AAPL", "MSFT", "NVDA"):
        scene.enter(symbol, 200)
        scene.settle(2)
    wait_until(scene, OPENS - timedelta(seconds=5))


def wait_until(scene: Scene, moment: datetime) -> None:
    scene.pass_time((moment - scene.exchange.now).total_seconds())
    scene.clock.due = True
    scene.desk.tick()


def opening(scene: Scene) -> Decimal | None:
    return scene.journal.session_open_equity(NEXT)


def fall(scene: Scene) -> None:
    """Ten minutes after the opening prices fall to below each stop; watched, not decided on."""
    scene.pass_time(600)
    for price in (99.0, 94.0):
        scene.pass_time(1, **dict.fromkeys(("AAPL", "MSFT", "NVDA"), price))
        scene.desk.tick()
    assert scene.held() == 0


def test_a_loss_ahead_of_the_first_iteration_halts_at_it(scene: Scene) -> None:
    overnight(scene)
    assert opening(scene) is None
    # What a night brings is no loss of the day, as in a backtest.
    wait_until(scene, OPENS + timedelta(seconds=10))
    before = opening(scene)
    assert before is not None and before == Decimal(scene.exchange.account()["equity"])
    fall(scene)
    wait_until(scene, OPENS + timedelta(minutes=31))
    scene.desk.look()
    book = scene.desk.reconcile()
    assert book.session_open_equity == float(before) and book.equity < 0.97 * float(before)
    assert book.halted == {"drawdown_halt"}
    refused = scene.desk.halters[0].review(scene.proposal("TSLA", 10), book, market({"TSLA": 100.0}))
    assert refused.after == 0
    assert scene.desk.record.halts[-1].module == "drawdown_halt"
    scene.enter("TSLA", 10, iterate=False)
    scene.settle(2)
    assert scene.held("TSLA") == 0


@pytest.mark.parametrize("moment", [OPENS + timedelta(minutes=1), OPENS + timedelta(minutes=15)])
def test_a_restart_keeps_the_opening(scene: Scene, moment: datetime) -> None:
    overnight(scene)
    wait_until(scene, OPENS + timedelta(seconds=10))
    before = opening(scene)
    fall(scene)
    scene.restart()
    wait_until(scene, max(moment, scene.exchange.now))
    assert opening(scene) == before
    assert scene.desk.reconcile().session_open_equity == float(before or 0)


def test_a_session_is_opened_by_one_look_and_the_account_asked_for_once(scene: Scene) -> None:
    overnight(scene)
    scene.wire.calls.clear()
    for seconds in (10, 25, 40):
        wait_until(scene, OPENS + timedelta(seconds=seconds))
    assert [name for name, _ in scene.wire.calls].count("account") == 1
    (row,) = [time for day, time in sessions(scene) if day == str(NEXT)]
    assert OPENS < row < OPENS + timedelta(seconds=20)


def sessions(scene: Scene) -> list[tuple[str, datetime]]:
    from brokers.journal.database.schema import sessions as table

    with scene.journal._store.reading() as connection:
        return [(str(row.session), row.time) for row in connection.execute(table.select())]


def test_looks_before_the_opening_open_nothing(scene: Scene) -> None:
    overnight(scene)
    scene.desk.look()
    assert opening(scene) is None
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(90)})
    wait_until(scene, OPENS + timedelta(seconds=10))
    assert opening(scene) == Decimal(scene.exchange.account()["equity"])


def test_extended_hours_belong_to_the_session_where_they_count(tmp_path) -> None:
    scene = Scene(tmp_path, overrides=["live.extended_hours.enabled=true"])
    scene.desk.tick()
    wait_until(scene, OPENS - timedelta(hours=2))
    assert opening(scene) == 100_000
    scene.stop()


def test_where_the_account_cannot_be_read_a_later_look_opens(scene: Scene) -> None:
    overnight(scene)
    scene.wire.account = lambda: {**scene.exchange.account(), "equity": "n/a"}
    wait_until(scene, OPENS + timedelta(seconds=10))
    assert opening(scene) is None
    del scene.wire.account
    wait_until(scene, OPENS + timedelta(seconds=25))
    assert opening(scene) is not None


def test_where_the_journal_cannot_be_written_stops_are_looked_after_and_a_later_look_opens(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    overnight(scene)
    with monkeypatch.context() as patched:
        patched.setattr(scene.journal, "open_session", Mock(side_effect=Refusal("the disk is full")))
        stop = next(order for order in scene.open() if order["type"] == "stop")
        scene.exchange.cancel(stop["id"])
        wait_until(scene, OPENS + timedelta(seconds=10))
        wait_until(scene, OPENS + timedelta(seconds=15))
        assert scene.stopped() == scene.held() > 0
    assert opening(scene) is None
    wait_until(scene, OPENS + timedelta(seconds=25))
    assert opening(scene) is not None


def test_the_day_on_screen_and_in_the_summary_is_measured_from_the_opening(scene: Scene) -> None:
    overnight(scene)
    report: Any = SimpleNamespace(refusals=Mock(most_common=list))
    wait_until(scene, OPENS + timedelta(seconds=10))
    before = float(opening(scene) or 0)
    # Before the session's first iteration a screen has the day's opening already.
    assert _opening(scene.desk, scene.desk._bookkeeping.decided_on) == before
    fall(scene)
    scene.desk.look()
    book = scene.desk.reconcile()
    assert _opening(scene.desk, book) == before
    _, fields = SessionReport(scene.desk, report, lambda: scene.exchange.now)._summary(NEXT)
    assert fields["change_frac"] == pytest.approx(book.equity / before - 1)
    assert fields["profit_usd"] == pytest.approx(book.equity - 100_000, abs=1)
    assert fields["change_frac"] < -0.03


def test_where_the_market_never_closes_the_day_is_opened_at_its_turn(tmp_path) -> None:
    use_day_of("UTC")
    try:
        day = Day(tmp_path)
        day.desk.tick()
        day.venue.pass_time(3595)
        day.desk.tick()
        sunday = datetime(2026, 3, 8, tzinfo=UTC).date()
        assert day.journal.session_open_equity(sunday) is None
        day.venue.pass_time(10)
        day.desk.tick()
        assert day.journal.session_open_equity(sunday) == day.desk.state.view.account.equity > 0
        day.journal.close()
    finally:
        use_day_of(DEFAULT)


def test_a_venue_that_does_not_tell_the_account_keeps_no_stop_waiting(scene: Scene) -> None:
    overnight(scene)

    def mishap(name: str, phase: str) -> None:
        if name == "account" and phase == "before":
            raise VenueUnavailable("later")

    scene.wire.mishap = mishap
    stop = next(order for order in scene.open() if order["type"] == "stop")
    scene.exchange.cancel(stop["id"])
    for seconds in (10, 12, 14):
        wait_until(scene, OPENS + timedelta(seconds=seconds))
    assert scene.stopped() == scene.held() > 0
    assert opening(scene) is None
    scene.wire.mishap = lambda name, phase: None
    wait_until(scene, OPENS + timedelta(seconds=25))
    assert opening(scene) is not None


def test_a_scan_ahead_of_the_opening_fixes_nothing(scene: Scene) -> None:
    overnight(scene)
    scene.restart()
    scene.desk.submit = False
    early = scene.desk.reconcile()
    assert early.session_open_equity == early.equity
    assert opening(scene) is None and scene.desk.books.opening is None
    scene.restart()
    scene.pass_time(10, **dict.fromkeys(("AAPL", "MSFT", "NVDA"), 95.5))
    book = scene.desk.reconcile()
    # What a night brings is no loss of the day.
    assert opening(scene) == Decimal(str(book.equity)) and book.equity < 0.98 * early.equity
    assert book.halted == frozenset()
