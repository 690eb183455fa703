"""Opens a trading session: keys, journal and budget have to be in order, each is refused in a sentence."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import chain, repeat
from pathlib import Path

from brokers.desk.entry_halts import KillSwitch
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.journal import Journal
from brokers.network.admission import Admission
from brokers.ports import Venue
from brokers.venue_errors import AccountUnreadable, KeysRefused, VenueError, VenueUnavailable, told_silence
from brokers.venue_values import VenueAccount
from brokers.venues import open_venue
from config import Settings
from config.errors import NoAnswer, Refusal
from config.process.memory import give_back_large_blocks
from config.process.private_files import open_to_others, private_folder
from config.values.markets import NEW_YORK_ZONE
from market.trading_day import day_of
from monitoring.state import JOURNAL_FILE as JOURNAL_FILE

START_S = 15.0
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Before a venue that does not answer at the start is asked again; the last one is repeated."""
UNREADABLE_S = 20.0
"""An account whose equity cannot be read for so long is taken without it: what it holds has to be looked after."""
LARGEST_SKEW_S = 5.0
"""A clock of this machine that is farther off than this is logged."""
ANOTHER_DAY = timedelta(days=1)
"""A clock of the venue that is farther off than this plays another day's bars."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class TradingSession:
    """An account that is ready to be traded.

    ``clock_skew`` is how far this machine's clock is off the venue's; ``mode`` and ``profile`` are for the journal;
    ``equity_at_start`` is USD, None where it cannot be read.
    """

    venue: Venue
    admission: Admission
    journal: Journal
    budget: BudgetKeeper
    kill: KillSwitch
    account_id: str
    paper: bool
    clock_skew: timedelta
    mode: str
    profile: str
    equity_at_start: Decimal | None
    before_close: list[Callable[[], None]] = field(default_factory=list)
    """Called once, before the journal is closed."""

    def close(self) -> None:
        while self.before_close:
            self.before_close.pop()()
        self.journal.close()


def open_session(settings: Settings, paper: bool, mode: str = "paper", profile: str = "") -> TradingSession:
    """Open everything that trading needs.

    Raises
    ------
    Refusal
        In one sentence what is not in order; nothing was sent.
    """
    give_back_large_blocks()
    admission = Admission()
    venue = open_venue(settings, paper, admission)
    account, skew = account_at_start(venue, paper, settings.live.start_wait_s)
    account_id = account.id
    _tell_of(account, skew, venue)
    folder = Path(settings.live.state_dir)
    kill = KillSwitch(folder)
    url = settings.secrets.DATABASE_URL
    address = folder / JOURNAL_FILE if url is None else url.get_secret_value()
    try:
        private_folder(folder)
    except OSError as error:
        raise Refusal(f"live.state_dir {folder}: cannot be made ({error.strerror}); name another") from None
    if open_to_others(folder):
        log.warning("%s: others on this machine can enter it; keep it to yourself with chmod 700 %s", folder, folder)
    journal = Journal(address, account_id, venue.clock.now, settings.live.journal_answer_s)
    try:
        today = day_of(venue.clock.now())
        budget = BudgetKeeper.open(folder, account_id, today)
        budget.compare(journal.filled_orders(), today)
    except BaseException:
        journal.close()
        raise
    # The account without figures has an equity of 0.
    equity = account.equity or None
    return TradingSession(venue, admission, journal, budget, kill, account_id, paper, skew, mode, profile, equity)


def tell_another_day(session: TradingSession, speed: float) -> None:
    """Say whose clock counts where the venue plays another day; for a log that is stamped with the venue's time.

    A run whose ``speed`` is set expects that. Any other is warned: it may have been meant for an account of today.
    """
    if abs(session.clock_skew) <= ANOTHER_DAY:
        return
    reads = session.venue.clock.now().astimezone(NEW_YORK_ZONE)
    log.log(
        logging.WARNING if speed == 1 else logging.INFO,
        "the exchange plays another day: its clock reads %s New York; sessions, timers and this log go by it%s",
        f"{reads:%a %Y-%m-%d %H:%M}",
        "; if it runs faster than a clock, start with --set pace.speed=N" if speed == 1 else "",
    )


def account_at_start(venue: Venue, paper: bool, wait_s: float) -> tuple[VenueAccount, timedelta]:
    """The account, and how far this machine's clock is off; a venue that does not answer is asked for so long.

    Raises
    ------
    Refusal
        The venue does not take the keys, or is none; NoAnswer where it did not answer.
    """
    kind = "paper" if paper else "live"
    try:
        account, skew = _answer(venue, wait_s)
    except KeysRefused as error:
        raise Refusal(
            f"the venue does not take {' and '.join(venue.key_names)} ({error.message}); set the keys of the "
            f"{kind} account, a new pair if they have expired"
        ) from None
    except VenueError as error:
        raise NoAnswer(
            f"{venue.address}: {told_silence(error)}, asked for {wait_s:.0f} s; try again when it does"
        ) from None
    if not account.id:
        raise Refusal(f"{venue.address}: its account has no id; this is no {venue.name} server")
    return account, skew


def _tell_of(account: VenueAccount, skew: timedelta, venue: Venue) -> None:
    """Log what is not as it should be with the account or the clock, and lets the trader start all the same."""
    if account.blocked:
        # What is held there has to keep its stops all the same.
        log.error(
            "the venue lets this account open nothing: %s; settle that with %s, stops go on",
            account.blocked,
            venue.name,
        )
    if LARGEST_SKEW_S < (off := abs(skew.total_seconds())) <= ANOTHER_DAY.total_seconds():
        side = "behind" if skew > timedelta(0) else "ahead of"
        log.warning("this machine's clock is %.0f s %s the venue's, whose time counts; set it right", off, side)


def _answer(venue: Venue, wait_s: float) -> tuple[VenueAccount, timedelta]:
    """The account, and how far the venue's clock is ahead of this machine's; asked again where there is no answer.

    Raises
    ------
    VenueError
        The venue refused, or gave no answer in all that time.
    """
    began = time.monotonic()
    for pause in chain(PAUSES_S, repeat(PAUSES_S[-1])):
        try:
            with venue.budget(START_S):
                before = venue.clock.now()
                reading = venue.venue_clock()
                return venue.account(), reading.now - before
        except VenueUnavailable as error:
            spent = time.monotonic() + pause - began
            if isinstance(error, AccountUnreadable) and error.account is not None and spent > UNREADABLE_S:
                log.error("%s; nothing is entered before it can, and what is held is looked after", error)
                return error.account, reading.now - before
            if spent > wait_s:
                raise
            log.warning("%s, it is asked again in %.0f s", told_silence(error), pause)
        time.sleep(pause)
    raise AssertionError
