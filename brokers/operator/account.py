"""The account an operator looks at: who it is by the venue, where its journal is, and both read at one moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from brokers.desk.reconcile.dust import separate_dust
from brokers.desk.reconcile.inflight_orders import FIRST_LOOK_BACK, OVERLAP
from brokers.desk.reconcile.position_book import PositionBook, replay
from brokers.desk.venue_snapshot import NOTHING, VenueSnapshot, grouped
from brokers.journal.snapshot import JournalSnapshot, read_snapshot
from brokers.operator.unbooked_fills import unbooked_shares
from brokers.ports import Venue
from brokers.venue_errors import (
    AccountUnreadable,
    ClockInDoubt,
    KeysRefused,
    LockedOut,
    RateLimited,
    VenueError,
    told_silence,
)
from brokers.venue_values import VenueAccount, VenueTime
from config import Settings
from config.errors import Refusal
from monitoring.state import JOURNAL_FILE

LOOK_S = 30.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """The venue's view and the journal's; ``own`` is what the journal's fills add up to."""

    view: VenueSnapshot
    journal: JournalSnapshot
    own: PositionBook


def journal_of(settings: Settings) -> str | Path:
    """Where the journal is: ``DATABASE_URL`` where that is set, else a file in the state folder."""
    url = settings.secrets.DATABASE_URL
    return Path(settings.live.state_dir) / JOURNAL_FILE if url is None else url.get_secret_value()


def sign_in(venue: Venue, paper: bool) -> str:
    """The venue's name of the account, which may be one that is not allowed to trade.

    Raises
    ------
    Refusal
        The venue does not take the keys, or does not answer.
    """
    try:
        with venue.budget(LOOK_S):
            venue.venue_clock()
            account, _ = account_of(venue)
    except KeysRefused as error:
        kind = "paper" if paper else "live"
        raise Refusal(
            f"the venue does not take {' and '.join(venue.key_names)} ({error.message}); set the keys of the "
            f"{kind} account"
        ) from None
    except VenueError as error:
        raise silent(venue, error) from None
    if not account.id:
        raise Refusal(f"{venue.address}: its account has no id; this is no {venue.name} server")
    return account.id


def silent(venue: Venue, error: VenueError) -> Refusal:
    """What is said of a venue that doesn't answer, or that there was no room to ask."""
    if isinstance(error, LockedOut):
        return Refusal(f"{venue.address}: {error}; try again then")
    if isinstance(error, RateLimited):
        return Refusal(
            f"{venue.address}: the rate limit of the account is spent by the trader or by other commands ({error}); "
            f"try again {soonest(error)}; risk-first status shows what a trader saw last, and asks nobody"
        )
    return Refusal(f"{venue.address}: {unanswered(error)}; try again when it does")


def soonest(error: VenueError) -> str:
    """When a question that came to nothing may be asked again, in words; what a trader asks meanwhile goes first."""
    if isinstance(error, RateLimited) and error.wait_s is not None:
        return f"in {math.ceil(error.wait_s)} s at the earliest, as the trader goes first"
    return "later"


def unanswered(error: VenueError) -> str:
    """Why there is no answer, in words; a clock that runs otherwise than expected is one."""
    if isinstance(error, ClockInDoubt):
        return f"its clock runs otherwise than pace.speed says; set the trader's, --set pace.speed=N ({error})"
    return told_silence(error)


def account_of(venue: Venue) -> tuple[VenueAccount, str]:
    """The account, and why its equity cannot be read, in words: what is held there can be shown all the same."""
    try:
        return venue.account(), ""
    except AccountUnreadable as error:
        if error.account is None:
            raise
        return error.account, str(error)


def look(venue: Venue, settings: Settings) -> Outlook:
    """Read the journal and then the venue; nothing is written and nothing sent.

    Raises
    ------
    Refusal
        One of them cannot be read, or they are of different accounts.
    """
    address = journal_of(settings)
    journal = read_snapshot(address)
    own = own_book(journal, settings)
    try:
        with venue.budget(LOOK_S):
            view = _view(venue, journal, own, lambda: names_of(read_snapshot(address)))
    except VenueError as error:
        raise silent(venue, error) from None
    require_account(journal, view.account.id, settings)
    unbooked = unbooked_shares(view, journal)

    def booked(symbol: str) -> Decimal:
        return own.total(symbol) + unbooked.get(symbol, NOTHING)

    separate_dust(view, booked, venue.rules, settings.live.adopt, lambda symbol: own.manual.get(symbol, NOTHING))
    return Outlook(view, journal, own)


def require_account(journal: JournalSnapshot, name: str, settings: Settings) -> None:
    """Refuse a journal of another account."""
    if journal.account_id != name:
        raise Refusal(
            f"{settings.live.state_dir}: its journal is of account {journal.account_id!r}, the keys are of {name!r}; "
            "name the account's own state folder with --state-dir"
        )


def own_book(journal: JournalSnapshot, settings: Settings) -> PositionBook:
    """What the journal's fills add up to."""
    return replay(journal.filled, lambda order: None, settings.live.adopt, splits=journal.splits)


def _clock_of(venue: Venue) -> VenueTime:
    """The venue's clock. Where it runs faster than ours follows it, the second reading agrees with the first."""
    try:
        return venue.venue_clock()
    except ClockInDoubt:
        return venue.venue_clock()


def names_of(journal: JournalSnapshot) -> list[str]:
    """Names of the orders that the journal knows."""
    return [order.client_order_id for order in journal.orders]


def _view(
    venue: Venue, journal: JournalSnapshot, own: PositionBook, news: Callable[[], Iterable[str]]
) -> VenueSnapshot:
    now = _clock_of(venue).now
    since = min([order.decision_time for order in journal.open] + [now - FIRST_LOOK_BACK]) - OVERLAP
    venue.expect(names_of(journal), news, own.ours)
    # Orders before positions, as the desk reads them.
    recent, opened = venue.orders_since(since), venue.open_orders()
    positions = venue.positions()
    account, unreadable = account_of(venue)
    orders, dust = grouped([*recent.orders, *opened.orders]), venue.dust().by_symbol
    return VenueSnapshot(now, account, positions.by_symbol, orders, account_unreadable=unreadable, dust=dust)
