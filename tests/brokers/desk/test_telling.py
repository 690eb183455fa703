"""What the desk tells of itself: figures of orders, bare positions and why, the session; and what telling costs it."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from statistics import median
from types import SimpleNamespace

import pytest

from brokers.alpaca.listings import update_of
from brokers.desk.closed_positions import closed_on
from brokers.desk.entry_halts import KillLevel
from brokers.desk.monitor import SILENT, Monitor
from brokers.desk.session_report import SessionReport
from brokers.notifications.log_notices import NoticeHandler
from brokers.notifications.notifier import Notifier
from brokers.reporting.events import EventKind, event_of
from brokers.reporting.iteration_report import IterationReport
from config.operating import operating
from config.values.masker import Masker
from risk.model import BracketTerms, Plan
from tests.brokers.desk.scene import TUESDAY, Scene, fill, held


@pytest.fixture(autouse=True)
def everything(caplog):
    caplog.set_level(logging.INFO)


def told(caplog, kind):
    return [record for record in caplog.records if (event := event_of(record)) and event.kind is kind]


def test_an_order_is_told_with_all_its_figures_and_its_fill_against_the_ask(scene, caplog):
    scene.enter("AAPL", 50)
    scene.settle(2)
    (order,) = [r for r in told(caplog, EventKind.ORDER) if event_of(r).fields["role"] == "entry"]
    assert order.message.startswith("entry: buy 49 AAPL at 100.07, target 115.01, stop 95.01; stop 2.50 × ATR 2 away")
    figures = event_of(order).fields
    assert {k: figures[k] for k in ("side", "quantity", "limit_price", "bracket_stop", "bracket_target")} == {
        "side": "buy", "quantity": "49", "limit_price": "100.07", "bracket_stop": "95.01", "bracket_target": "115.01",
    }  # fmt: skip
    (saved,) = [r.message for r in told(caplog, EventKind.READING)]
    assert saved == "AAPL: 49 bought at 100.0100, the ask was 100.0100: saved 0.00 USD"


def test_the_levels_of_the_decision_are_told_as_such_beside_those_that_are_sent(scene, caplog):
    label = "stop 94.05 = 99.00 - 5.0%, target 113.85 = 99.00 + 15.0%"
    scene.enter("AAPL", 50, price=99.0, terms=BracketTerms("buy", 0.05, 0.15, label=label), reason=f"oversold; {label}")
    (order,) = [r for r in told(caplog, EventKind.ORDER) if event_of(r).fields["role"] == "entry"]
    assert "stop 95.01; stop 2.50 × ATR 2 away" in order.message
    assert order.message.endswith(f"oversold; decided at 99.00 with {label}")
    # What is kept of it is the decision's reason alone.
    assert scene.desk.journal.order(event_of(order).fields["order"]).reason.endswith(f"oversold; {label}")


def test_a_fill_that_the_book_does_not_show_yet_is_told_with_the_next_book(scene):
    seen, desk = [], scene.desk
    desk.telling.report = SimpleNamespace(
        decided=lambda plan, book, fills, **more: seen.append((fills, len(book.positions)))
    )
    desk.reconcile()
    before = desk.sync.fills
    # A thread that watches has booked it between the book and the telling.
    desk.sync.fills += 1
    desk.execute(Plan(scene.clock.now()))
    desk.reconcile()
    desk.execute(Plan(scene.clock.now()))
    assert seen == [(before, 0), (before + 1, 0)]


def test_a_position_found_bare_is_told_with_the_reason_and_its_end(scene, caplog):
    scene.enter("AAPL", 50)
    scene.settle(2)
    caplog.clear()
    (stop,) = [order for order in scene.open() if order["type"] == "stop"]
    scene.exchange.cancel(stop["id"])
    scene.hand_on()
    scene.settle(3)
    messages = [record.message for record in told(caplog, EventKind.UNPROTECTED)]
    assert messages[0] == "AAPL: 49 shares without a working stop; the last one, at 95.01, is canceled"
    assert messages[1].startswith("AAPL: nothing of it is without a stop any more, after ")


def test_the_session_is_summed_up_once_when_it_is_over(scene, caplog):
    iterations = IterationReport(60.0)
    report = SessionReport(scene.desk, iterations, scene.clock.now)
    scene.desk.telling.report = iterations
    scene.step()
    report.check()
    scene.enter("AAPL", 50)
    scene.settle(2)
    scene.step(1, AAPL=94.0)
    scene.settle(3)
    report.check()
    assert told(caplog, EventKind.SUMMARY) == []
    scene.step(7 * 3_600)
    report.check()
    report.check()
    (summary,) = told(caplog, EventKind.SUMMARY)
    figures = event_of(summary).fields
    assert (figures["session"], figures["trades"], figures["won"]) == ("2023-03-07", 1, 0)
    assert figures["profit_usd"] == pytest.approx(-49 * 6.01, abs=5)
    assert figures["entries_measured"] == 1
    assert "1 closed, 0 of them won" in summary.message
    assert "; 1 entry filled, whole or in part; since this start at 10:00: nothing refused; " in summary.message
    assert summary.message.endswith("; every position of ours had its stop, as far as it was seen")


def seen_from_the_beginning(tmp_path):
    """A session that the process saw begin, in which it has entered AAPL."""
    scene = Scene(tmp_path, start=TUESDAY - timedelta(hours=3))
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    scene.step()
    report.check()
    scene.step(3 * 3_600, AAPL=100)
    report.check()
    scene.enter("AAPL", 50)
    scene.settle(2)
    return scene, report


def test_a_session_that_was_seen_from_its_beginning_is_told_whole(tmp_path, caplog):
    scene, report = seen_from_the_beginning(tmp_path)
    scene.step(7 * 3_600)
    report.check()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert "since this start" not in summary.message
    assert summary.message.endswith("; every position of ours had its stop all the time")
    scene.stop()


def test_the_summary_tells_the_equity_of_the_last_look_before_the_close(tmp_path, caplog):
    """The last iteration may have been in the morning, and after the close prices go on."""
    scene, report = seen_from_the_beginning(tmp_path)
    scene.pass_time(6 * 3_600 - 30, AAPL=104)
    assert scene.state.in_session and scene.state.closes_within(timedelta(seconds=60))
    scene.desk.tick()
    report.check()
    scene.pass_time(60, AAPL=90)
    assert not scene.state.in_session
    report.check()
    (summary,) = told(caplog, EventKind.SUMMARY)
    equity = event_of(summary).fields["equity"]
    assert equity - scene.desk.record.equity[-1].equity == pytest.approx(49 * 4, abs=5)
    scene.stop()


def test_a_position_that_is_sold_in_parts_is_one_that_was_closed():
    def portion(entry, day, pnl):
        trade = SimpleNamespace(exit_time=TUESDAY + timedelta(days=day), pnl=pnl)
        return SimpleNamespace(trade=trade, entry_order=entry)

    book = SimpleNamespace(
        portions=[
            portion("a", 0, 30.0), portion("a", 1, 5.0), portion("a", 1, -10.0), portion("b", 1, 4.0),
            portion("c", 0, 9.0),
        ],
        entries={"B": SimpleNamespace(client_order_id="b"), "A": SimpleNamespace(client_order_id="a")},
        ledger=SimpleNamespace(positions={"B": None}),
    )  # fmt: skip
    found = closed_on((TUESDAY + timedelta(days=1)).date(), book)
    assert (found.closed, found.won, found.in_part, found.profit) == (1, 1, 1, -1.0)
    assert found.in_words() == "1 closed, 1 of them won, 1 closed in part, -1.00 USD"
    assert closed_on(TUESDAY.date(), book).in_words() == "1 closed, 1 of them won, 1 closed in part, +39.00 USD"


def test_nothing_is_said_of_a_time_in_which_nobody_looked(tmp_path, caplog, monkeypatch):
    scene, report = seen_from_the_beginning(tmp_path)
    report.check()
    later = time.monotonic() + 51
    monkeypatch.setattr("brokers.desk.session_report.time", SimpleNamespace(monotonic=lambda: later))
    report.tell()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert "every position of ours had its stop, as far as it was seen; nobody looked at the venue for 5" in (
        summary.message
    )
    scene.stop()


def test_what_another_run_bought_counts_and_so_does_a_part(scene, caplog):
    scene.in_part("AAPL", 104, lambda: scene.enter("AAPL", 50))
    assert 0 < scene.held() < 49
    scene.restart()
    scene.step()
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    report.check()
    report.tell()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert "; 1 entry filled, whole or in part; since this start at 10:00: nothing refused; " in summary.message


def test_entries_that_were_approved_and_not_sent_are_no_refusals_and_are_told(scene, caplog):
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    scene.desk.halts.kill.pull(KillLevel.STOP)
    scene.enter("AAPL", 50)
    report.check()
    report.tell()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert "; no entry filled; since this start at 10:00: 1 approved and not sent; no position of ours held" in (
        summary.message
    )


def test_a_run_that_ends_before_its_first_iteration_is_summed_up_too(scene, caplog):
    """As one that is started at ``flatten``: it sells and ends."""
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    scene.desk.look()
    report.check()
    assert not scene.desk.record.equity
    report.tell()
    report.tell()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert summary.message.startswith("session 2023-03-07: equity 100,000.00 USD, 0.00%; no trade closed; ")


def test_a_session_without_a_position_does_not_speak_of_its_stops(scene, caplog):
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    scene.step()
    scene.desk.reconcile()
    report.check()
    scene.step(7 * 3_600)
    report.check()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert summary.message.endswith(
        "; no entry filled; since this start at 10:00: nothing refused; no position of ours held"
    )


def test_a_step_that_is_under_way_as_the_session_ends_costs_no_summary(scene, caplog):
    report = SessionReport(scene.desk, IterationReport(60.0), scene.clock.now)
    scene.step()
    report.check()
    scene.step(7 * 3_600)
    # Whoever watches is another thread than the one that steps.
    with ThreadPoolExecutor(1) as watching:
        with scene.desk.lock:
            watching.submit(report.check).result()
        assert told(caplog, EventKind.SUMMARY) == []
        watching.submit(report.check).result()
    assert len(told(caplog, EventKind.SUMMARY)) == 1
    assert "no summary" not in caplog.text


def test_what_filled_before_the_session_was_first_seen_is_in_its_summary(scene, caplog):
    iterations = IterationReport(60.0)
    report = SessionReport(scene.desk, iterations, scene.clock.now)
    scene.step()
    scene.enter("AAPL", 50)
    scene.settle(2)
    report.check()
    report.tell()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert event_of(summary).fields["entries_measured"] == 1
    assert "no entry filled" not in summary.message


@pytest.mark.parametrize(("ending", "level"), [(False, logging.WARNING), (True, logging.INFO)])
def test_a_stream_that_stops_is_a_warning_unless_the_process_ends(scene, caplog, ending, level):
    monitor = Monitor(scene.desk, scene.clock)
    monitor.stream_state(True)
    assert monitor.stream_down == {}
    if ending:
        monitor.stop(0.1)
    monitor.stream_state(False)
    assert list(monitor.stream_down) == ["trade updates"]
    said = "trade updates end with the trader" if ending else "trade updates stopped; until they arrive again"
    # The last one; before it they arrived.
    assert [(r.levelno, said in r.message) for r in caplog.records if "trade updates" in r.message][1:] == [
        (level, True)
    ]


def test_a_stream_that_never_came_about_is_down(scene):
    monitor = Monitor(scene.desk, scene.clock)
    monitor.start()
    try:
        assert list(monitor.stream_down) == ["trade updates"]
        monitor.stream_state(True)
        assert monitor.stream_down == {}
    finally:
        monitor.stop(2.0)


def test_no_stream_is_missed_where_orders_are_followed_by_asking(scene, monkeypatch):
    monkeypatch.setattr(type(scene.desk.state.venue), "tells_orders", False)
    monitor = Monitor(scene.desk, scene.clock)
    monitor.start()
    try:
        assert monitor.stream_down == {}
    finally:
        monitor.stop(2.0)


def test_an_entry_of_two_orders_is_one_entry_in_the_summary(scene, caplog):
    iterations = IterationReport(60.0)
    report = SessionReport(scene.desk, iterations, scene.clock.now)
    scene.desk.telling.report = iterations
    scene.step()
    report.check()
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": Decimal(101)})
    scene.enter("AAPL", 50)
    fill(scene, 20)
    scene.settle(45)
    assert len(scene.desk.entries.slippage) == 2
    report.tell()
    (summary,) = told(caplog, EventKind.SUMMARY)
    assert event_of(summary).fields["entries_measured"] == event_of(summary).fields["entries_filled"] == 1
    assert "against the quotes of 1 entry" in summary.message


def test_an_open_stream_that_tells_nothing_is_down_until_an_update_comes_and_is_connected_anew(tmp_path, monkeypatch):
    scene, tries = Scene(tmp_path), []
    monitor = Monitor(scene.desk, scene.clock, reconnect=lambda: tries.append(scene.exchange.now))

    def told_to_the_monitor(events):
        for event in events:
            monitor.hear(update_of(event))
        return []

    scene.told = told_to_the_monitor
    monitor.stream_state(True)
    scene.pass_time(60)
    held(scene)
    monitor._see_stream()
    assert monitor.stream_down == {}, "its fill was told"
    scene.pass_time(60)
    scene.deaf = True
    held(scene, "MSFT")
    monitor._see_stream()
    assert monitor.stream_down == {"trade updates": SILENT}
    assert tries == []
    monkeypatch.setattr("brokers.desk.monitor.SILENT_S", 0.0)
    for _ in range(3):
        monitor._see_stream()
    assert len(tries) == 1
    monitor.stream_state(False)
    assert monitor.stream_down == {"trade updates": "the connection is lost"}
    monitor.stream_state(True)
    monitor._see_stream()
    assert monitor.stream_down == {"trade updates": SILENT}, "a new connection has told nothing yet"
    scene.deaf = False
    scene.enter("NVDA", 10)
    scene.pass_time(1)
    assert monitor.stream_down == {}
    monitor._see_stream()
    assert monitor.stream_down == {}
    scene.stop()


class Hanging:
    """An address that never answers."""

    name, why = "hanging", ""

    def __init__(self):
        self.tried, self.over = threading.Event(), threading.Event()

    def send(self, title, text, critical):
        self.tried.set()
        self.over.wait(60)
        return False


def iterations(scene: Scene, number: int) -> list[float]:
    """Seconds that each of some iterations took, with entries and fills among them."""
    taken = []
    for turn in range(number):
        began = time.perf_counter()
        scene.enter(("AAPL", "MSFT", "NVDA", "PLTR", "TSLA")[turn % 5], 20)
        scene.step(0.5)
        taken.append(time.perf_counter() - began)
    return taken


def test_a_notifier_that_hangs_costs_an_iteration_nothing(tmp_path):
    """Two desks take turns, so that a busy machine slows both: one tells nobody, the other an address that hangs."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "told").mkdir()
    alone, telling = Scene(tmp_path / "alone"), Scene(tmp_path / "told")
    channel = Hanging()
    notifier = Notifier([channel], operating({}).notifications, lambda notices: None)
    spent: list[float] = []

    class Timed(NoticeHandler):
        def emit(self, record):
            began = time.perf_counter()
            super().emit(record)
            spent.append(time.perf_counter() - began)

    handler = Timed(notifier.put, Masker(["a-secret-of-some-length"]), lambda: None)
    logger = logging.getLogger("brokers")
    notifier.start()
    try:
        times: dict[str, list[float]] = {"alone": [], "told": []}
        for _ in range(4):
            times["alone"] += iterations(alone, 3)
            logger.addHandler(handler)
            logger.error("something critical, so that the thread hangs in it")
            times["told"] += iterations(telling, 3)
            logger.removeHandler(handler)
        assert channel.tried.is_set()
        assert len(spent) > 20, "records were handed on"
        assert median(spent) < 0.001
        assert median(times["told"]) < 1.5 * median(times["alone"]) + 0.002, times
    finally:
        logger.removeHandler(handler)
        channel.over.set()
        notifier.close(0.1)
        alone.stop()
        telling.stop()
