"""The emergency cleanup from the first step to the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from brokers.alpaca.client import VenueClient
from brokers.alpaca.errors import VenueError
from brokers.alpaca.listing_validation import position_of
from brokers.alpaca.listings import flat
from brokers.alpaca.payloads import amount, digits
from brokers.desk.execution.protection_status import protection_status
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.position_book import NEW_YORK
from brokers.desk.session import client_for
from brokers.desk.venue_state import Floor
from brokers.journal import IllegalTransition, Journal, JournalConflict
from brokers.journal.address import parse_address
from brokers.journal.snapshot import read_snapshot
from brokers.operator.account import journal_of, require_account, sign_in
from brokers.operator.cleanup import Cleanup, Pace, floor_of
from brokers.operator.local_state import LocalState, budget_keeper, purge, unknown_symbols
from config import Settings

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
    client = client_for(settings, paper)
    account_id = sign_in(client, paper)
    pace = pace or Pace()
    if dry_run:
        return _settled(say, lambda: _dry(client, settings, account_id, Cleanup(client, say, None, pace)))
    answer_s = settings.live.journal_answer_s
    with Journal(journal_of(settings), account_id, client.clock.now, answer_s) as journal:
        floor = floor_of(client, journal, settings)
        cleanup = Cleanup(client, say, floor, pace)
        return _settled(say, lambda: _really(cleanup, floor, settings, account_id))


def _settled(say: Callable[[str], None], work: Callable[[], bool]) -> bool:
    try:
        return work()
    except VenueError as error:
        say(f"stopped: the venue does not answer ({error}); run this again")
    except (IllegalTransition, JournalConflict) as error:
        say(f"stopped: the venue contradicts the journal ({error}); scripts/reconcile_alpaca.py shows where")
    return False


def _dry(client: VenueClient, settings: Settings, account_id: str, cleanup: Cleanup) -> bool:
    cleanup.cancel_all()
    cleanup.sell_dust(client.venue_clock().is_open)
    path = parse_address(journal_of(settings)).path
    if path is not None and not path.exists():
        return True
    journal = read_snapshot(journal_of(settings))
    require_account(journal, account_id, settings)
    state = LocalState.of_snapshot(journal, settings)
    for symbol in unknown_symbols(client, state, _at_venue(client)):
        cleanup.say(f"would purge {_local(state, symbol)}")
    return True


def _really(cleanup: Cleanup, floor: Floor, settings: Settings, account_id: str) -> bool:
    client, say = cleanup.client, cleanup.say
    today = floor.now.astimezone(NEW_YORK).date()
    budget, doubt = budget_keeper(Path(settings.live.state_dir), account_id, floor, today)
    if doubt:
        say(f"the weekly budget is left as it is: {doubt}")
    empty, settled = cleanup.cancel_all(), True
    try:
        floor.look()
        for wrong in floor.books.contradictions.values():
            raise JournalConflict(f"{wrong.symbol}: {wrong.what}")
        settled = cleanup.sell_dust(client.venue_clock().is_open)
        state = LocalState.of_floor(floor)
        for symbol in unknown_symbols(client, state, _at_venue(client)):
            say(f"purge {_local(state, symbol)}")
            purge(floor, state, symbol, REASON)
        _tell_unprotected(client, say)
    finally:
        # Fills that were booked here are spent budget; a trader refuses to start where the two disagree.
        if budget is not None:
            settled &= _kept(budget, floor, say)
    return empty and settled


def _kept(budget: BudgetKeeper, floor: Floor, say: Callable[[str], None]) -> bool:
    try:
        budget.keep(floor.own.ledger.budget)
    except OSError as error:
        say(f"{budget.path}: cannot be written ({error.strerror}); make it writable and run this again")
        return False
    return True


def _at_venue(client: VenueClient) -> set[str]:
    return {str(raw["symbol"]) for raw in (*client.positions(), *client.open_orders()) if raw.get("symbol")}


def _local(state: LocalState, symbol: str) -> str:
    held, orders = state.own.total(symbol), len(state.orders(symbol))
    return f"{symbol}, unknown to the venue; in the journal: {digits(held)} shares, open orders: {orders}"


def _tell_unprotected(client: VenueClient, say: Callable[[str], None]) -> None:
    orders = flat(client.open_orders()).values()
    for raw in filter(None, map(position_of, client.positions())):
        symbol, held = str(raw["symbol"]), abs(amount(raw, "qty"))
        signed = -held if raw.get("side") == "short" else held
        bare = held - protection_status(orders, symbol, signed).protected
        if bare > 0:
            say(f"WITHOUT A STOP: {digits(bare)} of {digits(held)} {symbol}; a trader puts its own back at its start")
