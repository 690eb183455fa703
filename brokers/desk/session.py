"""Opens a trading session: keys, journal and budget have to be in order, each is refused in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from brokers.admission import Admission
from brokers.desk.entry_halts import KillSwitch
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.position_book import NEW_YORK
from brokers.journal import Journal
from brokers.ports import Venue
from brokers.venue_errors import KeysRefused, VenueError
from brokers.venues import open_venue
from config import Settings
from config.errors import Refusal

JOURNAL_FILE = "journal.sqlite3"
START_S = 15.0


@dataclass(slots=True)
class TradingSession:
    """An account that is ready to be traded.

    ``clock_skew`` is how far this machine's clock is off the venue's; ``mode`` and ``profile`` are for the journal.
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

    def close(self) -> None:
        self.journal.close()


def open_session(settings: Settings, paper: bool, mode: str = "paper", profile: str = "") -> TradingSession:
    """Open everything that trading needs.

    Raises
    ------
    Refusal
        In one sentence what is not in order; nothing was sent.
    """
    admission = Admission()
    venue = open_venue(settings, paper, admission)
    account_id, skew = _account(venue, paper)
    folder = Path(settings.live.state_dir)
    kill = KillSwitch(folder)
    url = settings.secrets.DATABASE_URL
    address = folder / JOURNAL_FILE if url is None else url.get_secret_value()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"live.state_dir {folder}: cannot be made ({error.strerror}); name another") from None
    journal = Journal(address, account_id, venue.clock.now, settings.live.journal_answer_s)
    try:
        today = venue.clock.now().astimezone(NEW_YORK).date()
        budget = BudgetKeeper.open(folder, account_id, today)
        budget.compare(journal.filled_orders(), today)
    except BaseException:
        journal.close()
        raise
    return TradingSession(venue, admission, journal, budget, kill, account_id, paper, skew, mode, profile)


def _account(venue: Venue, paper: bool) -> tuple[str, timedelta]:
    """The account's name by the venue, and how far this machine's clock is off."""
    kind = "paper" if paper else "live"
    try:
        with venue.budget(START_S):
            before = venue.clock.now()
            told = venue.venue_clock()
            account = venue.account()
    except KeysRefused as error:
        raise Refusal(
            f"the venue does not take {' and '.join(venue.key_names)} ({error.message}); set the keys of the "
            f"{kind} account, a new pair if they have expired"
        ) from None
    except VenueError as error:
        raise Refusal(f"{venue.address}: the venue does not answer ({error}); try again when it does") from None
    if account.blocked:
        raise Refusal(
            f"the venue does not let this account trade ({account.blocked}); settle that with {venue.name} first"
        )
    if not account.id:
        raise Refusal(f"{venue.address}: its account has no id; this is no {venue.name} server")
    return account.id, told.now - before
