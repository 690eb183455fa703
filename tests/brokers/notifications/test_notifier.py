"""Notices leave in one thread: critical first and until delivered, the others together, and nobody waits for them."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

import pytest

from brokers.notifications.log_notices import NoticeHandler
from brokers.notifications.notice import Notice, read, written
from brokers.notifications.notifier import Notifier
from brokers.reporting.events import EventKind, about
from config.operating import operating
from config.values.masker import Masker

NOON = datetime(2024, 3, 5, 17, 0, tzinfo=UTC)
QUICK = operating({}).notifications.model_copy(
    update={"batch_s": 0.1, "retry_s": (0.02, 0.05), "attempts": 3, "same_within_s": 60.0}
)


class Phone:
    """A channel in the test's hand."""

    def __init__(self, name="phone", works=True):
        self.name, self.works, self.why = name, works, "" if works else "status 500"
        self.messages: list[tuple[str, str, bool]] = []
        self.tries = 0
        self.hangs = threading.Event()
        self.hangs.set()

    def send(self, title, text, critical):
        self.tries += 1
        self.hangs.wait(30)
        if self.works:
            self.messages.append((title, text, critical))
        return self.works


def notice(text, *, critical=False, key="", ends=""):
    return Notice(text, critical, NOON, key or text, ends)


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


@pytest.fixture
def opened():
    running = []

    def begin(*phones, keep=None, settings=QUICK, left=()):
        notifier = Notifier(phones, settings, keep, left)
        notifier.start()
        running.append((notifier, phones))
        return notifier

    yield begin
    for notifier, phones in running:
        for phone in phones:
            phone.hangs.set()
        notifier.close(0.5)


def test_what_is_not_critical_waits_for_company(opened):
    phone = Phone()
    notifier = opened(phone)
    for number in range(3):
        notifier.put(notice(f"fill {number}"))
    wait_for(lambda: phone.messages)
    assert phone.messages == [("risk-first", "12:00:00 fill 0\n12:00:00 fill 1\n12:00:00 fill 2", False)]


def test_what_is_critical_goes_first_and_until_it_is_delivered(opened):
    phone = Phone(works=False)
    notifier = opened(phone)
    notifier.put(notice("a fill"))
    notifier.put(notice("no stop", critical=True))
    wait_for(lambda: phone.tries > 12)
    phone.works = True
    wait_for(lambda: phone.messages)
    assert phone.messages[0] == ("risk-first: CRITICAL", "12:00:00 no stop", True)


def test_the_same_is_told_once_and_news_again_after_its_end(opened):
    phone = Phone()
    notifier = opened(phone)
    for _ in range(5):
        notifier.put(notice("down", critical=True, key="venue:False", ends="venue:True"))
    wait_for(lambda: phone.messages)
    notifier.put(notice("up", key="venue:True", ends="venue:False"))
    notifier.put(notice("down", critical=True, key="venue:False", ends="venue:True"))
    wait_for(lambda: len(phone.messages) == 3)
    assert sorted(text for _, text, _ in phone.messages) == ["12:00:00 down", "12:00:00 down", "12:00:00 up"]


def test_one_address_that_works_is_not_kept_by_one_that_does_not(opened):
    dead, phone = Phone("dead", works=False), Phone()
    notifier = opened(dead, phone)
    notifier.put(notice("no stop", critical=True))
    wait_for(lambda: phone.messages and dead.tries >= QUICK.attempts)
    time.sleep(0.2)
    assert dead.tries == QUICK.attempts, "another address has it"


def test_whoever_reports_waits_for_nobody(opened):
    phone = Phone()
    phone.hangs.clear()
    notifier = opened(phone)
    notifier.put(notice("hangs", critical=True))
    wait_for(lambda: phone.tries)
    began = time.perf_counter()
    for number in range(1_000):
        notifier.put(notice(f"fill {number}"))
    each = (time.perf_counter() - began) / 1_000
    assert each < 0.001, f"{each * 1e6:.0f} µs"
    assert len(notifier._waiting) <= QUICK.kept
    assert any(item.notice.critical for item in notifier._waiting), "what is critical is dropped last"


def test_what_nobody_received_is_written_down_and_sent_by_the_next_start(opened):
    kept: list[list[Notice]] = []
    dead = Phone(works=False)
    notifier = opened(dead, keep=kept.append)
    notifier.put(notice("no stop", critical=True))
    notifier.put(notice("a fill"))
    wait_for(lambda: kept and len(kept[-1]) == 2)
    left = notifier.close(0.3)
    assert {one.text for one in left} == {one.text for one in kept[-1]} == {"no stop", "a fill"}
    phone = Phone()
    opened(phone, keep=kept.append, left=read(written(left)))
    wait_for(lambda: len(phone.messages) == 2 and kept[-1] == [])
    assert {text for _, text, _ in phone.messages} == {"12:00:00 no stop", "12:00:00 a fill"}


def test_what_is_critical_is_written_down_before_it_is_tried(opened):
    kept: list[list[Notice]] = []
    phone = Phone()
    phone.hangs.clear()
    notifier = opened(phone, keep=kept.append)
    notifier.put(notice("no stop", critical=True))
    wait_for(lambda: phone.tries)
    assert [[one.text for one in notices] for notices in kept] == [["no stop"]]


def test_the_end_is_not_kept_by_an_address_that_hangs(opened):
    phone = Phone()
    phone.hangs.clear()
    notifier = opened(phone)
    notifier.put(notice("no stop", critical=True))
    wait_for(lambda: phone.tries)
    began = time.monotonic()
    assert [one.text for one in notifier.close(0.3)] == ["no stop"]
    assert time.monotonic() - began < 2


def test_a_file_that_is_no_list_of_notices_is_none():
    assert read("nonsense") == read('{"a": 1}') == read('[{"text": 1}]') == []


def test_who_logs_and_who_sends_never_wait_for_one_another(opened):
    """Records come in from several threads while the sender itself logs that its address fails and works again."""
    phone = Phone(works=False)
    notifier = opened(phone)
    logger = logging.getLogger("brokers")
    handler = NoticeHandler(notifier.put, Masker([]), lambda: NOON)
    logger.addHandler(handler)
    over = threading.Event()

    def flap():
        while not over.is_set():
            phone.works = not phone.works
            time.sleep(0.001)

    def report(number):
        for count in range(300):
            notifier.put(notice(f"{number} {count}", critical=count % 50 == 0))
            logging.getLogger("brokers.desk.test_lock").error("thread %d, %d", number, count)

    threads = [threading.Thread(target=report, args=(number,), daemon=True) for number in range(4)]
    flapping = threading.Thread(target=flap, daemon=True)
    try:
        for thread in (flapping, *threads):
            thread.start()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
        wait_for(lambda: phone.tries > 1, 20)
    finally:
        over.set()
        logger.removeHandler(handler)


@pytest.fixture
def heard():
    found: list[Notice] = []
    logger = logging.getLogger("brokers.desk.test")
    logger.propagate, before = False, logger.handlers[:]
    logger.setLevel(logging.INFO)
    logger.addHandler(NoticeHandler(found.append, Masker(["planted-secret"]), lambda: NOON))
    yield logger, found
    logger.handlers[:] = before


def test_errors_and_chosen_events_become_notices_without_secrets(heard):
    logger, found = heard
    logger.info("only a line")
    logger.warning("a warning")
    logger.info("bare for a moment", extra=about(EventKind.UNPROTECTED, "AAPL"))
    logger.error("key planted-secret refused")
    logger.info("bought", extra=about(EventKind.FILL, "AAPL"))
    logger.warning("killed", extra=about(EventKind.CRASH))
    logger.warning("arrive again", extra=about(EventKind.STREAM_DOWN, over=True))
    assert [(n.text, n.critical) for n in found] == [
        ("key ******** refused", True), ("bought", False), ("killed", True), ("arrive again", False),
    ]  # fmt: skip


def test_each_change_of_what_stops_entries_is_news(heard):
    logger, found = heard
    for reasons in (["kill switch: stop"], ["kill switch: stop", "the venue is gone"], []):
        event = about(EventKind.HALT, over=not reasons, reasons=reasons)
        logger.warning("entries are %s", f"stopped; {'; '.join(reasons)}" if reasons else "allowed again", extra=event)
    assert len({notice.key for notice in found}) == 3
    assert not any(notice.critical for notice in found)


def test_an_error_in_telling_never_reaches_who_logs(heard):
    logger, found = heard
    record = logging.LogRecord(logger.name, logging.ERROR, "", 0, "%d of %d", ("no number",), None)
    logger.handlers[0].handle(record)
    assert found == []
