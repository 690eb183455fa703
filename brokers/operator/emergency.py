"""The emergency cleanup from the first step to the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from brokers.desk.core import DeskCore
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.protection_status import protection_status
from brokers.desk.venue_snapshot import grouped
from brokers.journal import IllegalTransition, Journal, JournalConflict
from brokers.journal.database.address import parse_address
from brokers.journal.snapshot import read_snapshot
from brokers.network.admission import Admission
from brokers.operator.account import journal_of, names_of, own_book, require_account, sign_in, soonest, unanswered
from brokers.operator.cleanup import Cleanup, Pace, core_of
from brokers.operator.local_state import LocalState, budget_keeper, purge, unknown_symbols
from brokers.ports import Venue
from brokers.quantities import digits
from brokers.venue_errors import VenueError
from brokers.venues import open_venue
from config import Settings
from market.trading_day import day_of

REASON = "purged by the cleanup: the venue does not know this symbol"


def clean_up(
    settings: Settings, paper: bool, dry_run: bool, say: Callable[[str], None], pace: Pace | None = None
) -> bool:
    """Cancel all orders, sell dust, purge unknown symbols; whether everything was settled.

    Parameters
    ----------
    settings : Settings
    paper : bool
    dry_run : bool
        Say what would be done and change nothing, here or at the venue; then a trader may be running.
    say : callable
        Is told each action before it happens.
    pace : Pace, optional

    Raises
    ------
    Refusal
        Before anything was done: no keys, no venue, a journal in use or damaged.
    """
    admission = Admission()
    venue = open_venue(settings, paper, None if dry_run else admission)
    account_id = sign_in(venue, paper)
    pace = pace or Pace()
    if dry_run:
        return _settled(say, lambda: _dry(venue, settings, account_id, Cleanup(venue, say, None, pace)))
    answer_s = settings.live.journal_answer_s
    with Journal(journal_of(settings), account_id, venue.clock.now, answer_s) as journal:
        core = core_of(venue, journal, settings, admission)
        cleanup = Cleanup(venue, say, core, pace)
        return _settled(say, lambda: _really(cleanup, core, settings, account_id))


def _settled(say: Callable[[str], None], work: Callable[[], bool]) -> bool:
    try:
        return work()
    except VenueError as error:
        say(f"stopped: {unanswered(error)}; run this again {soonest(error)}")
    except (IllegalTransition, JournalConflict) as error:
        say(f"stopped: the venue contradicts the journal ({error}); risk-first reconcile shows where")
    return False


def _dry(venue: Venue, settings: Settings, account_id: str, cleanup: Cleanup) -> bool:
    path = parse_address(journal_of(settings)).path
    journal = None if path is not None and not path.exists() else read_snapshot(journal_of(settings))
    if journal is not None:
        require_account(journal, account_id, settings)
        ours = own_book(journal, settings).ours
        venue.expect(names_of(journal), lambda: names_of(read_snapshot(journal_of(settings))), ours)
    cleanup.cancel_all()
    cleanup.sell_dust(venue.venue_clock().is_open)
    if journal is None:
        return True
    if doubt := budget_keeper(Path(settings.live.state_dir), account_id, journal.filled, day_of(venue.clock.now()))[1]:
        cleanup.say(_left(doubt))
    state = LocalState.of_snapshot(journal, settings)
    for symbol in unknown_symbols(venue, state, _at_venue(venue)):
        cleanup.say(f"would purge {_local(state, symbol)}")
    return True


def _really(cleanup: Cleanup, core: DeskCore, settings: Settings, account_id: str) -> bool:
    venue, say = cleanup.venue, cleanup.say
    today = day_of(core.state.now)
    budget, doubt = budget_keeper(Path(settings.live.state_dir), account_id, core.journal.filled_orders(), today)
    if doubt:
        say(_left(doubt))
    venue.expect([order.client_order_id for order in core.journal.open_orders()], held=core.positions.book.ours)
    empty, settled = cleanup.cancel_all(), True
    try:
        core.observer.look()
        for wrong in core.sync.contradictions.values():
            raise JournalConflict(f"{wrong.symbol}: {wrong.what}")
        settled = cleanup.sell_dust(venue.venue_clock().is_open)
        state = LocalState.of_core(core)
        for symbol in unknown_symbols(venue, state, _at_venue(venue)):
            say(f"purge {_local(state, symbol)}")
            purge(core, state, symbol, REASON)
        _tell_unprotected(venue, say)
    finally:
        core.positions.refresh()
        # What others booked and left closed positions too; a trader that never starts again would not write that down.
        core.positions.trades.settle()
        # Fills that were booked here are spent budget; a trader refuses to start where the two disagree.
        if budget is not None:
            settled &= _kept(budget, core, say)
    return empty and settled


def _left(doubt: str) -> str:
    return f"the weekly budget is left as it is: {doubt}"


def _kept(budget: BudgetKeeper, core: DeskCore, say: Callable[[str], None]) -> bool:
    try:
        budget.keep(core.positions.book.ledger.budget)
    except OSError as error:
        say(f"{budget.path}: cannot be written ({error.strerror}); make it writable and run this again")
        return False
    return True


def _at_venue(venue: Venue) -> set[str]:
    listing = venue.open_orders()
    ordered = {order.symbol for order in listing.orders} | {row.symbol for row in listing.unread if row.symbol}
    return ordered | set(venue.positions().by_symbol) | set(venue.dust().by_symbol)


def _local(state: LocalState, symbol: str) -> str:
    held, orders = state.own.total(symbol), len(state.orders(symbol))
    return f"{symbol}, unknown to the venue; in the journal: {digits(held)} shares, open orders: {orders}"


def _tell_unprotected(venue: Venue, say: Callable[[str], None]) -> None:
    orders = grouped(venue.open_orders().orders).values()
    for position in venue.positions().by_symbol.values():
        symbol, held = position.symbol, abs(position.quantity)
        unprotected = held - protection_status(orders, symbol, position.quantity).protected
        if unprotected > 0:
            count = f"{digits(unprotected)} of {digits(held)} {symbol}"
            say(f"WITHOUT A STOP: {count}; a trader puts its own back at its start")
