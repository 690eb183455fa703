"""Halts of several sessions in a live run: kept in the journal, so that a restart does not end them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from brokers.desk.lasting_halts import LastingHalts
from brokers.desk_rules import halt_dates
from brokers.record import EquityRow
from risk.model import Book
from risk.peak_halt import PeakHalt
from tests.brokers.desk.scene import TUESDAY, Scene
from tests.risk.helpers import market, module

FIVE = [date(2023, 3, 7), date(2023, 3, 8), date(2023, 3, 9), date(2023, 3, 10), date(2023, 3, 13)]


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path, halters=[module(PeakHalt)])
    yield made
    made.stop()


def valued(equity: float, at=TUESDAY - timedelta(days=1)) -> EquityRow:
    return EquityRow(at, equity, equity, 0.0, 0.0, 0)


def test_a_halt_covers_sessions_not_days():
    assert list(halt_dates(FIVE[0], 5, "NYSE")) == FIVE
    assert halt_dates(date(2023, 4, 6), 2, "NYSE") == (date(2023, 4, 6), date(2023, 4, 10)), "Good Friday is none"
    assert halt_dates(FIVE[3], 3, "24/7") == (FIVE[3], date(2023, 3, 11), date(2023, 3, 12))
    assert halt_dates(FIVE[0], 1, "NYSE") == (FIVE[0],)


def test_a_loss_from_the_journal_s_peak_halts_five_sessions_and_survives_a_restart(scene):
    assert scene.desk.reconcile().halted == frozenset()
    scene.journal.equity(valued(120_000))
    scene.restart()
    book = scene.desk.reconcile()
    assert book.equity_peak == 120_000 and book.equity == 100_000
    assert book.halted == {"peak_halt"}
    refused = scene.desk.halters[0].review(scene.proposal("AAPL", 10), book, market({"AAPL": 100.0}))
    assert refused.until is not None and refused.until.isoformat() == "2023-03-14T00:00:00-04:00"
    assert [scene.journal.halts(day) for day in FIVE] == [frozenset({"peak_halt"})] * 5
    assert scene.journal.halts(date(2023, 3, 14)) == frozenset()
    scene.desk.reconcile()
    assert scene.desk.telling.earlier_halt(scene.desk._bookkeeping.decided_on, "peak_halt") == "", (
        "it began in this run"
    )
    scene.restart()
    assert scene.desk.reconcile().halted == {"peak_halt"}
    assert scene.desk.telling.earlier_halt(scene.desk._bookkeeping.decided_on, "peak_halt").startswith(
        "since Tue 2023-03-07 10:00"
    )
    assert scene.desk.telling.earlier_halt(scene.desk._bookkeeping.decided_on, "peak_halt").endswith(
        "begun at equity 100000.00"
    )
    assert scene.desk.halts.stopped(scene.state.now) == ["halted for this session by peak_halt"], "a subclass too"
    halt = scene.journal.last_halt("peak_halt")
    assert halt is not None and (halt.began.date(), halt.until) == (FIVE[0], FIVE[4])


def test_the_peak_begins_anew_after_the_halt(scene):
    scene.journal.equity(valued(120_000))
    for day in FIVE:
        scene.journal.halt(day - timedelta(days=14), "peak_halt", TUESDAY - timedelta(days=14), "before")
    # The peak of 120,000 was measured after that halt had ended, 150,000 before it.
    scene.journal.open_session(date(2023, 3, 6), 110_000, TUESDAY - timedelta(days=1, hours=1))
    scene.journal.equity(valued(150_000, TUESDAY - timedelta(days=20)))
    assert scene.desk.reconcile().equity_peak == 120_000
    assert scene.journal.highest_equity(None) == Decimal(150_000)
    assert scene.desk.reconcile().last_halts["peak_halt"] >= TUESDAY, "and it halts by that"
    # While that lasts, and until the first look after it, the peak is what the account is worth.
    book = scene.desk.reconcile()
    assert book.equity_peak == book.equity


@pytest.mark.parametrize("restarted", [False, True])
def test_the_peak_after_a_halt_is_the_same_in_the_process_that_saw_it_end(scene, restarted):
    scene.journal.halt(date(2023, 3, 10), "peak_halt", TUESDAY, "before")
    monday = TUESDAY + timedelta(days=6)
    halts = LastingHalts(scene.journal, scene.desk.halters)

    def read(at, equity: float) -> float:
        measured = halts.measured(Book(at, equity, equity)).equity_peak
        scene.journal.equity(valued(equity, at))
        return measured

    assert read(TUESDAY + timedelta(days=3), 90_000.0) == 90_000
    # Read while no session is on, by a scan.
    assert read(monday - timedelta(hours=3), 89_000.0) == 89_000
    if restarted:
        halts = LastingHalts(scene.journal, scene.desk.halters)
    scene.journal.open_session(monday.date(), 80_000, monday)
    assert read(monday, 80_000.0) == 80_000
    assert read(monday + timedelta(hours=1), 78_000.0) == 80_000


def test_a_loss_that_is_read_while_no_session_is_on_begins_its_halt_in_the_next(scene):
    scene.desk.reconcile()
    scene.journal.equity(valued(120_000))
    scene.pass_time(timedelta(days=4, hours=1).total_seconds())
    scene.restart()
    saturday = scene.desk.reconcile()
    assert saturday.equity_peak == 120_000 and saturday.halted == frozenset()
    refused = scene.desk.halters[0].review(scene.proposal("AAPL", 10), saturday, market({"AAPL": 100.0}))
    assert refused.after == 0, "nothing is entered by that reading all the same"
    scene.pass_time(timedelta(days=2).total_seconds())
    assert scene.desk.reconcile().halted == {"peak_halt"}
    halt = scene.journal.last_halt("peak_halt")
    assert halt is not None and (halt.began.date(), halt.until) == (date(2023, 3, 13), date(2023, 3, 17))
