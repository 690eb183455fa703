"""From the desk to the state file: what is held, what halts, and how much of each limit is used.

The state of a backtest's end is put together of the same parts, by `backtests/end_state.py`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from brokers.desk.reconcile.protection_status import ProtectionStatus, protection_status
from market.sectors import UNCLASSIFIED
from monitoring.state import (
    ConditionState,
    DifferenceState,
    HaltState,
    LimitState,
    PendingState,
    PositionState,
    RemainderState,
    StopState,
    TraderState,
)
from risk.limit_usage import Limit
from risk.model import MANUAL, Book, Position, Proposal

if TYPE_CHECKING:
    from brokers.desk.desk import LiveDesk
    from brokers.desk.lifecycle.wiring import LiveAccount
    from brokers.desk.venue_snapshot import VenueSnapshot
    from config import Settings

LEFT_OUT = frozenset({"broker"})
"""Sections of the settings that are not written: addresses are nobody's business."""


@dataclass(slots=True)
class Moments:
    """When things last happened, by this machine's clock."""

    started: datetime
    iteration: datetime | None = None
    look: datetime | None = None
    iterations: int = 0
    seen: object = None


def state_of(
    account: LiveAccount,
    settings: Settings,
    book: Book | None,
    limits: Iterable[Limit],
    moments: Moments,
    ended: str = "",
    told: Mapping[str, Any] | None = None,
) -> TraderState:
    """What the state file says now.

    Parameters
    ----------
    account : LiveAccount
    settings : Settings
    book : Book, optional
        Of the last iteration; None before the first.
    limits : iterable of Limit
        Of the last iteration.
    moments : Moments
    ended : str
        How the trader ended; empty while it runs.
    told : mapping, optional
        ``told_settings(settings)``, where it is known already.
    """
    desk = account.desk
    view, sectors = desk.state.view, settings.universe.sectors
    heard = account.monitor.heard
    known, figures = view.account_time is not None or desk.iterations > 0, view.account_time
    held, entry_fees = held_now(desk, book), desk.positions.book.ledger.entry_fees
    exit_fee = float(desk.state.rules.fee_frac) if held else 0.0
    return TraderState(
        written=datetime.now(UTC),
        time=desk.state.now.astimezone(UTC),
        started=moments.started,
        beat_s=settings.monitoring.beat_s,
        pace_s=account.pace_s,
        speed=settings.pace.speed,
        mode=account.session.mode,
        profile=account.session.profile,
        strategy=settings.strategy,
        pid=os.getpid(),
        ended=ended,
        iterations=desk.iterations,
        last_iteration=moments.iteration,
        last_look=moments.look,
        last_tick=None if heard is None else datetime.fromtimestamp(heard, UTC),
        in_session=desk.state.in_session,
        listening=account.monitor.listening,
        streamed=desk.state.venue.tells_orders,
        busy=bool(desk.entries.tasks or desk.closer.working),
        resting=sum(order.open for order in list(view.orders.values())) if known else None,
        unseen=desk.look_watch.why,
        equity=float(view.account.equity) if known else None,
        cash=float(view.account.cash) if known else None,
        account_time=figures if figures is not None and desk.positions.newer_than(figures) else None,
        free_cash=None if book is None else book.free_cash,
        session_open_equity=_opening(desk, book),
        equity_peak=None if book is None else finite(book.equity_peak),
        book_time=None if book is None else book.time,
        positions=tuple(
            position_state(p, stops, _price(view, p.symbol), sectors, _fees(p, entry_fees), exit_fee)
            for p, stops in held
        ),
        remainders=tuple(
            RemainderState(there.symbol, float(there.quantity), float(there.market_value or 0))
            for there in view.remainders
            # Where the venue shows no position, what is left of ours is in it.
            if there.symbol in view.positions or there.symbol not in desk.positions.book.ledger.positions
        ),
        differences=tuple(
            DifferenceState(symbol, float(seen.quantity), seen.since) for symbol, seen in desk.manual.waiting()
        ),
        pending=() if book is None else tuple(pending_state(p, sectors) for p in pending_now(desk, book)),
        halts=() if book is None else tuple(halt_states(book)),
        kill=str(desk.halts.kill.level),
        stopped_by=tuple(_stopped(desk)),
        closing=desk.closer.told(),
        unprotected={symbol: desk.protector.log.seconds(symbol) for symbol in desk.protector.log.present},
        conditions=tuple(ConditionState(str(x.kind), x.subject, x.why, x.since) for x in account.alarm.standing()),
        limits=limit_states(limits),
        last_halts={} if book is None else last_halts(book),
        settings=told_settings(settings) if told is None else told,
        beside_evidence=tuple(settings.beside_evidence),
    )


def _price(view: VenueSnapshot, symbol: str) -> float:
    """The price of what is held, also of what the venue shows as no position, as it is too little for one; else 0."""
    there = view.positions.get(symbol) or view.dust.get(symbol)
    return 0.0 if there is None else float(there.price)


def _opening(desk: LiveDesk, book: Book | None) -> float | None:
    """Equity at the opening of the session, which looks find ahead of its first iteration."""
    if desk.books.opening is not None:
        return float(desk.books.opening[1])
    return None if book is None else finite(book.session_open_equity)


def told_settings(settings: Settings) -> dict[str, Any]:
    """The sections of the settings that are written."""
    return {name: part for name, part in settings.as_dict().items() if name not in LEFT_OUT}


def held_now(desk: LiveDesk, book: Book | None) -> list[tuple[Position, tuple[StopState, ...]]]:
    """What is held by the venue's last look and the stops that work for it; of a symbol ours before what hands hold.

    Levels are those that work, or were last where none does.
    """
    own, before = desk.positions.book, {} if book is None else book.positions
    found = []
    for symbol, position in list(own.ledger.positions.items()):
        ours, last = position, before.get(symbol)
        if last is not None and last.entry_time == ours.entry_time:
            ours = replace(ours, stop=last.stop, target=last.target, initial_stop=last.initial_stop)
        found.append(_protected(ours, desk.positions.last_protection(symbol)))
    for symbol, held in list(own.manual.items()):
        if held:
            position = _manual_position(desk, symbol, float(held), before.get(symbol))
            found.append(_protected(position, _manual(desk, symbol, held)))
    return sorted(found, key=lambda item: (item[0].symbol, item[0].signal == MANUAL))


def _protected(position: Position, status: ProtectionStatus) -> tuple[Position, tuple[StopState, ...]]:
    stops = tuple(StopState(float(stop.stop_price), float(stop.remaining)) for stop in status.stops if stop.stop_price)
    return with_stops(position, stops, float(status.protected)), stops


def with_stops(position: Position, stops: Iterable[StopState], protected: float) -> Position:
    """A position with the working stop nearest to the market, and what of it is protected."""
    nearest = (max if position.quantity > 0 else min)((stop.price for stop in stops), default=position.stop)
    return replace(position, stop=nearest, protected_quantity=min(protected, abs(position.quantity)))


def _manual(desk: LiveDesk, symbol: str, held: Decimal) -> ProtectionStatus:
    """What protects a position made by hand: any order of its symbol, but where we hold it too only those of hands."""
    view = desk.state.view
    ours = symbol in desk.positions.book.ledger.positions
    return protection_status(view.by_hand if ours else list(view.orders.values()), symbol, held)


def pending_now(desk: LiveDesk, book: Book) -> list[Proposal]:
    """Entries on their way at the last iteration that still are, with what the last look shows of them."""
    view, found = desk.state.view, []
    open_orders = [order for order in list(view.orders.values()) if order.open]
    for symbol, proposal in sorted(book.pending.items()):
        side = "buy" if proposal.side == "buy" else "sell"
        waiting = [order for order in open_orders if order.symbol == symbol and order.side == side]
        if waiting:
            found.append(proposal.resized(float(sum(order.remaining for order in waiting))))
        elif (task := desk.entries.tasks.get(symbol)) is not None:
            # What is left of it waits for its time, or its order has not been shown yet.
            found.append(proposal.resized(task.wanted - task.filled))
        elif view.time <= book.time:
            # It was decided, and no look could have shown it yet.
            found.append(proposal)
    return found


def _manual_position(desk: LiveDesk, symbol: str, quantity: float, last: Position | None) -> Position:
    """A position made by hand, with what was paid for it."""
    if last is not None and last.signal == MANUAL:
        return replace(last, quantity=quantity)
    own, nan = desk.positions.book, math.nan
    # Where we hold the symbol too, the venue's average is that of both.
    mixed = symbol in own.ledger.positions
    paid = own.paid.get(symbol) if mixed else desk.state.view.average_price(symbol)
    return Position(symbol, quantity, float(paid or nan), desk.state.now, nan, nan, nan, signal=MANUAL)


def _stopped(desk: LiveDesk) -> Iterable[str]:
    """What keeps entries back now, by what is in memory."""
    halts = desk.halts
    yield from (f"{name}: {why}" for name, why in sorted(dict(halts.passing).items()))
    if gone := halts.venue_gone():
        yield gone
    yield from sorted(reason for reason in halts.told if reason.startswith("halted for this session"))
    if halts.account:
        yield f"the account: {halts.account}"


def _fees(position: Position, entry_fees: Mapping[str, float]) -> float:
    """What the venue charged for a position of ours; of hands' purchases the books keep none."""
    return 0.0 if position.signal == MANUAL else entry_fees.get(position.symbol, 0.0)


def position_state(
    position: Position,
    stops: tuple[StopState, ...],
    price: float,
    sectors: Mapping[str, str],
    fees: float,
    exit_fee_frac: float,
) -> PositionState:
    """A position as the state file has it; a price that is 0 or NaN is not known."""
    return PositionState(
        symbol=position.symbol,
        quantity=position.quantity,
        entry_price=finite(position.entry_price),
        price=finite(price) or None,
        stop=finite(position.stop),
        target=finite(position.target),
        initial_stop=finite(position.initial_stop),
        protected=position.protected_quantity,
        entry_time=position.entry_time,
        sector=sectors.get(position.symbol, UNCLASSIFIED),
        role=position.role,
        signal=position.signal,
        owner=MANUAL if position.signal == MANUAL else "ours",
        fees=fees,
        exit_fee_frac=exit_fee_frac,
        stops=stops,
    )


def pending_state(proposal: Proposal, sectors: Mapping[str, str]) -> PendingState:
    """An entry on its way as the state file has it."""
    return PendingState(
        proposal.symbol,
        proposal.quantity,
        proposal.price,
        proposal.stop,
        proposal.target,
        sectors.get(proposal.symbol, UNCLASSIFIED),
        proposal.role,
    )


def halt_states(book: Book) -> Iterable[HaltState]:
    """The halts in force, with their ends."""
    for name in sorted(book.halted):
        yield HaltState(name, "", book.last_halts.get(name), book.halted_until.get(name))


def limit_states(limits: Iterable[Limit]) -> tuple[LimitState, ...]:
    """Limits as the state file has them."""
    return tuple(LimitState(x.module, x.name, x.used, x.most, x.unit, x.frees, x.halts, x.scope) for x in limits)


def last_halts(book: Book) -> dict[str, str]:
    """When the latest halt of each rule began."""
    return {name: when.isoformat() for name, when in book.last_halts.items()}


def finite(value: float) -> float | None:
    """A figure; None where it is none."""
    return value if math.isfinite(value) else None
