"""The start: a venue that stumbles is asked again, a clock that is off is told, and who holds the journal is named."""

from __future__ import annotations

import os
import re
import socket
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from brokers.alpaca.client import VenueClient
from brokers.alpaca.errors import BadKeys
from brokers.alpaca.venue import AlpacaVenue
from brokers.desk.lifecycle import session as module
from brokers.desk.lifecycle.session import _tell_of, account_at_start, open_session, tell_another_day
from brokers.journal import Journal
from brokers.venue_errors import AccountUnreadable, AnswerUnreadable, NotSent, VenueUnavailable
from brokers.venue_values import VenueAccount, VenueTime
from config import Refusal, load
from config.errors import NoAnswer

NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)


class Stumbling(VenueClient):
    """Answers after so many errors."""

    def __init__(self, errors, ahead_s: float = 0.0) -> None:
        super().__init__("key", "secret", paper=True)
        self.errors = list(errors)
        self.asked = 0
        self.clock._wall = lambda: NOW
        self.ahead = timedelta(seconds=ahead_s)

    def venue_clock(self) -> VenueTime:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return VenueTime(NOW + self.ahead, True, NOW, NOW)

    def account(self):
        return {"id": "some", "status": "ACTIVE", "equity": "1000", "cash": "1000"}


@pytest.fixture
def slept(monkeypatch):
    """Seconds slept, which pass at once."""
    time, pauses = [0.0], []

    def sleep(seconds):
        pauses.append(seconds)
        time[0] += seconds

    monkeypatch.setattr(module.time, "sleep", sleep)
    monkeypatch.setattr(module.time, "monotonic", lambda: time[0])
    return pauses


@pytest.mark.parametrize(
    "error",
    [NotSent("429, too many requests"), VenueUnavailable("the venue answered 500"), VenueUnavailable("no answer")],
)
def test_a_venue_that_stumbles_at_the_start_is_asked_again(slept, caplog, error):
    client = Stumbling([error, error])
    assert account_at_start(AlpacaVenue(client), True, 20.0)[0].id == "some"
    assert slept == [1.0, 2.0]
    assert caplog.text.count("the venue does not answer") == 2


def test_a_venue_whose_account_cannot_be_read_is_not_said_to_be_silent(slept, caplog):
    client = Stumbling([AccountUnreadable("the account cannot be read: equity is 'n/a'")] * 100)
    with pytest.raises(NoAnswer, match=r"the account cannot be read: equity is .n/a., asked for 20 s") as told:
        account_at_start(AlpacaVenue(client), True, 20.0)
    assert "does not answer" not in f"{told.value} {caplog.text}"


def test_a_venue_that_stays_away_is_refused_after_a_while(slept):
    client = Stumbling([VenueUnavailable("no answer")] * 100)
    with pytest.raises(NoAnswer, match=r"does not answer \(no answer\), asked for 20 s"):
        account_at_start(AlpacaVenue(client), True, 20.0)
    assert 15 <= sum(slept) <= 20


def test_an_answer_that_cannot_be_read_is_told_as_one(slept):
    client = Stumbling([AnswerUnreadable("answered 200, and its answer could not be read")] * 100)
    with pytest.raises(NoAnswer, match="the venue answered 200, and its answer could not be read, asked for 20 s"):
        account_at_start(AlpacaVenue(client), True, 20.0)


def test_an_account_without_a_readable_equity_is_taken_after_a_while(slept, caplog):
    class Venue:
        """One that holds what has no price."""

        clock, budget = SimpleNamespace(now=lambda: NOW), staticmethod(lambda seconds: nullcontext())

        def venue_clock(self):
            return VenueTime(NOW, True, NOW, NOW)

        def account(self):
            raise AccountUnreadable("the account cannot be read: BTC/USD has no price", VenueAccount("some"))

    account, skew = account_at_start(Venue(), True, 240.0)
    assert (account.id, skew) == ("some", timedelta(0)) and sum(slept) <= 20
    assert "BTC/USD has no price; nothing is entered before it can" in caplog.text


def test_wrong_keys_are_refused_at_once(slept):
    with pytest.raises(Refusal, match="ALPACA_API_KEY"):
        account_at_start(AlpacaVenue(Stumbling([BadKeys(401, None, "unauthorized")])), True, 20.0)
    assert slept == []


@pytest.mark.parametrize(("ahead_s", "words"), [(90, "90 s behind"), (-90, "90 s ahead of"), (4, None)])
def test_a_clock_that_is_off_is_told_once(caplog, ahead_s, words):
    venue = AlpacaVenue(Stumbling([], ahead_s))
    _tell_of(*account_at_start(venue, True, 20.0), venue)
    told = [record.message for record in caplog.records if "clock is" in record.message]
    assert told == ([f"this machine's clock is {words} the venue's, whose time counts; set it right"] if words else [])


def test_who_writes_the_journal_is_named(tmp_path):
    path = tmp_path / "journal.sqlite"
    with Journal(path, "some"), pytest.raises(Refusal) as refused:
        Journal(path, "some")
    who = re.search(r"process (\d+) on (\S+) since (\S+) writes this journal", str(refused.value))
    assert who is not None
    assert who.groups()[:2] == (str(os.getpid()), socket.gethostname())
    assert abs(datetime.fromisoformat(who[3]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_journal_of_a_session_waits_for_its_database_as_long_as_the_settings_say(tmp_path, monkeypatch):
    opened = []

    def kept(*given):
        opened.append(given)
        return Journal(*given)

    monkeypatch.setattr(module, "Journal", kept)
    monkeypatch.setattr(module, "open_venue", lambda *_: AlpacaVenue(Stumbling([])))
    state = tmp_path / "state"
    open_session(load(overrides=[f"live.state_dir={state}", "live.journal_answer_s=3.5"]), paper=True).close()
    ((address, account, _, answer_s),) = opened
    assert (address, account, answer_s) == (state / module.JOURNAL_FILE, "some", 3.5)


@pytest.mark.parametrize(("speed", "level", "hint"), [(1.0, "WARNING", True), (600.0, "INFO", False)])
def test_a_venue_that_plays_another_day_is_told_with_what_its_pace_needs(caplog, speed, level, hint):
    caplog.set_level("INFO")
    venue = AlpacaVenue(Stumbling([], -400 * 86_400.0))
    _, skew = account_at_start(venue, True, 20.0)
    # Before the log is stamped with the venue's time, nothing is said.
    assert caplog.records == []
    tell_another_day(SimpleNamespace(venue=venue, clock_skew=skew), speed)
    (line,) = caplog.records
    assert line.levelname == level and ("--set pace.speed=N" in line.getMessage()) is hint
    assert line.getMessage().startswith("the exchange plays another day: its clock reads Tue 2026-03-03 10:00 New York")


def test_a_venue_of_today_is_not_told(caplog):
    venue = AlpacaVenue(Stumbling([]))
    tell_another_day(SimpleNamespace(venue=venue, clock_skew=timedelta(0)), 1.0)
    assert caplog.records == []
