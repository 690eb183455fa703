"""The last seconds of a process: exits stay at the venue, entries are cancelled, no position is left unprotected."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from datetime import datetime

from brokers.desk.desk import LiveDesk
from brokers.quantities import digits
from brokers.reporting.events import EventKind, about
from brokers.reporting.repeated_reasons import RepeatedReasons
from brokers.venue_values import VenueOrder
from config.errors import Refusal
from config.values.counting import unit_of
from config.values.markets import NEW_YORK_ZONE

PAUSE_S, LONGEST_PAUSE_S = 0.1, 0.5
ENDS = "the trader ends"

log = logging.getLogger(__name__)


def shut_down(desk: LiveDesk, within_s: float) -> None:
    """End what is under way, as far as ``within_s`` local seconds allow.

    Exits that rest are left as they are; a close that has not sold yet is called off, so that its stop goes back.
    Entries are cancelled: one that fills in part while nobody looks leaves shares whose exits do not work yet. It takes
    no longer than it has to: one look is made in any case, and others follow while an entry waits or a position has
    more or fewer exits than shares.
    """
    desk.shutting_down = True
    # Whoever waits for the rate limit has the desk's lock, and may wait with a sale that nobody wants any more.
    desk.state.drop_waiting()
    if not desk.submit:
        return
    began = desk.state.now
    failed = _until_protected(desk, time.monotonic() + within_s)
    if failed:
        _tell_no_look(desk, failed, began)
    _tell_what_stays(desk, looked=not failed, began=began)
    # What another thread still tries finds the journal closed.
    desk.halts.ended = True


def _until_protected(desk: LiveDesk, end: float) -> str:
    """Look and work until nothing is left to do; empty, or why no look could be made and booked."""
    looked, failed, pause, reasons = False, "", PAUSE_S, RepeatedReasons()
    while (left := end - time.monotonic()) > 0:
        if not desk.lock.acquire(timeout=left):
            failed = failed or f"one step has taken {desk.lock.held_s:.0f} s, the journal or the venue does not answer"
            break
        try:
            desk.closer.call_off()
            desk.targets.call_off()
            # Where the journal cannot be read the step says so itself, and shows what is at the venue before.
            with contextlib.suppress(Refusal):
                desk.entries.abandon(ENDS)
            # A venue with few requests is looked at once a minute, and the last look knows nothing of what came since.
            desk.tick(end - time.monotonic(), anyway=not looked)
            looked = True
            reasons.over()
            if not _unfinished(desk):
                break
        except Exception as error:
            # Whatever it is, the process has to end in order. The first reason is told: the last one may be that time
            # was up.
            failed = failed or str(error)
            log.log(reasons.level(error, usual=logging.WARNING), "leaving: %s", error)
        finally:
            desk.lock.release()
        time.sleep(pause)
        # Looks take requests from what protects, where they are many.
        pause = min(2 * pause, LONGEST_PAUSE_S)
    return "" if looked else failed or "there was no time for one"


def _unfinished(desk: LiveDesk) -> bool:
    """Whether another step is needed before no entry waits and every position has exits for its shares."""
    protector = desk.protector
    under_way = desk.closer.tasks or desk.targets.ending or desk.entries.waiting
    return bool(under_way or protector.log.protectable or protector.cancelling)


def _tell_no_look(desk: LiveDesk, why: str, began: datetime) -> None:
    """What is known without the desk's lock and the journal, and of when that is."""
    view, present = desk.state.view, desk.protector.log.present
    seen, since = view.time >= began, sorted(present.keys() & view.ended.keys())
    unprotected = [f"{symbol} had {what}" for symbol, what in sorted(present.items()) if symbol not in since]
    log.error(
        "leaving: no %s was possible (%s); at %s %s%s; start again to protect what has no stop",
        "order" if seen else "look",
        why,
        _in_new_york(view.time),
        "; ".join(unprotected) or "every position had its stop",
        f", and since then the stop of {', '.join(since)} has ended" if since else "",
    )


def _tell_what_stays(desk: LiveDesk, looked: bool, began: datetime) -> None:
    """Name everything that waits at the venue, and every share without a stop; by the last look, and without a lock."""
    present = desk.protector.log.present
    for symbol, why in present.items():
        if (ended := desk.state.view.ended.get(symbol)) is not None:
            log.error("%s: %s; start again to protect it", symbol, _left_bare(symbol, why, ended))
        else:
            log.error("%s: left with %s; start again to protect it", symbol, why)
    ours, seen = desk.sync.client_id, desk.state.view.time
    stays = {ours(o.id): o for o in desk.state.view.orders.values() if o.open and o.armed and ours(o.id) is not None}
    try:
        waiting = {order.client_order_id: order.symbol for order in desk.entries.waiting} if looked else {}
    except Refusal as refusal:
        log.error("leaving: whether entries still wait is not known, %s", refusal)
        waiting = {}
    waiting |= {task.order: symbol for symbol, task in desk.entries.tasks.items() if not looked}
    for name, symbol in waiting.items():
        there = stays.pop(name, None)
        terms = "it has no answer yet" if there is None else _terms(there)
        log.warning("%s: an entry waits on at the venue, the next start ends it: %s", symbol, terms)
    behind_orders, own = _by_symbol(stays.values()), desk.positions.book
    for symbol in own.ledger.positions.keys() - behind_orders.keys() - present.keys() - desk.positions.parked:
        shares = f"{digits(abs(own.quantity(symbol)))} {unit_of(symbol)}"
        log.warning("%s: %s stay, and no order that protects them is known", symbol, shares)
    for symbol, resting in behind_orders.items():
        held = own.quantity(symbol)
        what = f"{digits(abs(held))} {unit_of(symbol)} stay" if held else "stays at the venue"
        behind = "; ".join(_terms(order) for order in resting)
        event = about(EventKind.LEAVING, symbol, held=str(held), orders=[o.client_order_id for o in resting])
        then = "" if looked or seen >= began else f"; last known at {_in_new_york(seen)}, not looked at since"
        log.info("%s: %s%s: %s%s", symbol, what, " behind" if held else "", behind, then, extra=event)


def _left_bare(symbol: str, why: str, ended: VenueOrder) -> str:
    """What is left behind by the stop that ended since the last look, as far as a stream or an answer has told."""
    at = "" if ended.changed is None else f" at {ended.changed.astimezone(NEW_YORK_ZONE):%H:%M:%S}"
    return f"left with {why}, its stop was {ended.state}{at}; nothing protects them as far as is known"


def _in_new_york(moment: datetime) -> str:
    """A moment as the log's own lines are stamped."""
    return moment.astimezone(NEW_YORK_ZONE).isoformat(timespec="seconds")


def _by_symbol(orders: Iterable[VenueOrder]) -> dict[str, list[VenueOrder]]:
    """Orders that rest, stops first."""
    found: dict[str, list[VenueOrder]] = {}
    for order in sorted(orders, key=lambda o: (o.symbol, not o.is_stop)):
        found.setdefault(order.symbol, []).append(order)
    return found


def _terms(order: VenueOrder) -> str:
    price = order.stop_price if order.is_stop else order.limit_price
    return f"{order.side} {order.type} of {order.remaining} at {price or 'market'}"
