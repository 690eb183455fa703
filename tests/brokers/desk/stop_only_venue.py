"""A venue that has nothing but plain orders: no brackets, no pairs, lots of 1e-8, a fee, always open.

What rests holds its coins. Fills come at the next price, in parts where told so; a stop sells at the price that
triggered it. Answers can be lost before or after a request was carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pandas as pd

from brokers.journal import State
from brokers.order_types import OrderType, Resting, VenueReason
from brokers.venue_errors import OutcomeUnknown, VenueRefusal
from brokers.venue_requests import Bracket, OcoExits, OrderChange, OrderRequest, RequestLimit, StopOnly
from brokers.venue_values import (
    OrderAck,
    TradeTerms,
    VenueAccount,
    VenueListing,
    VenueOrder,
    VenuePosition,
    VenuePositions,
    VenueQuote,
    VenueTime,
)

LOT, TICK, FEE = Decimal("1e-8"), 0.1, Decimal("0.004")
HALF_SPREAD = Decimal("0.5")
ENDLESS = timedelta(days=3_650)


class CoinRules:
    """What can rest is a stop by itself."""

    resting = frozenset({Resting.STOP})
    always_open, fee_frac, fraction = True, FEE, LOT

    def least(self, symbol: str, price: Decimal) -> Decimal:
        return Decimal("0.00005")

    def tick(self, price: float, symbol: str) -> float:
        return TICK

    def gap(self, price: float, symbol: str) -> float:
        return TICK


@dataclass
class StopOnlyVenue:
    """One account with time and prices in the test's hand; it is its own clock.

    ``part`` is the fraction of an order that its next fill takes, ``lose`` names the request whose answer is lost and
    when, ``release`` is how long coins take to come back after a cancel, ``confirms`` whether its answer says that it
    is done.
    """

    time: datetime
    prices: dict[str, Decimal]
    cash: Decimal = Decimal(100_000)
    part: Decimal = Decimal(1)
    lose: tuple[str, str] = ("", "")
    release: timedelta = timedelta(seconds=1)
    confirms: bool = False

    name, address, key_names, gone, due, quote_stream = "Coins", "in process", ("COINS_KEY",), "", False, None
    tells_orders, takes_orders = False, True

    def __post_init__(self) -> None:
        self.rules, self.clock = CoinRules(), self
        self.orders: dict[str, VenueOrder] = {}
        self.held: dict[str, Decimal] = {}
        self._released: list[tuple[datetime, str, Decimal]] = []

    def pass_time(self, seconds: float, **prices: str) -> None:
        """Time passes, then prices change and orders fill."""
        self.time += timedelta(seconds=seconds)
        self.prices |= {symbol: Decimal(price) for symbol, price in prices.items()}
        for order in list(self.orders.values()):
            if order.open and (price := self._fill_price(order)) is not None:
                self._fill(order, price)

    def stopped(self, symbol: str) -> Decimal:
        return sum((o.remaining for o in self._open(symbol) if o.type == OrderType.STOP), Decimal(0))

    # What the port asks.

    def now(self) -> datetime:
        return self.time

    def local(self, venue_seconds: float) -> float:
        return venue_seconds

    def budget(self, seconds: float) -> Any:
        return nullcontext()

    def drop_waiting(self) -> None: ...

    @property
    def request_limit(self) -> RequestLimit:
        return RequestLimit(600, 400)

    def room(self, requests: int) -> bool:
        return True

    def venue_clock(self) -> VenueTime:
        return VenueTime(self.time, True, self.time + ENDLESS, self.time + ENDLESS)

    def account(self) -> VenueAccount:
        worth = sum((held * self.prices[symbol] for symbol, held in self.held.items()), self.cash)
        return VenueAccount("coins", worth, self.cash)

    def positions(self) -> VenuePositions:
        return VenuePositions(
            {
                symbol: VenuePosition(symbol, held, self._free(symbol), self.prices[symbol], self.prices[symbol])
                for symbol, held in self.held.items()
                if held
            }
        )

    def dust(self) -> VenuePositions:
        return VenuePositions({})

    def expect(self, client_order_ids: Iterable[str], news: object = None, held: object = None) -> None: ...

    def open_orders(self) -> VenueListing:
        return VenueListing(tuple(order for order in self.orders.values() if order.open))

    def orders_since(self, after: datetime) -> VenueListing:
        return VenueListing(tuple(o for o in self.orders.values() if o.submitted and o.submitted > after))

    def order(self, venue_id: str) -> OrderAck:
        if venue_id not in self.orders:
            raise VenueRefusal("unknown order", VenueReason.NOT_FOUND)
        return self._ack(self.orders[venue_id])

    def order_by_client_id(self, client_order_id: str) -> OrderAck | None:
        found = [order for order in self.orders.values() if order.client_order_id == client_order_id]
        return self._ack(found[0]) if found else None

    def submit(self, request: OrderRequest, client_order_id: str, opens: bool) -> OrderAck:
        if isinstance(request, Bracket | OcoExits):
            raise VenueRefusal("no such order here")
        with self._answering("submit"):
            if request.side == "sell" and self._free(request.symbol) < request.quantity:
                raise VenueRefusal("insufficient funds")
            stop = isinstance(request, StopOnly)
            order = VenueOrder(
                id=f"o{len(self.orders)}",
                client_order_id=client_order_id,
                symbol=request.symbol,
                side=request.side,
                type=OrderType.STOP if stop else request.type,
                status="open",
                state=State.WORKING,
                quantity=request.quantity,
                limit_price=Decimal(0) if stop else request.limit_price or Decimal(0),
                stop_price=request.stop if stop else Decimal(0),
                time_in_force="gtc",
                created=self.time,
                submitted=self.time,
                updated=self.time,
                changed=self.time,
            )
            self.orders[order.id] = order
        return self._ack(order)

    def replace(self, venue_id: str, change: OrderChange, client_order_id: str) -> OrderAck:
        raise VenueRefusal("orders are not replaced here")

    def cancel(self, venue_id: str) -> bool:
        with self._answering("cancel"):
            order = self.orders[venue_id]
            if not order.open:
                raise VenueRefusal("it has ended")
            self._released.append((self.time + self.release, order.symbol, order.remaining * (order.side == "sell")))
            self._change(order, status="cancelled", state=State.CANCELLED)
        return self.confirms

    def quotes(self, symbols: Iterable[str]) -> dict[str, VenueQuote]:
        return {s: VenueQuote(self.prices[s] - HALF_SPREAD, self.prices[s] + HALF_SPREAD, self.time) for s in symbols}

    def bars(self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None) -> pd.DataFrame:
        return pd.DataFrame()

    def terms(self, symbols: Iterable[str]) -> list[TradeTerms]:
        return [TradeTerms(s, self.prices[s], self.rules.least(s, self.prices[s]), FEE, FEE) for s in symbols]

    def lists(self, symbol: str) -> bool:
        return symbol in self.prices

    trades = trades_fractions = lists

    # How it works.

    def _open(self, symbol: str) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.symbol == symbol and order.open]

    def _free(self, symbol: str) -> Decimal:
        resting = sum((order.remaining for order in self._open(symbol) if order.side == "sell"), Decimal(0))
        coming = sum((count for when, of, count in self._released if of == symbol and when > self.time), Decimal(0))
        return self.held.get(symbol, Decimal(0)) - resting - coming

    def _fill_price(self, order: VenueOrder) -> Decimal | None:
        bid, ask = self.prices[order.symbol] - HALF_SPREAD, self.prices[order.symbol] + HALF_SPREAD
        price, buys = (ask, True) if order.side == "buy" else (bid, False)
        if order.type == OrderType.STOP:
            return price if price <= order.stop_price else None
        if order.limit_price and (price > order.limit_price if buys else price < order.limit_price):
            return None
        return price

    def _fill(self, order: VenueOrder, price: Decimal) -> None:
        count = order.remaining if self.part == 1 else (order.remaining * self.part).quantize(LOT, ROUND_DOWN)
        signed = count if order.side == "buy" else -count
        self.held[order.symbol] = self.held.get(order.symbol, Decimal(0)) + signed
        self.cash -= signed * price + count * price * FEE
        filled = order.filled + count
        average = (order.filled * order.average_price + count * price) / filled
        whole = filled == order.quantity
        state = State.FILLED if whole else State.PARTIALLY_FILLED
        self._change(order, status=str(state), state=state, filled=filled, average_price=average)

    def _change(self, order: VenueOrder, **changes: Any) -> None:
        self.orders[order.id] = replace(order, updated=self.time, changed=self.time, **changes)

    def _ack(self, order: VenueOrder) -> OrderAck:
        return OrderAck(order.id, order.client_order_id, (order,))

    @contextmanager
    def _answering(self, name: str) -> Iterator[None]:
        """Carry out a request, or lose it or its answer, once."""
        lost, self.lose = (self.lose[1], ("", "")) if self.lose[0] == name else ("", self.lose)
        if lost == "before":
            raise OutcomeUnknown("no answer")
        yield
        if lost == "after":
            raise OutcomeUnknown("no answer")
