"""A single reading of equity that is far from the others fixes no opening, no peak and no halt."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk import account_figures
from brokers.desk.account_figures import AccountFigures
from brokers.desk.lifecycle.wiring import see_account
from brokers.venue_errors import AccountUnreadable
from brokers.venue_values import VenueAccount
from risk.drawdown_halt import DrawdownHalt
from risk.peak_halt import PeakHalt
from tests.brokers.desk.scene import TUESDAY, Scene, held
from tests.risk.helpers import module

TODAY = TUESDAY.date()
WRONG = ["0", "50000", "97900", "102100", "1000000"]


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path, halters=[module(DrawdownHalt), module(PeakHalt)])
    yield made
    made.stop()


def answers(scene: Scene, *equities: str) -> list[str]:
    """The next answers about the account have these equities, then they are true; what is still to come is left."""
    account, left = scene.wire.account, list(equities)
    scene.wire.account = lambda: account() | ({"equity": left.pop(0)} if left else {})
    return left


@pytest.mark.parametrize("wrong", WRONG)
def test_one_wrong_reading_counts_nowhere(scene, wrong, caplog):
    held(scene)
    before = scene.desk.reconcile()
    left = answers(scene, wrong)
    scene.pass_time(2)
    scene.desk.look()
    assert left == [] and scene.desk.halts.passing["account"].endswith("is read again before it counts")
    assert scene.state.equity == before.equity
    scene.pass_time(2)
    book = scene.desk.reconcile()
    assert (book.equity, book.equity_peak) == (before.equity, before.equity_peak)
    assert "account" not in scene.desk.halts.passing and "did not come again" in caplog.text
    assert scene.journal.halts(TODAY) == frozenset()
    assert scene.journal.highest_equity(None) == max(Decimal(str(row.equity)) for row in scene.desk.record.equity)


def test_the_first_look_of_a_session_opens_it_with_no_wrong_reading(scene):
    scene.step(1)
    answers(scene, "500000")
    scene.pass_time(timedelta(days=1).total_seconds())
    scene.desk.look()
    assert scene.journal.session_open_equity(TODAY + timedelta(days=1)) is None
    assert scene.desk.reconcile().session_open_equity == 100_000
    assert scene.journal.session_open_equity(TODAY + timedelta(days=1)) == Decimal(100_000)


@pytest.mark.parametrize(("at_start", "first"), [("100000", "7000"), ("7000", "100000")])
def test_of_the_start_s_reading_and_the_first_look_s_the_one_that_comes_again_counts(scene, at_start, first):
    scene.state.figures.at_start = Decimal(at_start)
    if first != "100000":
        answers(scene, first)
    book = scene.desk.reconcile()
    assert book.equity == book.session_open_equity == 100_000
    assert scene.journal.highest_equity(None) == Decimal(100_000)


def test_a_fall_that_two_readings_show_halts_in_the_same_iteration(scene):
    held(scene)
    scene.desk.reconcile()
    answers(scene, "90000", "89950")
    scene.desk.look()
    assert scene.journal.halts(TODAY) == frozenset()
    assert scene.desk.reconcile().equity == 89_950
    assert scene.journal.halts(TODAY)


def test_stops_are_looked_after_while_an_iteration_waits_for_the_second_reading(scene, monkeypatch):
    held(scene)
    scene.desk.reconcile()
    scene.state.figures = AccountFigures(lambda seconds: 5.0)
    free: list[bool] = []

    def slept(seconds: float) -> None:
        taken = scene.desk.lock.acquire(blocking=False)
        free.append(taken and 4 < seconds <= 5)
        scene.desk.lock.release()

    monkeypatch.setattr("brokers.desk.desk.time.sleep", slept)
    answers(scene, "90000")
    scene.desk.look()
    scene.desk.reconcile()
    assert free == [True]


def test_a_look_between_iterations_reads_what_is_in_doubt_again(scene):
    held(scene)
    scene.desk.reconcile()
    assert not scene.desk.looks.asks_account()
    answers(scene, "90000")
    scene.desk.look()
    assert scene.desk.looks.asks_account()
    scene.desk.tick(anyway=True)
    assert not scene.desk.looks.asks_account() and not scene.state.view.account_unreadable


def read(figures: AccountFigures, equity: int, known: int | None = 100) -> Decimal | None:
    try:
        return figures.believed(
            VenueAccount("x", Decimal(equity), Decimal(1)), None if known is None else Decimal(known)
        ).equity
    except AccountUnreadable as error:
        assert error.account == VenueAccount("x")
        return None


def test_what_answers_at_once_confirms_nothing_and_readings_that_jump_never_count(monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(account_figures.time, "monotonic", lambda: now)
    monkeypatch.setattr(account_figures, "AGREE_S", 3.0)
    figures = AccountFigures(lambda seconds: seconds / 2)
    assert (read(figures, 150), figures.waits_s) == (None, 1.5)
    now += 1.4
    assert read(figures, 151) is None and figures.waits_s == pytest.approx(0.1)
    now += 0.2
    assert (read(figures, 200), figures.waits_s) == (None, 1.5), "agrees with neither"
    now += 2
    assert (read(figures, 201), figures.waits_s) == (201, None)
    assert read(figures, 0, known=0) == 0 and read(figures, 5, known=0) is None
    assert read(AccountFigures(float), 7, known=None) == 7


def test_a_first_reading_after_a_start_without_figures_needs_a_second_one(scene):
    scene.state.figures.first_counts = False
    answers(scene, "500000")
    scene.desk.look()
    assert scene.state.view.account_time is None
    assert scene.desk.reconcile().session_open_equity == 100_000
    assert scene.journal.halts(TODAY) == frozenset()


@pytest.mark.parametrize("wrong", [(), ("50000",)])
def test_a_run_that_ends_after_a_fall_tells_and_keeps_what_two_readings_show(scene, wrong, monkeypatch):
    for symbol in ("AAPL", "MSFT", "NVDA", "PLTR"):
        scene.enter(symbol, 180)
        scene.settle(2)
    before = scene.desk.reconcile().equity
    scene.pass_time(1800, AAPL=90, MSFT=90, NVDA=90, PLTR=90)
    for _ in range(3):
        scene.desk.tick()
        scene.pass_time(2)
    assert scene.state.equity == before
    answers(scene, *wrong)
    see_account(scene.desk, 6.0)
    last = float(scene.exchange.account()["equity"])
    assert last < 0.95 * before
    assert scene.desk.record.equity[-1].equity == pytest.approx(last) == pytest.approx(scene.state.equity)


def test_an_end_without_time_for_a_second_reading_says_so(scene, caplog):
    held(scene)
    scene.desk.reconcile()
    scene.state.figures = AccountFigures(lambda seconds: 60.0)
    answers(scene, "50000")
    see_account(scene.desk, 0.2)
    assert "as they were read before (equity 50,000.00 USD after" in caplog.text
    assert scene.desk.record.equity[-1].equity > 90_000
