"""The doctor's checks on an account that is well, and on each thing that is not."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pandas as pd
import pytest

from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.health.checks import Doctor
from brokers.journal import Journal
from brokers.journal.database.store import NoJournalYet
from brokers.venue_errors import AccountUnreadable, KeysRefused, VenueRefusal, VenueUnavailable
from brokers.venue_values import VenueAccount, VenueQuote, VenueTime
from config import load
from config.errors import Refusal
from config.operating import operating

KEYS = {"ALPACA_API_KEY": "key-key-key", "ALPACA_API_SECRET": "secret-secret"}
LEVELS = operating({})


class Venue:
    """A venue in the test's hand."""

    name, address = "Alpaca", "https://venue.test"
    key_names = ("ALPACA_API_KEY", "ALPACA_API_SECRET")

    def __init__(self):
        self.known = VenueAccount("account", Decimal(100_000), Decimal(50_000))
        self.skew = timedelta(0)
        self.quote_age = timedelta(seconds=1)
        self.raised = {}
        self.rows = pd.DataFrame({"close": [1.0]})

    def budget(self, seconds):
        return nullcontext()

    def _asked(self, name):
        if name in self.raised:
            raise self.raised[name]

    def account(self):
        self._asked("account")
        return self.known

    def venue_clock(self):
        self._asked("clock")
        now = datetime.now(UTC) + self.skew
        return VenueTime(now, True, now + timedelta(days=1), now + timedelta(hours=1))

    def quotes(self, symbols):
        self._asked("data")
        return {s: VenueQuote(Decimal(1), Decimal(2), datetime.now(UTC) - self.quote_age) for s in symbols}

    def bars(self, symbols, minutes, start, end=None):
        return self.rows


@pytest.fixture
def scene(tmp_path):
    def checks(keys=KEYS, **more):
        settings = load(environment=keys | more, arguments=[("--state-dir", "live.state_dir", str(tmp_path / "state"))])
        return {check.check: check for check in Doctor(settings, LEVELS, True, lambda *_: venue).checks()}

    venue = Venue()
    return SimpleNamespace(venue=venue, checks=checks, folder=tmp_path / "state")


def test_all_is_well_before_the_first_start(scene):
    found = scene.checks()
    assert list(found) == [
        "versions", "state folder", "disk", "journal", "kill switch", "notifications", "keys", "account", "clock",
        "data",
    ]  # fmt: skip
    assert {name for name, check in found.items() if not check.ok} == set()
    assert not any(check.way_out for check in found.values() if check.ok)


@pytest.mark.parametrize(
    ("trouble", "check", "said"),
    [
        (lambda v: v.raised.update(account=KeysRefused("forbidden")), "keys", "refused by Alpaca"),
        (lambda v: v.raised.update(account=VenueUnavailable("no route")), "keys", "does not answer (no route)"),
        (lambda v: v.raised.update(account=AccountUnreadable("the account cannot be read: x")), "keys", "the account"),
        (
            lambda v: setattr(v, "known", replace(v.known, blocked="trading is blocked")),
            "account",
            "trading is blocked",
        ),
        (lambda v: setattr(v, "skew", timedelta(seconds=40)), "clock", "s off the venue's"),
        (lambda v: v.raised.update(clock=VenueUnavailable("silence")), "clock", "cannot be read"),
        (lambda v: v.raised.update(data=VenueRefusal("subscription does not permit")), "data", "does not permit"),
        (lambda v: setattr(v, "quote_age", timedelta(minutes=15)), "data", "900 s old"),
        (lambda v: setattr(v, "rows", pd.DataFrame()), "data", "no bars"),
    ],
)
def test_each_trouble_is_named_with_its_way_out(scene, trouble, check, said):
    trouble(scene.venue)
    found = scene.checks()
    assert [name for name, one in found.items() if not one.ok] == [check]
    assert said in found[check].detail
    assert found[check].way_out


def test_a_venue_on_this_machine_tells_its_time_in_utc_and_may_lack_the_benchmark(scene):
    scene.venue.address = "http://127.0.0.1:1"
    now = datetime.fromisoformat("2022-12-13T09:33:07-05:00")
    scene.venue.venue_clock = lambda: VenueTime(now, False, now + timedelta(days=1), now)
    asked = []
    scene.venue.bars = lambda symbols, *_: asked.extend(symbols) or scene.venue.rows[: len(asked) - 1]
    found = scene.checks()
    assert "plays 2022-12-13 14:33:07 UTC, which counts" in found["clock"].detail
    assert found["data"].ok and asked == ["SPY", "NVDA"]
    assert found["data"].detail.startswith(
        "feed iex: bars of NVDA, quote 0 s old, market closed until 2022-12-14 14:33:07 UTC"
    )
    assert "none of SPY" in found["data"].detail


def test_what_is_wrong_on_this_machine_is_named(scene):
    assert [n for n, one in scene.checks(keys={}).items() if not one.ok] == ["keys"]
    assert not scene.checks(NOTIFY_URLS="nonsense-without-scheme")["notifications"].ok
    scene.folder.mkdir(mode=0o755)
    scene.folder.chmod(0o755)
    KillSwitch(scene.folder).pull(KillLevel.STOP)
    (scene.folder / "journal.sqlite3").write_bytes(b"no journal")
    failed = {name for name, one in scene.checks().items() if not one.ok}
    assert failed == {"state folder", "journal", "kill switch"}


def test_an_empty_database_is_well_before_the_first_start(scene, monkeypatch):
    def empty(_):
        raise NoJournalYet("postgresql://db/journal: is empty")

    monkeypatch.setattr("brokers.health.checks.read_snapshot", empty)
    check = scene.checks(DATABASE_URL="postgresql://u:p@127.0.0.1:1/db")["journal"]
    assert check.ok and check.detail == "the database is empty, the first start makes the journal in it"


def test_a_journal_that_is_whole_is_told(scene):
    scene.folder.mkdir(mode=0o700)
    with Journal(scene.folder / "journal.sqlite3", "account", lambda: datetime.now(UTC)):
        pass
    check = scene.checks()["journal"]
    assert check.ok
    assert "whole, 0 filled orders" in check.detail


KRAKEN = {"KRAKEN_API_KEY": "key-key-key", "KRAKEN_API_SECRET": "YWJjZGVmZ2g="}


def at_kraken(tmp_path, opened, keys=KRAKEN):
    arguments = [("--state-dir", "live.state_dir", str(tmp_path)), ("--venue", "broker.venue", "kraken")]
    settings = load(environment=keys, arguments=arguments)
    return {check.check: check for check in Doctor(settings, LEVELS, False, opened).checks()}


def test_kraken_is_asked_with_its_own_keys_and_for_a_pair(scene, tmp_path):
    asked = []
    scene.venue.name = "Kraken"
    scene.venue.bars = lambda symbols, *_: asked.extend(symbols) or scene.venue.rows
    found = at_kraken(tmp_path, lambda *_: scene.venue)
    assert all(check.ok for name, check in found.items() if name != "state folder")
    assert asked == ["BTC/USD"] and "Kraken's data: bars of BTC/USD" in found["data"].detail
    scene.venue.raised.update(account=KeysRefused("EAPI:Invalid signature"))
    refused = at_kraken(tmp_path, lambda *_: scene.venue)["keys"]
    assert "refused by Kraken" in refused.detail and "--paper" not in refused.way_out
    assert (
        "KRAKEN_API_KEY and KRAKEN_API_SECRET not set" in at_kraken(tmp_path, lambda *_: scene.venue, {})["keys"].detail
    )


def test_a_venue_that_cannot_be_opened_is_a_line_and_no_end(tmp_path):
    def opened(*_):
        raise Refusal("Kraken has no paper accounts")

    found = at_kraken(tmp_path, opened)
    assert (found["keys"].ok, found["keys"].detail) == (False, "Kraken has no paper accounts")
