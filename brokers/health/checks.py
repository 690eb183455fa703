"""What has to be in order before a trader is started, one check after the other; nothing is changed or sent."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from brokers.desk.entry_halts import KillLevel, KillSwitch
from brokers.journal.database.store import NoJournalYet
from brokers.journal.snapshot import read_snapshot
from brokers.notifications.targets import VARIABLE, channels
from brokers.operator.account import journal_of
from brokers.ports import Venue
from brokers.venue_errors import KeysRefused, VenueError, VenueRefusal, told_silence
from brokers.venue_values import VenueTime
from brokers.venues import open_venue
from config import Settings
from config.errors import Refusal
from config.operating import Operating
from config.process.private_files import open_to_others
from config.values.addresses import on_loopback
from config.values.secrets import ALPACA_VARIABLES, KRAKEN_VARIABLES
from config.version import required
from monitoring.state import JOURNAL_FILE

PYTHONS = ((3, 11), (3, 13))
DATA_DAYS = 7
COIN, PAIR = "/", "BTC/USD"
"""In the name of a pair of coins, and the pair that is asked for where the settings name a share."""
ASK_S = 10.0
ANOTHER_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``way_out`` is empty where it is ``ok``."""

    check: str
    ok: bool
    detail: str
    way_out: str = ""


class Doctor:
    """Makes the checks.

    Parameters
    ----------
    settings : Settings
    levels : Operating
    paper : bool
        Which account the keys are for.
    open_account : callable, optional
        Makes the venue of some settings.
    """

    def __init__(
        self,
        settings: Settings,
        levels: Operating,
        paper: bool,
        open_account: Callable[[Settings, bool], Venue] = open_venue,
    ) -> None:
        self._settings, self._levels, self._paper, self._open_account = settings, levels, paper, open_account
        self._folder = Path(settings.live.state_dir)
        self._kraken = settings.broker.venue == "kraken"

    def checks(self) -> Iterator[Check]:
        """Every check, in the order in which one would mend what they find."""
        steps = (
            self._versions,
            self._state_folder,
            self._disk,
            self._journal,
            self._kill_switch,
            self._notifications,
        )
        for step in steps:
            yield step()
        yield from self._venue()

    def _versions(self) -> Check:
        found = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
            return Check("versions", False, found, "use Python 3.11, 3.12 or 3.13")
        wanted = required("lumibot")
        try:
            there = version("lumibot")
        except PackageNotFoundError:
            return Check("versions", False, f"{found}; Lumibot is not installed", "install requirements-slim.lock")
        if wanted and there != wanted:
            return Check(
                "versions", False, f"{found}, Lumibot {there}", f"install Lumibot {wanted}: requirements-slim.lock"
            )
        return Check("versions", True, f"{found}, Lumibot {there}")

    def _state_folder(self) -> Check:
        folder = self._folder
        if not folder.exists():
            return Check("state folder", True, f"{folder} is not there, the first start makes it")
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return Check("state folder", False, f"{folder} cannot be written", f"make {folder} a folder of your own")
        if open_to_others(folder):
            return Check("state folder", False, f"{folder} can be entered by others", f"chmod 700 {folder}")
        return Check("state folder", True, f"{folder}, for its owner alone")

    def _disk(self) -> Check:
        place = self._folder.resolve()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free / 1e9
        least = self._levels.doctor.min_disk_gb
        if free < least:
            return Check("disk", False, f"{free:.2f} GB are free at {place}", f"make room, {least:g} GB at least")
        return Check("disk", True, f"{free:.1f} GB are free at {place}")

    def _journal(self) -> Check:
        address = journal_of(self._settings)
        if isinstance(address, Path) and not address.exists():
            return Check("journal", True, f"{address} is not there, the first start makes it")
        began = time.monotonic()
        try:
            found = read_snapshot(address)
        except NoJournalYet:
            return Check("journal", True, "the database is empty, the first start makes the journal in it")
        except Refusal as refusal:
            return Check("journal", False, str(refusal), "do what the sentence says; docs/journal.md tells of copies")
        took = time.monotonic() - began
        holder = _holder(self._folder)
        return Check(
            "journal",
            True,
            f"whole, {len(found.filled)} filled orders, {len(found.open)} open ones, read in {took:.1f} s{holder}",
        )

    def _kill_switch(self) -> Check:
        level = KillSwitch(self._folder).level
        if level is KillLevel.OFF:
            return Check("kill switch", True, "off")
        return Check(
            "kill switch", False, f"{level}: nothing is entered", "risk-first kill off, if it has done its work"
        )

    def _notifications(self) -> Check:
        urls = self._settings.secrets.NOTIFY_URLS
        if urls is None:
            return Check("notifications", True, f"nobody is told; {VARIABLE} names where to")
        try:
            found = channels(urls.get_secret_value(), self._levels.notifications)
        except Refusal as refusal:
            return Check("notifications", False, str(refusal), f"correct {VARIABLE}")
        names = ", ".join(channel.name for channel in found)
        return Check("notifications", True, f"{names}; risk-first notify --test tries them")

    def _venue(self) -> Iterator[Check]:
        missing = self._settings.secrets.missing(KRAKEN_VARIABLES if self._kraken else ALPACA_VARIABLES)
        if missing:
            yield Check("keys", False, f"{' and '.join(missing)} not set", "set them, or use --dotenv")
            return
        try:
            venue = self._open_account(self._settings, self._paper)
        except Refusal as refusal:
            yield Check("keys", False, str(refusal), "do what the sentence says")
            return
        kind = "paper" if self._paper else "live"
        began = time.monotonic()
        try:
            with venue.budget(ASK_S):
                account = venue.account()
        except KeysRefused as error:
            other = "" if self._kraken else f"; {'--live' if self._paper else '--paper'} asks the other account"
            yield Check(
                "keys",
                False,
                f"refused by {venue.name} ({error.message})",
                f"set the pair of the {kind} account, a new one if it has expired{other}",
            )
            return
        except VenueError as error:
            yield Check("keys", False, told_silence(error, venue.address), "look at the network")
            return
        took = time.monotonic() - began
        slow = took > self._levels.doctor.max_answer_s
        yield Check(
            "keys",
            not slow,
            f"taken by {venue.name}, {kind}, answered in {took:.2f} s",
            "a slow connection costs fills: look at the network" if slow else "",
        )
        if account.blocked:
            yield Check("account", False, f"may open nothing: {account.blocked}", f"settle it with {venue.name}")
        else:
            yield Check("account", True, f"equity {account.equity:,.2f} USD, cash {account.cash:,.2f} USD")
        clock = self._clock(venue)
        yield clock[0]
        if clock[1] is not None:
            yield self._data(venue, clock[1])

    def _clock(self, venue: Venue) -> tuple[Check, VenueTime | None]:
        before = datetime.now(UTC)
        try:
            with venue.budget(ASK_S):
                told = venue.venue_clock()
        except VenueError as error:
            return Check("clock", False, f"the venue's cannot be read ({error})", "try again"), None
        after = datetime.now(UTC)
        # The venue read its clock at some moment between the two.
        off = (told.now - (before + (after - before) / 2)).total_seconds()
        off = max(abs(off) - (after - before).total_seconds() / 2, 0.0)
        if off > ANOTHER_DAY_S and on_loopback(venue.address):
            return Check("clock", True, f"the venue on this machine plays {_utc(told.now)}, which counts"), told
        if off > self._levels.doctor.max_skew_s:
            detail = f"this machine's is {off:.1f} s off the venue's {_utc(told.now)}"
            return Check("clock", False, detail, "let NTP set this machine's clock (timedatectl)"), told
        return Check("clock", True, f"within {off:.1f} s of the venue's; the market is {_open(told)}"), told

    def _data(self, venue: Venue, clock: VenueTime) -> Check:
        universe, feed = self._settings.universe, f"feed {self._settings.broker.alpaca.feed}"
        benchmark = universe.benchmark
        # A venue that plays a file may lack the benchmark: what is traded is what counts.
        asked = list(dict.fromkeys([benchmark, *universe.symbols[:1]]))
        refused = "set broker.alpaca.feed to iex, or subscribe to the plan that has it"
        if self._kraken:
            asked, feed = [benchmark if COIN in benchmark else PAIR], f"{venue.name}'s data"
            refused = "look at what the key may ask"
        try:
            with venue.budget(ASK_S):
                for symbol in asked:
                    quote = venue.quotes([symbol]).get(symbol)
                    bars = venue.bars([symbol], self._settings.pace.bars, clock.now - timedelta(days=DATA_DAYS))
                    if not bars.empty:
                        break
        except VenueRefusal as refusal:
            return Check("data", False, f"{feed}: refused, {refusal.message}", refused)
        except VenueError as error:
            return Check("data", False, f"{feed}: no answer ({error})", "look at the venue's status page")
        if bars.empty:
            return Check("data", False, f"{feed}: no bars of {' or '.join(asked)}", "set universe to what it has")
        if quote is None or quote.time is None:
            return Check("data", not clock.is_open, f"{feed}: no quote of {symbol}", "wait for the opening")
        delay, most = max((clock.now - quote.time).total_seconds(), 0.0), self._levels.doctor.max_delay_s
        if clock.is_open and delay > most:
            detail = f"{feed}: the newest quote of {symbol} is {delay:.0f} s old"
            return Check("data", False, detail, "a delayed plan cannot be traded on: subscribe, or use feed iex")
        detail = f"{feed}: bars of {symbol}, quote {delay:.0f} s old, market {_open(clock)}"
        if symbol != asked[0]:
            detail += f"; none of {benchmark}, so that nothing is compared with it (universe.benchmark)"
        return Check("data", True, detail)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _open(clock: VenueTime) -> str:
    return "open" if clock.is_open else f"closed until {_utc(clock.next_open)}"


def _holder(folder: Path) -> str:
    from brokers.health.process import trader_of

    try:
        return f"; process {trader_of(folder, f'{JOURNAL_FILE}-lock')} wrote it last or writes it now"
    except Refusal:
        return ""
