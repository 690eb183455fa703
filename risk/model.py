"""The values that flow through one decision: market, book, proposal, verdict, adjustment, plan.

Everything here is plain data. Nothing reads a clock, a file or a network, so that the same recorded
values give the same decision in a backtest, live, in a replay and in a test.

Units: prices and money in account currency (USD), quantities in shares (or coins), ``*_frac`` is a
fraction of 1, times are timezone-aware, arrays are ``(bars, symbols)``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any, Literal, NoReturn, Self, TypeVar, get_args

from config.values.closed_trades import CLOSED_TRADES_KEPT

Side = Literal["buy", "sell_short"]
Role = Literal["entry", "hedge"]
OPENING_ROLES: tuple[str, ...] = get_args(Role)
"""Roles of the orders that open a position; every other role reduces or protects one."""
AdjustmentKind = Literal["trim", "exit", "partial", "tighten"]
MANY_LOTS = 1e9
"""From so many lots on they are counted in decimal numbers: a binary quotient may be off by a part of a lot."""
LOT_SLACK = Decimal("1e-3")
"""Of a lot, for quantities of many lots: what is so little below a whole number of them is whole."""
_EXACT = Context(prec=50, rounding=ROUND_FLOOR)

K = TypeVar("K")
V = TypeVar("V")


class ReadOnlyDict(dict[K, V]):
    """A dictionary that refuses every change: rules read it, and what changes is a copy.

    Raises
    ------
    TypeError
        On any attempt to change it.
    """

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a rule cannot change the book; return a verdict or an adjustment instead")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> ReadOnlyDict[K, V]:
        return type(self)({key: deepcopy(value, memo) for key, value in self.items()})


def floor_lot(quantity: float, lot: float = 1.0) -> float:
    """Round a quantity down to whole lots; never negative, 0 for anything that is not a number."""
    if not math.isfinite(quantity) or quantity <= 0:
        return 0
    lots = quantity / lot
    if lots >= MANY_LOTS:
        count = (_exact_lots(quantity, lot) + LOT_SLACK).to_integral_value(ROUND_FLOOR)
        return int(count) if lot == 1 else float(_EXACT.multiply(count, Decimal(repr(float(lot)))))
    # A quotient that should be whole may come out a hair below; the hair grows with the number.
    whole = math.floor(lots + max(1e-9, lots * 1e-12))
    return whole if lot == 1 else round(whole * lot, 12)


def is_whole_lots(quantity: float, lot: float) -> bool:
    """Whether a quantity is a multiple of the lot, apart from the noise of binary numbers."""
    lots = quantity / lot
    if not math.isfinite(lots):
        return False
    if lots >= MANY_LOTS:
        exact = _exact_lots(quantity, lot)
        return abs(exact - exact.to_integral_value()) <= LOT_SLACK
    return abs(lots - round(lots)) <= max(1e-9, lots * 1e-12)


def _exact_lots(quantity: float, lot: float) -> Decimal:
    return _EXACT.divide(Decimal(repr(float(quantity))), Decimal(repr(float(lot))))


@dataclass(frozen=True, slots=True)
class BracketTerms:
    """How far stop and target lie from the entry, before the entry price is known to the cent.

    Exactly one pair is set: fractions of the entry price, or distances in currency. ``at`` turns the
    terms into levels once the desk knows the quote it will trade against.
    """

    side: Side
    stop_frac: float | None = None
    target_frac: float | None = None
    stop_distance: float | None = None
    target_distance: float | None = None
    stop_multiple_atr: float | None = None
    target_multiple_atr: float | None = None
    label: str = ""

    def at(self, entry: float) -> tuple[float, float]:
        """Stop and target (unrounded) for an entry at ``entry``; mirrored for shorts."""
        if self.stop_frac is not None and self.target_frac is not None:
            stop, target = entry * self.stop_frac, entry * self.target_frac
        elif self.stop_distance is not None and self.target_distance is not None:
            stop, target = self.stop_distance, self.target_distance
        else:
            raise ValueError("bracket terms need both fractions or both distances")
        return (entry - stop, entry + target) if self.side == "buy" else (entry + stop, entry - target)


class ChangedByCopy:
    """What a run makes so many of, each from the one before, that ``dataclasses.replace`` would take too long."""

    def changed(self, **values: Any) -> Self:
        """The same with other values, taken as they are.

        Raises
        ------
        TypeError
            There is no such value.
        """
        own = self.__dict__
        # A dictionary that is made at once is read faster than one that was filled step by step.
        state = {**own, **values}
        if len(state) > len(own):
            unknown = ", ".join(values.keys() - own.keys())
            raise TypeError(f"a {type(self).__name__.lower()} has no {unknown}")
        after = object.__new__(type(self))
        object.__setattr__(after, "__dict__", state)
        return after


ABOVE_DECIDED_FRAC = 0.05
"""So much more than at the price of the decision an entry may cost at the quote, as far as every cap leaves it room."""


@dataclass(frozen=True)
class Proposal(ChangedByCopy):
    """One wish to open a position, as a signal or the hedger states it.

    ``quantity`` is what is still allowed: sizing sets it, every verdict can only keep, shrink or
    refuse it. ``room_usd`` is the tightest amount that a rule allows it to cost, 0 where none is known:
    whole lots leave a part of it, which a higher quote may use. ``batch`` is how many A+ proposals came
    in this scan and ``rank`` the place of this one in it (1 is best); both are 1 for a hedge.
    """

    symbol: str
    side: Side
    signal: str
    score: float
    price: float
    atr: float
    stop: float
    target: float
    terms: BracketTerms
    quantity: float
    reason: str
    role: Role = "entry"
    rank: int = 1
    batch: int = 1
    size_multiplier: float = 1.0
    room_usd: float = 0.0

    @property
    def notional(self) -> float:
        """USD at the price of the decision."""
        return self.quantity * self.price

    @property
    def approved_usd(self) -> float:
        """USD that the position may cost at the quote of its order, and that is promised until then."""
        notional = self.notional
        return max(notional, min(self.room_usd, notional * (1 + ABOVE_DECIDED_FRAC)))

    @property
    def risk_per_share(self) -> float:
        return abs(self.price - self.stop)

    def resized(self, quantity: float) -> Proposal:
        """The same wish for another quantity."""
        return self if quantity == self.quantity else self.changed(quantity=quantity)

    def judged(self, verdict: Verdict) -> Proposal:
        """What a verdict leaves of the wish."""
        room = verdict.most_usd if verdict.most_usd < self.room_usd else self.room_usd
        if room == self.room_usd:
            return self.resized(verdict.after)
        return self.changed(quantity=verdict.after, room_usd=room)

    def placed(self, rank: int, batch: int) -> Proposal:
        """The same wish at a place of its scan."""
        return self if rank == self.rank and batch == self.batch else self.changed(rank=rank, batch=batch)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule said about one proposal: keep (``OK``), shrink or refuse, and from which numbers.

    ``code`` starts with a fixed word (``SECTOR_CAP``) and may go on after a colon with the reading
    (``SECTOR_CAP: crypto_adjacent 3/3``). ``until`` is set when the refusal ends at a known time.
    ``most_usd`` is what the position may cost by this rule, at whatever price; endless where it does not limit that.
    """

    module: str
    code: str
    before: float
    after: float
    inputs: Mapping[str, Any] = field(default_factory=dict)
    until: datetime | None = None
    most_usd: float = math.inf

    @property
    def word(self) -> str:
        """The fixed word of the code: what kind of verdict it is."""
        return self.code.partition(":")[0]

    @property
    def detail(self) -> str:
        """The reading after it; empty for a code that has none."""
        return self.code.partition(":")[2].strip()

    @property
    def refused(self) -> bool:
        return self.after <= 0

    @property
    def shrunk(self) -> bool:
        return 0 < self.after < self.before


def binding_verdict(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The last verdict that took something off; None where none did."""
    return next((v for v in reversed(verdicts) if v.after < v.before or v.refused), None)


def bound_by(verdicts: Sequence[Verdict]) -> str:
    """What decided the final quantity of a chain: the last rule that took something off; empty where none did.

    Of the sizer it also names the cap: ``equity_sizer: risk`` or ``equity_sizer: notional``.
    """
    last = binding_verdict(verdicts)
    if last is None:
        first = next((v for v in verdicts if "by_risk" in v.inputs), None)
        # A hedge comes with a quantity of its own; within both caps none of them decided it.
        if first is None or first.before < first.inputs["by_risk"]:
            return ""
        return f"{first.module}: risk"
    if "by_notional" not in last.inputs:
        return last.module
    by_risk, by_notional = last.inputs["by_risk"], last.inputs["by_notional"]
    return f"{last.module}: {'notional' if by_notional < by_risk else 'risk'}"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change to what is held: ``trim`` or ``partial`` (sell ``quantity``), ``exit`` (sell all), ``tighten``.

    ``tighten`` moves the resting stop to ``stop`` and never away from the market; ``short`` tells on
    which side of it. ``code`` reads like a verdict's.
    """

    module: str
    kind: AdjustmentKind
    symbol: str
    code: str
    quantity: float = 0
    stop: float | None = None
    short: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)


MANUAL = "manual"
"""The signal of a position that was made by hand, and is not managed like our own."""


@dataclass(frozen=True)
class Position(ChangedByCopy):
    """What is held of one symbol and what protects it; a change makes a new one.

    ``quantity`` is positive for longs, negative for shorts; ``initial_quantity`` is what was opened.
    ``protected_quantity`` is the working stop quantity at the venue. ``initial_stop`` defines R and never
    moves. ``best_price`` is the highest high (for shorts the lowest low) of the complete bars since the
    entry, the entry price before there is one. ``partial_taken`` is set once part of the profit was taken.
    """

    symbol: str
    quantity: float
    entry_price: float
    entry_time: datetime
    stop: float
    target: float
    initial_stop: float
    atr: float = math.nan
    stop_multiple_atr: float | None = None
    signal: str = ""
    score: float = math.nan
    role: Role = "entry"
    protected_quantity: float = 0
    initial_quantity: float = 0
    best_price: float = math.nan
    partial_taken: bool = False

    @property
    def side(self) -> Side:
        return "buy" if self.quantity >= 0 else "sell_short"

    @property
    def risk_per_share(self) -> float:
        return abs(self.entry_price - self.initial_stop)


@dataclass(frozen=True, slots=True)
class DeployedBudget:
    """What was newly deployed, as the exposure budget counts it; USD at entry prices.

    ``day_usd`` and ``day_positions`` were opened in the session ``day`` and stay spent until the next one.
    ``week_usd`` and ``week_positions`` are charged to the current week; what a close frees counts from the
    next scan on.
    """

    day: date
    day_usd: float = 0.0
    day_positions: int = 0
    week_usd: float = 0.0
    week_positions: int = 0


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A position that was closed completely, all its portions together; ``pnl`` in USD after costs."""

    symbol: str
    opened: datetime
    closed: datetime
    pnl: float
    r_multiple: float
    role: Role = "entry"


@dataclass(frozen=True, slots=True)
class Barred:
    """A symbol in which nothing is entered now, and why; ``price`` is the close that it holds for, NaN for every."""

    symbol: str
    why: str
    price: float = math.nan


@dataclass(frozen=True)
class Book(ChangedByCopy):
    """What we hold, what is on its way and what is left, by the venue's word, at one moment.

    ``equity`` and ``cash`` in USD; ``equity`` marks positions at the last closed bar. ``pending``
    are entries accepted but not filled, in this scan or an earlier one: rules count them like
    positions, and their notional is already promised cash. ``opened_today_usd`` is what earlier scans of
    the session opened.

    ``session_open_equity`` is equity at the opening of the session, NaN before the first. ``equity_peak`` is the
    highest equity there was since the last halt that was measured from it has ended, NaN while unknown. ``last_halts``
    tells when the latest halt of a rule began, also one that is over, ``halted_until`` when one that lasts ends, where
    that is known. ``closed_trades``
    holds the latest ``CLOSED_TRADES_KEPT`` closed positions, oldest first. ``budget`` is what was deployed this
    day and week; both desks always give it. ``halted`` names the rules that have stopped entries for the rest of
    this session or for several. ``entries_sent`` is when the latest orders that open a position were sent, unfilled
    ones too, and when one that nobody filled was given up, as far as a desk keeps that; ``sent_orders`` names the order
    of each of these moments, its symbol first; ``accepted`` counts what was accepted earlier in this scan. ``barred``
    is what a live desk enters nothing in, whatever bars and rules say; a backtest's names none. A book cannot be
    changed: ``accepting`` and ``dataclasses.replace`` give another one, and so does ``changed``, which takes mappings
    as they are: ``ReadOnlyDict`` alone.
    """

    time: datetime
    equity: float
    cash: float
    positions: Mapping[str, Position] = field(default_factory=dict)
    pending: Mapping[str, Proposal] = field(default_factory=dict)
    opened_today_usd: float = 0.0
    session_open_equity: float = math.nan
    equity_peak: float = math.nan
    closed_trades: Sequence[ClosedTrade] = ()
    budget: DeployedBudget | None = None
    halted: frozenset[str] = frozenset()
    last_halts: Mapping[str, datetime] = field(default_factory=dict)
    halted_until: Mapping[str, datetime] = field(default_factory=dict)
    entries_sent: Sequence[datetime] = ()
    sent_orders: Sequence[str] = ()
    accepted: int = 0
    barred: Sequence[Barred] = ()

    def __post_init__(self) -> None:
        if type(self.positions) is not ReadOnlyDict:
            object.__setattr__(self, "positions", ReadOnlyDict(self.positions))
        if type(self.pending) is not ReadOnlyDict:
            object.__setattr__(self, "pending", ReadOnlyDict(self.pending))
        if type(self.last_halts) is not ReadOnlyDict:
            object.__setattr__(self, "last_halts", ReadOnlyDict(self.last_halts))
        if type(self.halted_until) is not ReadOnlyDict:
            object.__setattr__(self, "halted_until", ReadOnlyDict(self.halted_until))
        if type(self.closed_trades) is not tuple or len(self.closed_trades) > CLOSED_TRADES_KEPT:
            object.__setattr__(self, "closed_trades", tuple(self.closed_trades)[-CLOSED_TRADES_KEPT:])

    def held(self, symbol: str) -> bool:
        return symbol in self.positions or symbol in self.pending

    def why_barred(self, symbol: str, price: float) -> str:
        """Why nothing is entered in a symbol whose last bar closed at ``price``; empty where nothing bars it."""
        of_symbol = (bar for bar in self.barred if bar.symbol == symbol)
        return next((bar.why for bar in of_symbol if math.isnan(bar.price) or bar.price == price), "")

    def accepting(self, proposal: Proposal) -> Book:
        """The book that counts an accepted proposal: what is judged after it in this scan is judged by that one."""
        pending = ReadOnlyDict({**self.pending, proposal.symbol: proposal})
        return self.changed(pending=pending, accepted=self.accepted + 1)

    @property
    def entry_times(self) -> tuple[datetime, ...]:
        """When orders that open a position were sent, as far as it is known; of what is held, when it was bought.

        What was bought by hand is no entry.
        """
        return (*self.entries_sent, *(time for _, time in self._bought()))

    def entries_within(self, seconds: float) -> int:
        """How many orders that open a position there were so recently, each counted once.

        Of one order several moments are known: when it was sent, when it was filled, when it was given up. What was
        bought names no order, and its time may lie before that of its order where a clock was put back: so a symbol
        counts with its orders or with what was bought of it, whichever is more.
        """

        def is_recent(time: datetime) -> bool:
            # By a clock that was put back a time may lie ahead.
            return (self.time - time).total_seconds() < seconds

        named = len(self.sent_orders) == len(self.entries_sent)
        names = self.sent_orders if named else [str(number) for number in range(len(self.entries_sent))]
        orders = {name for name, time in zip(names, self.entries_sent, strict=True) if is_recent(time)}
        sent = Counter(name.partition(" ")[0] for name in orders)
        bought = Counter(symbol for symbol, time in self._bought() if is_recent(time))
        return (sent | bought).total()

    def _bought(self) -> Iterator[tuple[str, datetime]]:
        """Symbol and time of what was bought by entries: of what is held, and of what was closed last."""
        for symbol, position in self.positions.items():
            if position.role == "entry" and position.signal != MANUAL:
                yield symbol, position.entry_time
        for trade in self.closed_trades[-10:]:
            yield trade.symbol, trade.opened

    @property
    def promised_cash(self) -> float:
        return sum(p.approved_usd for p in self.pending.values())

    @property
    def free_cash(self) -> float:
        return self.cash - self.promised_cash

    def exposures(self) -> Iterator[tuple[str, Role]]:
        """Symbol and role of every position and every accepted entry, each symbol once."""
        for symbol, position in self.positions.items():
            yield symbol, position.role
        for symbol, proposal in self.pending.items():
            if symbol not in self.positions:
                yield symbol, proposal.role

    @property
    def count(self) -> int:
        return len(self.positions.keys() | self.pending.keys())


@dataclass(frozen=True, slots=True)
class Decision:
    """A proposal with its chain of verdicts: the record from which ``explain`` reads."""

    time: datetime
    proposal: Proposal
    proposed_quantity: float
    verdicts: tuple[Verdict, ...]

    @property
    def final_quantity(self) -> float:
        return self.verdicts[-1].after if self.verdicts else self.proposed_quantity

    @property
    def bound_by(self) -> str:
        """What decided the final quantity; see ``bound_by``."""
        return bound_by(self.verdicts)

    @property
    def outcome(self) -> Literal["sent", "resized", "refused"]:
        if self.final_quantity <= 0:
            return "refused"
        return "resized" if self.final_quantity < self.proposed_quantity else "sent"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one iteration wants done: adjustments first, then entries; decisions hold the why.

    ``funding`` are the symbols whose sale has to be over before the entries go, since it brings their cash.
    """

    time: datetime
    adjustments: tuple[Adjustment, ...] = ()
    entries: tuple[Proposal, ...] = ()
    decisions: tuple[Decision, ...] = ()
    funding: frozenset[str] = frozenset()
