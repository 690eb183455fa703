"""Each position with its levels: how far stop and target are, what protects it, and what would trigger now."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.desk.reconcile.protection_status import ProtectionStatus, protection_status
from brokers.journal import JournalOrder, State
from brokers.journal.history import in_present_shares
from brokers.journal.marks import NEAREST
from brokers.operator.account import Outlook
from brokers.operator.unbooked_fills import unbooked_shares
from brokers.order_types import OrderRole
from brokers.quantities import digits
from config import Settings
from monitoring.state import PositionState


@dataclass(frozen=True, slots=True)
class PositionReport:
    """One position; prices in USD, NaN for what is not known.

    ``stop_works`` and ``target_works`` tell whether the level is an order at the venue; ``risk`` is the initial
    distance from entry to stop, 1 R; ``triggers`` names the exit whose level the price has reached; ``fees`` are what
    the venue charged for buying what is held, USD. ``sales`` are orders in words that close it, beside no stop.
    ``by_hand`` are the shares that hands hold beside ours, signed, at ``paid_by_hand`` on average: entry, risk and fees
    are those of ours.
    """

    symbol: str
    owner: str
    held: Decimal
    entry: float
    price: float
    stop: float
    target: float
    stop_works: bool
    target_works: bool
    risk: float
    protected: Decimal
    triggers: str
    fees: float = 0.0
    sales: tuple[str, ...] = ()
    by_hand: Decimal = Decimal(0)
    paid_by_hand: float = math.nan

    @property
    def sign(self) -> int:
        return 1 if self.held > 0 else -1

    @property
    def unrealised_r(self) -> float:
        """Profit so far less the fees of the entry, in R; of both that of ours."""
        return self.in_r(self.sign * (self.price - self.entry) - self.fees / abs(float(self.held - self.by_hand)))

    @property
    def profit(self) -> float:
        """USD so far, less the fees of the entry."""
        theirs = float(self.by_hand) * (self.price - self.paid_by_hand) if self.by_hand else 0.0
        return float(self.held - self.by_hand) * (self.price - self.entry) + theirs - self.fees

    @property
    def to_stop(self) -> float:
        """USD that the price may move against the position before its stop; negative beyond it."""
        return self.sign * (self.price - self.stop)

    @property
    def to_target(self) -> float:
        """USD that the price has to move for the position to its target; negative beyond it."""
        return self.sign * (self.target - self.price)

    def in_r(self, usd: float) -> float:
        return usd / self.risk if self.risk > 0 else math.nan

    def in_frac(self, usd: float) -> float:
        return usd / self.price if self.price > 0 else math.nan


def report(outlook: Outlook, settings: Settings) -> list[PositionReport]:
    """Every position of the account, ours and those made by hand."""
    unbooked = unbooked_shares(outlook.view, outlook.journal)
    return [
        _position(symbol, outlook, settings, unbooked.get(symbol, Decimal(0)))
        for symbol in sorted(outlook.view.positions)
    ]


def report_of_states(positions: Iterable[PositionState], targets: Collection[str]) -> list[PositionReport]:
    """Positions of a state, where no broker can be asked; ``targets`` are the symbols whose target is a working order.

    Levels of the state are those that work, or were last where none does.
    """
    return [_of_state(p, target_works=p.symbol in targets) for p in positions]


def _of_state(p: PositionState, *, target_works: bool) -> PositionReport:
    entry, price, stop, target, first = (
        math.nan if value is None else value for value in (p.entry_price, p.price, p.stop, p.target, p.initial_stop)
    )
    return PositionReport(
        symbol=p.symbol,
        owner=p.owner,
        held=Decimal(repr(p.quantity)),
        entry=entry,
        price=price,
        stop=stop,
        target=target,
        stop_works=bool(p.stops),
        target_works=target_works,
        risk=abs(entry - first),
        protected=Decimal(repr(p.protected)),
        triggers=_triggers(p.sign, price, stop, target),
        fees=p.fees,
    )


def _position(symbol: str, outlook: Outlook, settings: Settings, unbooked: Decimal) -> PositionReport:
    there, held = outlook.view.positions[symbol], outlook.view.held(symbol)
    protection = protection_status(outlook.view.orders.values(), symbol, held)
    own = outlook.own.quantity(symbol) + unbooked
    # Where an exit has sold all of ours while no trader booked it, what is held is by hand, at the venue's price.
    ours = outlook.own.ledger.positions.get(symbol) if own else None
    sign = 1 if held > 0 else -1
    price = float(there.price or there.average_price)
    by_hand, paid_by_hand = (Decimal(0), math.nan) if ours is None else _by_hand(outlook, symbol, own, ours.entry_price)
    stop, target = _levels(protection, sign)
    stop_works, target_works = not math.isnan(stop), not math.isnan(target)
    if ours is not None and not stop_works:
        stop = _last_level(outlook, symbol, OrderRole.STOP, ours.stop)
    if ours is not None and not target_works:
        target = _last_level(outlook, symbol, OrderRole.TARGET, ours.target)
    return PositionReport(
        symbol=symbol,
        owner=_owner(own, held, symbol in settings.live.adopt),
        held=held,
        # The venue tells 0 where it knows no price, as of coins that were moved in.
        entry=float(there.average_price) or math.nan if ours is None else ours.entry_price,
        price=price,
        stop=stop,
        target=target,
        stop_works=stop_works,
        target_works=target_works,
        risk=math.nan if ours is None else ours.risk_per_share,
        protected=min(protection.protected, abs(held)),
        triggers=_triggers(sign, price, stop, target),
        fees=0.0 if ours is None else outlook.own.ledger.entry_fees.get(symbol, 0.0),
        sales=_sales(protection),
        by_hand=by_hand,
        paid_by_hand=paid_by_hand,
    )


def _sales(protection: ProtectionStatus) -> tuple[str, ...]:
    """Orders that close a position and whose shares no stop has beside them."""
    stopped = {order.group for order in protection.exits if order.is_stop}
    return tuple(
        f"{order.side} {digits(order.remaining)} at {digits(order.limit_price) if order.limit_price else 'market'}"
        for order in protection.exits
        if not order.is_stop and order.group not in stopped
    )


def _by_hand(outlook: Outlook, symbol: str, ours: Decimal, entry: float) -> tuple[Decimal, float]:
    """Shares that hands hold beside ours and what was paid for one: by the journal, or as far as the venue tells."""
    own, there, held = outlook.own, outlook.view.positions[symbol], outlook.view.held(symbol)
    theirs = held - ours
    if theirs * held <= 0:
        return Decimal(0), math.nan
    if own.manual.get(symbol) == theirs:
        return theirs, float(own.paid[symbol])
    if not there.average_price:
        return theirs, math.nan
    cost = float(there.average_price * held) - entry * float(ours)
    return theirs, cost / float(theirs)


def _levels(protection: ProtectionStatus, sign: int) -> tuple[float, float]:
    """The working stop and target that the price would reach first."""
    stops = [sign * float(order.stop_price) for order in protection.stops if order.stop_price]
    targets = [sign * float(order.limit_price) for order in protection.exits if not order.is_stop and order.limit_price]
    return sign * max(stops, default=math.nan), sign * min(targets, default=math.nan)


def _last_level(outlook: Outlook, symbol: str, role: str, otherwise: float) -> float:
    """Where the journal had the stop or target last, for a position that has none at the venue."""
    since = outlook.own.entries[symbol].journaled_at

    def fits(order: JournalOrder) -> bool:
        mine = order.symbol == symbol and order.role == role and order.journaled_at >= since
        taken = order.state is not State.REJECTED and (order.state is not State.LOST or order.venue_id != "")
        return mine and taken and order.reason != NEAREST and _level(order, role) is not None

    known = [(_level(order, role), order.journaled_at) for order in outlook.journal.orders if fits(order)]
    price, told = known[-1] if known else (None, since)
    return otherwise if price is None else float(in_present_shares(price, symbol, told, outlook.journal.splits))


def _level(order: JournalOrder, role: str) -> Decimal | None:
    return order.stop_price if role == OrderRole.STOP else order.limit_price


def _owner(ours: Decimal, held: Decimal, adopted: bool) -> str:
    if adopted:
        return "by hand, adopted"
    if not ours:
        return "by hand"
    return "ours" if ours == held else f"ours {digits(ours)}, by hand {digits(held - ours)}"


def _triggers(sign: int, price: float, stop: float, target: float) -> str:
    if sign * (price - stop) <= 0:
        return "stop"
    return "target" if sign * (target - price) <= 0 else ""
