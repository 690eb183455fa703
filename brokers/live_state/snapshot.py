"""From the desk to the state file: what is held, what halts, and how much of each limit is used."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from brokers.desk.reconcile.protection_status import ProtectionStatus, protection_status
from market.sectors import UNCLASSIFIED
from monitoring.state import ConditionState, HaltState, LimitState, PendingState, PositionState, StopState, TraderState
from risk.limit_usage import Limit
from risk.model import Book, Position, Proposal

if TYPE_CHECKING:
    from brokers.desk.desk import LiveDesk
    from brokers.desk.lifecycle.wiring import LiveAccount
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
    known = view.account_time is not None or desk.iterations > 0
    held, entry_fees = sorted(held_now(desk, book).items()), desk.positions.book.ledger.entry_fees
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
        busy=bool(desk.entries.tasks or desk.closer.tasks),
        equity=float(view.account.equity) if known else None,
        cash=float(view.account.cash) if known else None,
        free_cash=None if book is None else book.free_cash,
        session_open_equity=None if book is None else _known(book.session_open_equity),
        equity_peak=None if book is None else _known(book.equity_peak),
        book_time=None if book is None else book.time,
        positions=tuple(
            _position(p, _stops(desk, symbol), view.price(symbol), sectors, entry_fees.get(symbol, 0.0), exit_fee)
            for symbol, p in held
        ),
        pending=() if book is None else tuple(_pending(p, sectors) for p in pending_now(desk, book)),
        halts=() if book is None else tuple(_halts(book)),
        kill=str(desk.halts.kill.level),
        stopped_by=tuple(_stopped(desk)),
        unprotected={symbol: desk.protector.log.seconds(symbol) for symbol in desk.protector.log.present},
        conditions=tuple(ConditionState(str(x.kind), x.subject, x.why, x.since) for x in account.alarm.standing()),
        limits=tuple(LimitState(x.module, x.name, x.used, x.most, x.unit, x.frees, x.halts, x.scope) for x in limits),
        last_halts={} if book is None else {name: when.isoformat() for name, when in book.last_halts.items()},
        settings=told_settings(settings) if told is None else told,
    )


def told_settings(settings: Settings) -> dict[str, Any]:
    """The sections of the settings that are written."""
    return {name: part for name, part in settings.as_dict().items() if name not in LEFT_OUT}


def held_now(desk: LiveDesk, book: Book | None) -> dict[str, Position]:
    """What is held by the venue's last look, with the levels that work there, or were last where none does."""
    own, before = desk.positions.book, {} if book is None else book.positions
    manual = {symbol: float(held) for symbol, held in list(own.manual.items()) if held}
    found = {}
    for symbol in {*own.ledger.positions, *manual}:
        ours, last = own.ledger.positions.get(symbol), before.get(symbol)
        if ours is None:
            ours = last or _manual_position(
                symbol, manual[symbol], float(desk.state.view.average_price(symbol)), desk.state.now
            )
            ours = replace(ours, quantity=manual[symbol])
        elif last is not None and last.entry_time == ours.entry_time:
            ours = replace(ours, stop=last.stop, target=last.target, initial_stop=last.initial_stop)
        stops, nearest = [stop.price for stop in _stops(desk, symbol)], max if ours.quantity > 0 else min
        covered = min(float(_protection(desk, symbol).protected), abs(ours.quantity))
        found[symbol] = replace(ours, stop=nearest(stops) if stops else ours.stop, protected_quantity=covered)
    return found


def _protection(desk: LiveDesk, symbol: str) -> ProtectionStatus:
    """What protects a position: of ours as the desk counts it, of one made by hand by every order of its symbol."""
    if symbol in desk.positions.book.ledger.positions:
        return desk.positions.last_protection(symbol)
    view = desk.state.view
    return protection_status(list(view.orders.values()), symbol, view.held(symbol))


def _stops(desk: LiveDesk, symbol: str) -> tuple[StopState, ...]:
    stops = _protection(desk, symbol).stops
    return tuple(StopState(float(stop.stop_price), float(stop.remaining)) for stop in stops if stop.stop_price)


def pending_now(desk: LiveDesk, book: Book) -> list[Proposal]:
    """Entries on their way at the last iteration that still are, with what the last look shows of them."""
    view, found = desk.state.view, []
    open_orders = [order for order in list(view.orders.values()) if order.open]
    for symbol, proposal in sorted(book.pending.items()):
        side = "buy" if proposal.side == "buy" else "sell"
        waiting = [order for order in open_orders if order.symbol == symbol and order.side == side]
        if waiting:
            found.append(proposal.resized(float(sum(order.remaining for order in waiting))))
        elif symbol in desk.entries.tasks or view.time <= book.time:
            # It was decided, and no look could have shown it yet.
            found.append(proposal)
    return found


def _manual_position(symbol: str, quantity: float, price: float, now: datetime) -> Position:
    """A position made by hand before the first iteration knew it."""
    nan = math.nan
    return Position(symbol, quantity, price or nan, now, nan, nan, nan, signal="manual")


def _stopped(desk: LiveDesk) -> Iterable[str]:
    """What keeps entries back now, by what is in memory."""
    halts = desk.halts
    yield from (f"{name}: {why}" for name, why in sorted(dict(halts.passing).items()))
    if gone := halts.venue_gone():
        yield gone
    yield from sorted(reason for reason in halts.told if reason.startswith("halted for this session"))
    if halts.account:
        yield f"the account: {halts.account}"


def _position(
    position: Position,
    stops: tuple[StopState, ...],
    price: Any,
    sectors: Mapping[str, str],
    fees: float,
    exit_fee_frac: float,
) -> PositionState:
    return PositionState(
        symbol=position.symbol,
        quantity=position.quantity,
        entry_price=_known(position.entry_price),
        price=float(price) or None,
        stop=_known(position.stop),
        target=_known(position.target),
        initial_stop=_known(position.initial_stop),
        protected=position.protected_quantity,
        entry_time=position.entry_time,
        sector=sectors.get(position.symbol, UNCLASSIFIED),
        role=position.role,
        signal=position.signal,
        owner="manual" if position.signal == "manual" else "ours",
        fees=fees,
        exit_fee_frac=exit_fee_frac,
        stops=stops,
    )


def _pending(proposal: Proposal, sectors: Mapping[str, str]) -> PendingState:
    return PendingState(
        proposal.symbol,
        proposal.quantity,
        proposal.price,
        proposal.stop,
        proposal.target,
        sectors.get(proposal.symbol, UNCLASSIFIED),
        proposal.role,
    )


def _halts(book: Book) -> Iterable[HaltState]:
    for name in sorted(book.halted):
        yield HaltState(name, "", book.last_halts.get(name), book.halted_until.get(name))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
