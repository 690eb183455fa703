"""The gate under everything: no order, from any caller inside the process, reaches a broker without passing it.

The risk chain decides what the strategy wants; this gate holds whatever else is sent, a subclass's own
``submit_order`` included, to the account's hard limits. It is pure: brokers ask it and obey.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from config.schema import Gate
from risk.limit_usage import Limit, Remedy
from risk.lots import EPSILON, affordable
from risk.model import Book, Proposal, Verdict, is_whole_lots

NAME = "policy_gate"
TICK = 0.01
SUB_DOLLAR_TICK = 0.0001
SMALLEST_QUOTED = 0.001


def tick_of(price: float) -> float:
    """Smallest price step at US equity venues: one cent from $1 on, a hundredth of a cent below.

    What no venue quotes, adjusted prices of long ago among them, keeps four digits instead of becoming zero.
    """
    if price >= 1:
        return TICK
    return SUB_DOLLAR_TICK if not 0 < price < SMALLEST_QUOTED else float(f"1e{_decimals(price)}")


def round_to_tick(price: float) -> float:
    """The nearest price an equity venue accepts."""
    if price >= 1:
        return round(price, 2)
    return round(price, 4 if not 0 < price < SMALLEST_QUOTED else -_decimals(price))


def _decimals(price: float) -> int:
    """The power of ten of a price's fourth digit."""
    return math.floor(math.log10(price)) - 3


def tick_up(price: float) -> float:
    """The first price on the grid at or above ``price``."""
    tick = tick_of(price)
    return round_to_tick(math.ceil(price / tick - 1e-6) * tick)


def tick_down(price: float) -> float:
    """The last price on the grid at or below ``price``."""
    tick = tick_of(price)
    return round_to_tick(math.floor(price / tick + 1e-6) * tick)


class GateCode(StrEnum):
    """Why the gate refuses an order."""

    QUANTITY = "GATE_QUANTITY"
    LOT = "GATE_LOT"
    PRICE = "GATE_PRICE"
    TICK = "GATE_TICK"
    QUOTE = "GATE_QUOTE"
    RESTRICTED = "GATE_RESTRICTED"
    SHORT = "GATE_SHORT"
    COLLAR = "GATE_COLLAR"
    ORDER_NOTIONAL = "GATE_ORDER_NOTIONAL"
    SYMBOL_NOTIONAL = "GATE_SYMBOL_NOTIONAL"
    DAY_NOTIONAL = "GATE_DAY_NOTIONAL"
    CASH = "GATE_CASH"
    NEW_POSITIONS = "GATE_NEW_POSITIONS"
    POSITIONS = "GATE_POSITIONS"


@dataclass(frozen=True, slots=True)
class GateRefusal:
    """What the gate says to an order that it does not let through; ``detail`` are the readings, in words."""

    code: GateCode
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


@dataclass(slots=True)
class OrderRequest:
    """One order as it would be sent. ``opens`` tells entries from exits; prices in USD, quantity in shares.

    ``quote`` is the price it would trade against now, ``reference`` the price the decision was made on
    (None for callers that have none). ``buy`` is the side. ``beyond_frac`` is how far beyond its price it may be
    filled where no limit holds it, as a fraction of that price.
    """

    symbol: str
    opens: bool
    quantity: float
    quote: float
    reference: float | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    buy: bool = True
    beyond_frac: float = 0.0

    @property
    def named_price(self) -> float:
        """The worst price that the order names: its limit, or the quote or its stop, whichever is higher."""
        if self.buy and self.limit_price is not None:
            return self.limit_price
        return max(self.quote, self.limit_price or 0, self.stop_price or 0)

    @property
    def price(self) -> float:
        """What a share can cost at most: a limit binds, everything else may be filled beyond."""
        bound = self.buy and self.limit_price is not None
        return self.named_price if bound else self.named_price * (1 + self.beyond_frac)

    @property
    def notional(self) -> float:
        return self.quantity * self.price


@dataclass(slots=True)
class AccountState:
    """What the gate measures an order against, in USD and positions.

    Waiting orders that open count like fills everywhere: ``day_notional`` and ``new_positions`` are of this session,
    ``cash`` is what they leave, ``symbol_notional`` the value of what is held and ordered of the order's symbol, and
    both count what is of hands.
    """

    equity: float
    cash: float
    day_notional: float
    new_positions: int
    open_positions: int
    holds_symbol: bool
    symbol_notional: float = 0.0


def _strictest(frac: float, equity: float, usd: float | None) -> float:
    """A limit in USD, from the fraction of equity and the amount; not a number where equity is none."""
    return frac * equity if usd is None or not frac * equity > usd else usd


def check(
    request: OrderRequest,
    account: AccountState,
    gate: Gate,
    lot: float = 1,
    position_frac: float = 1,
    tick: Callable[[float], float] = tick_of,
) -> GateRefusal | None:
    """Why the order is refused, or None where it may be sent.

    Exits pass every limit that is about taking risk, so that a position can always be left; ticks bind
    them too, because the venue would refuse the order otherwise. Whole lots bind what opens: a position
    may have come to a fraction of one, by hand or by a split, and has to be left all the same. An order
    that is too big is told its right size, which is ``position_frac`` of equity where that is below the limit.
    ``tick`` gives the smallest step of a price, by default that of US equity venues.
    """
    quantity, quote = request.quantity, request.quote
    if not (math.isfinite(quantity) and quantity > 0):
        return GateRefusal(GateCode.QUANTITY, f"{quantity} is not a positive quantity")
    reduces = account.holds_symbol and not request.opens
    if not reduces and not is_whole_lots(quantity, lot):
        return GateRefusal(GateCode.LOT, f"{quantity} is not a multiple of {lot}")
    for name, price in (("limit", request.limit_price), ("stop", request.stop_price)):
        if price is None:
            continue
        if not (math.isfinite(price) and price > 0):
            return GateRefusal(GateCode.PRICE, f"{name} {price} is not a price")
        step = tick(price)
        if abs(price / step - round(price / step)) * step > 1e-9:
            return GateRefusal(GateCode.TICK, f"{name} {price} is not a multiple of {step}")
    if not request.opens:
        return None
    if not (math.isfinite(quote) and quote > 0):
        return GateRefusal(GateCode.QUOTE, f"no usable price for {request.symbol}")
    if request.symbol in gate.restricted:
        return GateRefusal(GateCode.RESTRICTED, f"{request.symbol} is on the restricted list")
    if off := _off_collar(request, gate.price_collar_frac):
        return GateRefusal(GateCode.COLLAR, f"{off}")
    # Written so that a reading that is not a number refuses.
    notional = request.notional
    kept = gate.min_cash_frac * account.equity
    leaves_cash = account.cash - notional >= kept - abs(kept) * EPSILON - EPSILON
    if request.symbol in gate.cash_funds:
        # What counts as cash takes no place and no part of a day; it may take all the cash above what is kept.
        return None if leaves_cash else _below_the_kept(account.cash - notional, kept)
    order_limit = _strictest(gate.max_order_notional_frac, account.equity, gate.max_order_notional_usd)
    if not notional <= order_limit * (1 + EPSILON):
        sized = affordable(position_frac * account.equity, request.named_price, lot)
        right = min(sized, affordable(order_limit, request.price, lot))
        most = f"at most {right:g} {request.symbol} would be right"
        return GateRefusal(GateCode.ORDER_NOTIONAL, f"{notional:.2f} is above {order_limit:.2f}; {most}")
    together = account.symbol_notional + notional
    if not together <= order_limit * (1 + EPSILON):
        told = f"{together:.2f} held and ordered of {request.symbol} is above {order_limit:.2f}"
        return GateRefusal(GateCode.SYMBOL_NOTIONAL, told)
    day_limit = _strictest(gate.max_day_notional_frac, account.equity, gate.max_day_notional_usd)
    day = account.day_notional + notional
    if not day <= day_limit * (1 + EPSILON):
        return GateRefusal(GateCode.DAY_NOTIONAL, f"{day:.2f} opened today is above {day_limit:.2f}")
    if not leaves_cash:
        return _below_the_kept(account.cash - notional, kept)
    if not account.holds_symbol and account.new_positions >= gate.max_new_positions:
        told = f"{account.new_positions} of {gate.max_new_positions} new positions were opened or ordered today"
        return GateRefusal(GateCode.NEW_POSITIONS, told)
    if not account.holds_symbol and account.open_positions >= gate.max_open_positions:
        return GateRefusal(
            GateCode.POSITIONS, f"{account.open_positions} of {gate.max_open_positions} positions are open"
        )
    return None


def _below_the_kept(left: float, kept: float) -> GateRefusal:
    return GateRefusal(GateCode.CASH, f"{left:.2f} in cash would be left, below {kept:.2f}")


def _off_collar(request: OrderRequest, collar: float) -> str:
    """What lies outside the price collar, in words; empty if nothing does."""
    quote, reference, limit = request.quote, request.reference, request.limit_price
    if reference is not None and not (0 < reference < math.inf and abs(quote / reference - 1) <= collar + EPSILON):
        return f"quote {quote:.4f} is more than {collar:.0%} off the decision's price {reference:.4f}"
    # A limit on the far side of the market only waits; one through it is a slip of the finger.
    if limit is not None and (limit / quote - 1) * (1 if request.buy else -1) > collar + EPSILON:
        return f"limit {limit:.4f} is more than {collar:.0%} through the quote {quote:.4f}"
    return ""


def review(proposal: Proposal, book: Book, gate: Gate, may_short: bool = True) -> Verdict | None:
    """What the gate would refuse whatever the quote, told before anything is sized; None if it has no objection.

    ``may_short`` says whether a signal that sells short is on: to enable one is to enable shorting.
    """
    opened = book.opened_today_usd + book.promised_cash
    day_limit = _strictest(gate.max_day_notional_frac, book.equity, gate.max_day_notional_usd)
    new = 0 if book.budget is None else book.budget.day_positions
    new += sum(symbol not in book.positions for symbol in book.pending)
    if proposal.symbol in gate.restricted:
        refusal = GateRefusal(GateCode.RESTRICTED, f"{proposal.symbol} is on the restricted list")
    elif proposal.side == "sell_short" and not may_short:
        refusal = GateRefusal(GateCode.SHORT, f"no signal that sells short is on, so {proposal.symbol} is not sold")
    elif book.count >= gate.max_open_positions:
        refusal = GateRefusal(GateCode.POSITIONS, f"{book.count} of {gate.max_open_positions} positions are open")
    elif new >= gate.max_new_positions:
        refusal = GateRefusal(
            GateCode.NEW_POSITIONS, f"{new} of {gate.max_new_positions} new positions were opened or ordered today"
        )
    elif opened >= day_limit:
        refusal = GateRefusal(GateCode.DAY_NOTIONAL, f"{opened:.2f} opened today, at most {day_limit:.2f}")
    else:
        return None
    return Verdict(NAME, str(refusal), 0, 0)


_REMEDIES = {
    GateCode.COLLAR: Remedy("a quote within gate.price_collar_frac of the price that was decided on, at another scan"),
    GateCode.QUOTE: Remedy("a price of the symbol that can be used"),
    GateCode.CASH: Remedy("more free cash, or a smaller gate.min_cash_frac"),
    GateCode.ORDER_NOTIONAL: Remedy("a smaller order; the code tells the right size"),
    GateCode.SYMBOL_NOTIONAL: Remedy("less held and ordered of the symbol, or a larger gate.max_order_notional_frac"),
    GateCode.RESTRICTED: Remedy("the symbol has to leave gate.restricted"),
    GateCode.SHORT: Remedy("a signal that sells short has to be on, such as pairs_short in signals.enabled"),
    GateCode.POSITIONS: Remedy("a position has to be closed, or gate.max_open_positions raised"),
    GateCode.NEW_POSITIONS: Remedy("the next session, or a larger gate.max_new_positions", "next_session"),
    GateCode.DAY_NOTIONAL: Remedy("the next session, or a larger gate.max_day_notional_frac", "next_session"),
}


def remedy_for(verdict: Verdict, price: float) -> Remedy:
    """What would have to change for the gate to let a proposal through."""
    return next(
        (r for code, r in _REMEDIES.items() if code == verdict.word), Remedy("an order within the limits of gate")
    )


def limits(book: Book, gate: Gate) -> list[Limit]:
    """The gate's limits of a day and of cash, and how much of each is used now."""
    new = 0 if book.budget is None else book.budget.day_positions
    new += sum(symbol not in book.positions for symbol in book.pending)
    day_limit = _strictest(gate.max_day_notional_frac, book.equity, gate.max_day_notional_usd)
    return [
        Limit(NAME, "opened today", book.opened_today_usd + book.promised_cash, day_limit, "USD", "next_session"),
        Limit(NAME, "new positions today", new, gate.max_new_positions, "positions", "next_session"),
        Limit(NAME, "open positions", book.count, gate.max_open_positions, "positions"),
        Limit(
            NAME,
            "spent of what gate.min_cash_frac leaves",
            max(0.0, book.equity - book.free_cash),
            (1 - (gate.min_cash_frac or 0.0)) * book.equity,
        ),
    ]
