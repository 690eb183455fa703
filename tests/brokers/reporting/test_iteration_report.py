"""What an iteration tells: each thing when it is new, one line where it did something, a heartbeat otherwise."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from brokers.reporting.events import event_of
from brokers.reporting.iteration_report import IterationReport
from config.values.markets import NEW_YORK_ZONE
from risk.model import Book, BracketTerms, Decision, Plan, Proposal, Verdict

TIME = datetime(2024, 3, 5, 10, 30, tzinfo=NEW_YORK_ZONE)
BOOK = Book(TIME, 100_500.0, 80_000.0, session_open_equity=100_000.0)
PROPOSAL = Proposal(
    symbol="AAPL", side="buy", signal="trend", score=80.0, price=100.0, atr=2.0, stop=96.0, target=110.0,
    terms=BracketTerms("buy"), quantity=10.0, reason="because",
)  # fmt: skip


def refusal(symbol="AAPL", module="sector_cap", code="SECTOR_CAP: mega_tech share 0.67 > 0.40"):
    return Decision(TIME, replace(PROPOSAL, symbol=symbol), 10, (Verdict(module, code, 10, 0, {}),))


class Time:
    def __init__(self):
        self.now = 0.0
        self.readings = {}

    def report(self):
        return IterationReport(60.0, lambda: self.readings, lambda: self.now)


@pytest.fixture
def time():
    return Time()


@pytest.fixture(autouse=True)
def everything(caplog):
    caplog.set_level(logging.INFO)


def told(caplog):
    found = [(str(event_of(r).kind), r.levelname, r.message) for r in caplog.records if event_of(r)]
    caplog.clear()
    return found


def test_a_refusal_is_told_once_until_it_is_another(time, caplog):
    report = time.report()
    for share in (0.67, 0.68):
        decision = refusal(code=f"SECTOR_CAP: mega_tech share {share} > 0.40")
        report.decided(Plan(TIME, decisions=(decision,)), BOOK, 0)
    assert [line for line in told(caplog) if line[0] == "refusal"] == [
        ("refusal", "INFO", "AAPL refused by sector_cap, SECTOR_CAP: mega_tech share 0.67 > 0.40")
    ]
    report.decided(Plan(TIME, decisions=(refusal(module="cash_buffer", code="CASH: none"),)), BOOK, 0)
    assert [line[2] for line in told(caplog) if line[0] == "refusal"] == ["AAPL refused by cash_buffer, CASH: none"]
    assert report.refusals == {"sector_cap": 2, "cash_buffer": 1}


def test_a_halt_is_told_when_it_begins_and_when_it_ends(time, caplog):
    report = time.report()
    halted = replace(BOOK, halted=frozenset({"drawdown_halt"}))
    for book in (BOOK, halted, halted, BOOK):
        report.decided(Plan(TIME), book, 0)
    assert [line for line in told(caplog) if line[0] == "halt"] == [
        ("halt", "ERROR", "halt drawdown_halt: no new positions before the next session; equity 100,500 USD, +0.50% "
         "since the opening; stops and exits go on"),
        ("halt", "WARNING", "halt drawdown_halt is over"),
    ]  # fmt: skip


def test_a_halt_of_before_this_start_is_told_with_its_own_figure(time, caplog):
    """What equity is now is no reason for a halt that began at another."""
    halted = replace(BOOK, halted=frozenset({"drawdown_halt"}))
    began = "since Tue 2022-12-13 11:27:56, begun at equity 95930.00"
    time.report().decided(Plan(TIME), halted, 0, earlier=lambda name: began if name == "drawdown_halt" else "")
    assert [line[2] for line in told(caplog) if line[0] == "halt"] == [
        f"halt drawdown_halt: no new positions before the next session; {began}; now equity 100,500 USD, +0.50% "
        "since the opening; stops and exits go on"
    ]


def test_gauges_and_the_risk_per_trade_are_told_when_they_change(time, caplog):
    report = time.report()
    for rsi, risk in ((70.11, 0.01), (70.12, 0.01), (75.0, 0.005)):
        time.readings = {"NVDA": rsi, "TSLA": float("nan")}
        verdict = Verdict("recent_form", "", 10, 10, {"risk_frac": risk, "wins": 4, "trades": 10})
        report.decided(Plan(TIME, decisions=(Decision(TIME, PROPOSAL, 10, (verdict,)),)), BOOK, 0)
    lines = told(caplog)
    assert [line[2] for line in lines if line[0] == "reading"] == ["gauges: RSI NVDA 70.1", "gauges: RSI NVDA 75.0"]
    assert [line[2] for line in lines if line[0] == "risk"] == [
        "risk per trade 0.50% instead of 1.00%: 4 of the last 10 trades won"
    ]


def test_one_line_for_what_was_done_and_a_heartbeat_for_what_was_not(time, caplog):
    report = time.report()
    report.decided(Plan(TIME, entries=(PROPOSAL,), decisions=(refusal("MSFT"),)), BOOK, 1)
    assert [line for line in told(caplog) if line[0] != "refusal"] == [
        ("iteration", "INFO", "entering 10 AAPL; 1 fill since the last; 1 refused (sector_cap 1); equity 100,500 USD, "
         "+0.50% today, 0 positions"),
    ]  # fmt: skip
    for _ in range(59):
        time.now += 1
        report.decided(Plan(TIME), BOOK, 1)
    assert told(caplog) == []
    time.now += 1
    report.decided(Plan(TIME), BOOK, 1)
    ((kind, _, text),) = told(caplog)
    assert (kind, text.partition(";")[0]) == ("heartbeat", "60 iterations without a change, the last: nothing to do")


def test_a_day_s_result_that_rounds_to_zero_has_no_sign(time, caplog):
    time.report().decided(Plan(TIME), replace(BOOK, equity=BOOK.session_open_equity - 0.08), 0)
    assert ", 0.00% today, " in told(caplog)[0][2]


def test_the_first_line_of_a_run_that_does_nothing_says_so(time, caplog):
    time.report().decided(Plan(TIME), BOOK, 0)
    ((kind, _, text),) = told(caplog)
    assert (kind, text.partition(";")[0]) == ("heartbeat", "the first iteration: nothing to do")


def test_another_day_counts_anew(time, caplog):
    report = time.report()
    report.decided(Plan(TIME, decisions=(refusal(),)), BOOK, 0)
    report.decided(Plan(TIME, decisions=(refusal(),)), replace(BOOK, time=TIME + timedelta(days=1)), 0)
    assert report.refusals == {"sector_cap": 1}
    assert len([line for line in told(caplog) if line[0] == "refusal"]) == 2


def test_what_could_not_be_sent_is_not_announced_again(time, caplog):
    other = replace(PROPOSAL, symbol="MSFT")
    report = time.report()
    report.decided(Plan(TIME, entries=(PROPOSAL, other)), BOOK, 0, again={"AAPL"})
    assert "entering 10 MSFT; trying again what could not be sent: AAPL; equity" in caplog.text
    caplog.clear()
    for _ in range(5):
        report.decided(Plan(TIME, entries=(PROPOSAL,)), BOOK, 0, again={"AAPL"})
    assert told(caplog) == []
    time.now = 60.0
    report.decided(Plan(TIME, entries=(PROPOSAL,)), BOOK, 0, again={"AAPL"})
    assert "without a change, the last: trying again what could not be sent: AAPL; " in caplog.text


def test_entries_that_something_keeps_back_are_not_announced(time, caplog):
    plan = Plan(TIME, entries=(PROPOSAL,))
    time.report().decided(plan, BOOK, 0, stopped=True)
    assert "entering" not in caplog.text
    time.report().decided(plan, BOOK, 0)
    assert "entering 10 AAPL" in caplog.text
