"""Journal against venue: every kind of difference is planted and found, and nothing is written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import pytest

from brokers.journal import OrderIntent, State
from brokers.journal.snapshot import read_snapshot
from brokers.operator import differences
from brokers.operator.account import sign_in, silent
from brokers.operator.differences import Comparison, Kind
from brokers.operator.tables import manual_position_lines
from brokers.venue_errors import ClockInDoubt
from brokers.venues import open_venue
from tests.scripts.venue import SCRIPTS, Place, place, script

SCRIPT = script("reconcile_alpaca")


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    monkeypatch.setattr(differences, "AGAIN_S", 0.05)


def compared(desk: Place) -> Comparison:
    client = open_venue(desk.settings, paper=True)
    sign_in(client, paper=True)
    return differences.compare(client, desk.settings)


def kinds(desk: Place) -> list[Kind]:
    return sorted({found.kind for found in compared(desk).differences})


@pytest.fixture
def running(desk: Place) -> Place:
    """A trader was there and bought 50 AAPL behind a bracket; its books are in order."""
    with desk.trader() as core:
        desk.enter(core)
    return desk


def test_books_in_order_are_clean_and_untouched(running, capsys):
    before, files = len(running.changes()), running.files()
    assert SCRIPT.main(running.arguments) == 0
    assert "1 position and 2 open orders at the venue: no differences." in capsys.readouterr().out
    assert len(running.changes()) == before
    assert running.files() == files


def test_it_works_beside_a_trader(running):
    with running.trader():
        files = running.files()
        assert SCRIPT.main(running.arguments) == 0
        assert running.files() == files


def test_orders_that_are_not_asked_for_hide_none_that_is_listed(desk, monkeypatch, capsys):
    monkeypatch.setattr(differences, "ASKED", 1)
    with desk.trader() as core:
        now = core.state.now
        for number in range(3):
            # Never sent: no listing has it.
            intent = OrderIntent("combined", "MSFT", "buy", Decimal(1), "limit", "entry", now, limit_price=Decimal(9))
            core.journal.plan_order(replace(intent, sequence=number))
        desk.enter(core)
    desk.cancel_all()
    found = compared(desk)
    assert [next(s for s in ("MSFT", "AAPL") if s in d.text) for d in found.differences if d.kind is Kind.GONE] == [
        "MSFT",
        "AAPL",
        "AAPL",
    ]
    assert found.not_asked == 2
    assert SCRIPT.main(desk.arguments) == 1
    assert "2 more orders, open here and in no listing of the venue: not asked for." in capsys.readouterr().out


def test_hand_made_positions_are_told_with_their_right_size(running, capsys):
    running.by_hand("PLTR", "291")
    running.by_hand("TSLA", "76")
    assert SCRIPT.main(running.arguments) == 1
    said = capsys.readouterr().out
    for line in (
        "By hand: 291 PLTR at 170.77 is 49,694.07 USD, 46.7% of the account; 62 would be right",
        "By hand: 76 TSLA at 443.18 is 33,681.68 USD, 31.7% of the account; 24 would be right",
        "By hand, together: 83,375.75 USD, 78.4% of the account",
    ):
        assert line in said, said
    assert kinds(running) == sorted([Kind.POSITION, Kind.OVERSIZED])


def test_shares_by_hand_beside_ours_are_measured_with_them(running, capsys):
    running.by_hand("AAPL", "70")
    assert SCRIPT.main(running.arguments) == 1
    said = capsys.readouterr().out
    line = "70 AAPL at 100.00 is 7,000.00 USD, 6.6% of the account and 11.3% with 50 of ours; 56 would be right"
    assert line in said, said
    assert Kind.OVERSIZED in kinds(running)


def test_a_hand_made_position_within_the_caps_is_no_difference_once_it_is_known(running, capsys):
    running.by_hand("PLTR", "10")
    assert kinds(running) == [Kind.POSITION]
    with running.trader() as core:
        core.observer.look()
        core.sync.note_difference("PLTR", Decimal(10), Decimal("170.77"), core.state.now, "by hand")
    assert SCRIPT.main(running.arguments) == 0
    assert "10 PLTR at 170.77 is 1,707.70 USD, 1.6% of the account, within the caps" in capsys.readouterr().out


def test_beside_an_exchange_that_runs_faster_than_a_clock_it_answers_all_the_same(tmp_path, monkeypatch):
    with place(tmp_path, monkeypatch, speed=30.0) as fast:
        with fast.trader() as core:
            core.observer.look()
        fast.by_hand("PLTR", "10")
        monkeypatch.setattr("brokers.network.clock.FAR_S", 0.5)
        assert kinds(fast) == [Kind.POSITION]


def test_a_clock_that_stays_in_doubt_is_told_with_the_setting():
    venue = SimpleNamespace(address="http://127.0.0.1:1")
    said = str(silent(venue, ClockInDoubt("the venue's clock says noon", again=True)))
    assert "--set pace.speed=N" in said and "does not answer" not in said


def test_shares_that_went_are_found(running):
    running.cancel_all()
    with running.trader() as core:
        core.observer.look()
    running.by_hand("AAPL", "20", "sell")
    found = {d.kind: d for d in compared(running).differences}
    assert (found[Kind.POSITION].here, found[Kind.POSITION].there) == ("50", "30")
    assert (found[Kind.UNPROTECTED].here, found[Kind.UNPROTECTED].there) == ("30", "0")


def test_a_stop_by_hand_protects_no_share_of_ours(running):
    running.cancel_all()
    running.by_hand("AAPL", "20", "buy")
    running.by_hand("AAPL", "20", "sell", type="stop", stop_price="90", time_in_force="gtc")
    found = {d.kind: d for d in compared(running).differences}
    assert (found[Kind.UNPROTECTED].here, found[Kind.UNPROTECTED].there) == ("50", "0")


def test_an_order_by_hand_is_found(running):
    running.by_hand("PLTR", "3", type="limit", limit_price="150")
    (found,) = compared(running).differences
    assert found.kind is Kind.UNKNOWN
    assert found.text == "buy 3 PLTR limit, sent by hand"


def test_exits_that_were_cancelled_are_found_gone_and_their_shares_bare(running):
    running.cancel_all()
    assert kinds(running) == sorted([Kind.GONE, Kind.UNPROTECTED])
    assert {d.there for d in compared(running).differences if d.kind is Kind.GONE} == {"canceled"}


def test_an_order_that_the_venue_never_saw_is_found(running):
    with running.trader() as core:
        intent = core.gateway.intent("PLTR", "buy", Decimal(3), "limit", "entry", core.state.now, limit=150)
        core.journal.plan_order(intent)
    (found,) = compared(running).differences
    assert (found.kind, found.here, found.there) == (Kind.GONE, "journaled", "not known")


def test_an_order_whose_answer_was_lost_is_found(running):
    with running.trader() as core:
        intent = core.gateway.intent("PLTR", "buy", Decimal(3), "limit", "entry", core.state.now, limit=150)
        name = core.journal.plan_order(intent)
        core.journal.unknown(name, "no answer")
    running.by_hand("PLTR", "3", type="limit", limit_price="150", client_order_id=name)
    (found,) = compared(running).differences
    assert (found.kind, found.subject) == (Kind.UNKNOWN, name)
    assert "sent by us, its outcome is not booked" in found.text


def test_a_fill_that_was_missed_is_found_and_explains_the_position(desk):
    with desk.trader() as core:
        core.observer.look()
        intent = core.gateway.intent("AAPL", "buy", Decimal(5), "market", "entry", core.state.now)
        name = core.journal.plan_order(intent)
    desk.by_hand("AAPL", "5", client_order_id=name)
    found = {d.kind: d for d in compared(desk).differences}
    assert set(found) == {Kind.GONE, Kind.FILLS}
    assert (found[Kind.FILLS].here, found[Kind.FILLS].there) == ("0", "5")
    assert compared(desk).by_hand == ()


def test_what_is_settled_at_the_second_look_is_no_difference(running):
    order = running.by_hand("PLTR", "3", type="limit", limit_price="150")
    client = open_venue(running.settings, paper=True)
    found = differences.compare(
        client, running.settings, wait=lambda s: running.server.call(lambda exchange: exchange.cancel(order))
    )
    assert found.clean


def test_without_a_journal_it_is_refused(desk, capsys):
    assert SCRIPT.main(desk.arguments) == 2
    said = capsys.readouterr().err
    assert "there is no journal" in said and said.count("\n") == 1
    assert desk.files() == {}


def test_a_damaged_journal_is_refused_by_its_own_name(running, capsys):
    path = running.state / "journal.sqlite3"
    path.write_bytes(b"nothing like a journal" * 400)
    assert SCRIPT.main(running.arguments) == 2
    said = capsys.readouterr().err
    assert str(path) in said and "damaged" in said


def test_a_venue_that_does_not_answer_is_a_refusal(running, capsys):
    running.server.close()
    assert SCRIPT.main(running.arguments) == 2
    assert "does not answer" in capsys.readouterr().err


def test_what_a_crash_left_is_read_and_left_as_it_is(running):
    """A trader killed in mid-flight leaves its write-ahead log; the figures in it count."""
    writer = (
        "import os, sys; from brokers.journal import Journal; "
        "journal = Journal(sys.argv[1], sys.argv[2]); journal.begin_run('a', 'b', 'c', 'd'); "
        "journal.event(sys.argv[3], 'cancelled'); os._exit(9)"
    )
    with running.trader() as core:
        core.observer.look()
        account = core.state.view.account.id
        name = next(o.client_order_id for o in core.journal.open_orders() if o.role == "stop")
    path = running.state / "journal.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", writer, str(path), account, name], cwd=SCRIPTS.parent, timeout=60, check=False
    )
    assert done.returncode == 9
    files = running.files()
    assert files["journal.sqlite3-wal"]
    journal = read_snapshot(path)
    assert next(order for order in journal.orders if order.client_order_id == name).state is State.CANCELLED
    assert running.files() == files


def test_the_documents_explain_every_kind_and_show_the_figures(running):
    text = (SCRIPTS.parent / "docs" / "operating.md").read_text(encoding="utf-8")
    assert [kind for kind in Kind if f"| {kind.value} |" not in text] == []
    running.by_hand("PLTR", "291")
    running.by_hand("TSLA", "76")
    assert [line for line in manual_position_lines(compared(running).by_hand) if line not in text] == []


def test_as_a_command(running):
    running.by_hand("PLTR", "291")
    command = [sys.executable, str(SCRIPTS / "reconcile_alpaca.py"), *running.arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "62 would be right" in done.stdout
    assert running.server.secret not in done.stdout + done.stderr
