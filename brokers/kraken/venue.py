"""Kraken as a venue: what the desk asks, in as few requests as its limits allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from brokers.kraken.account_view import AccountView
from brokers.kraken.answers.fees import Fees
from brokers.kraken.answers.figures import moment
from brokers.kraken.answers.names import Names, uuid_of
from brokers.kraken.connection.client import KrakenClient
from brokers.kraken.connection.errors import FUNDS
from brokers.kraken.connection.rates import ITERATION, LOOK
from brokers.kraken.order_memory import OrderMemory
from brokers.kraken.payloads import amended, fields_of
from brokers.kraken.reference import FRESH_S, Reference
from brokers.kraken.rules import KrakenRules
from brokers.kraken.waits import Waits
from brokers.network.figures import MOST, NOTHING
from brokers.network.time_budget import time_budget
from brokers.order_types import OrderType, State, VenueReason
from brokers.venue_errors import AccountUnreadable, ClockInDoubt, VenueRefusal, VenueUnavailable
from brokers.venue_requests import Bracket, OcoExits, OrderChange, OrderRequest, RequestLimit, Single, StopOnly
from brokers.venue_values import (
    OrderAck,
    TradeTerms,
    VenueAccount,
    VenueListing,
    VenueOrder,
    VenuePositions,
    VenueQuote,
    VenueTime,
)

if TYPE_CHECKING:
    import pandas as pd

    from brokers.kraken.connection.rates import Tier
    from brokers.network.clock import VenueClock

QUIET_KEY = "broker.kraken.monitoring_s"
ENDLESS = timedelta(days=3_650)
MINUTE_S = 60.0


def limit_of(tier: Tier, quiet_s: float) -> RequestLimit:
    """What a tier lets iterations ask."""
    a_minute = int(tier.rest_decay * MINUTE_S)
    look_s = LOOK / tier.rest_decay
    return RequestLimit(a_minute, a_minute, ITERATION, LOOK, look_s, max(quiet_s, look_s), QUIET_KEY)


class KrakenVenue:
    """One account at Kraken.

    Parameters
    ----------
    client : KrakenClient
    clock : VenueClock
    account_id : str
        What the journal calls the account; Kraken has no name for it.
    waits : Waits

    Raises
    ------
    VenueError
        From every method that asks.
    """

    name = "Kraken"
    key_names = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")
    quote_stream = None
    tells_orders = False

    def __init__(self, client: KrakenClient, clock: VenueClock, account_id: str, waits: Waits) -> None:
        self.client = client
        self.clock = clock
        self.reference = Reference(client, waits.reference_s)
        self.rules = KrakenRules(self.reference)
        self.names = Names()
        self._account_id = account_id
        self._quiet_s = waits.quiet_s
        self._memory = OrderMemory(client, self.reference, self.names, clock, waits.query_s)
        self._view = AccountView(client, self.reference, clock, waits.late_bar_s, lambda: self._memory.sells)

    @property
    def address(self) -> str:
        url: str = self.client.rest.urls["api"]["private"]
        return url

    @property
    def gone(self) -> str:
        breaker = self.client.rest.breaker
        return self.client.rates.locked or (f"circuit breaker open ({breaker.name})" if breaker.open else "")

    @property
    def gone_for_data_alone(self) -> bool:
        # One host and one breaker for everything.
        return False

    def budget(self, seconds: float) -> AbstractContextManager[None]:
        return time_budget(seconds)

    @property
    def request_limit(self) -> RequestLimit:
        return limit_of(self.client.rates.tier, self._quiet_s)

    def room(self, requests: int) -> bool:
        # What is refused at once, and with its reason, need not be waited for.
        return self.client.rates.waits_for_lockout() or self.client.rates.room(requests)

    @property
    def takes_orders(self) -> bool:
        return not self.client.rates.waits_for_lockout(urgent=True)

    def drop_waiting(self) -> None:
        self.client.rates.drop_waiting()

    # ---- the account ----------------------------------------------------------------------------------

    def venue_clock(self) -> VenueTime:
        sent, again = self.clock.monotonic(), self.clock.in_doubt
        try:
            now = moment(self.client.time().get("unixtime"))
        except ValueError as error:
            raise VenueUnavailable(f"the venue's clock cannot be read ({error})") from None
        if now is None:
            raise VenueUnavailable("the venue's clock cannot be read")
        # It tells whole seconds, so it is half a second later in the mean.
        now += timedelta(seconds=0.5)
        if not self.clock.heard(now, sent, self.clock.monotonic()):
            far = f"the venue's clock says {now}, far from what it said before; it is read again"
            raise ClockInDoubt(far, again)
        return VenueTime(now, True, now + ENDLESS, now + ENDLESS)

    def account(self) -> VenueAccount:
        try:
            equity, cash = self._view.figures()
            if abs(equity) >= MOST:
                raise ValueError(f"equity of {equity:.3g} USD")
        except ValueError as error:
            known = VenueAccount(self._account_id, blocked=self._view.closed())
            raise AccountUnreadable(f"the account cannot be read: {error}", known) from None
        return VenueAccount(self._account_id, equity, cash, self._view.closed())

    def positions(self) -> VenuePositions:
        with self._memory.goes_on():
            found = self._view.positions()
        self._memory.looked()
        if self._view.moved():
            self._memory.doubt()
        return found

    def dust(self) -> VenuePositions:
        """Coins that cannot be sold, by volume or by worth, or are worth less than a dollar."""
        every, positions = self._view.positions(dust=True), self._view.positions().by_symbol
        return VenuePositions({s: there for s, there in every.by_symbol.items() if s not in positions}, every.complete)

    # ---- orders in ------------------------------------------------------------------------------------

    def expect(
        self,
        client_order_ids: Iterable[str],
        news: Callable[[], Iterable[str]] | None = None,
        held: Mapping[str, Decimal] | None = None,
    ) -> None:
        self.names.tell(client_order_ids)
        self.names.news = news
        if held is not None:
            self._view.ours = held

    def open_orders(self) -> VenueListing:
        return self._memory.open_orders()

    def orders_since(self, after: datetime) -> VenueListing:
        with self._memory.goes_on():
            return self._memory.since(after)

    def order(self, venue_id: str) -> OrderAck:
        found = self._memory.by_id(venue_id)
        if found is None:
            raise VenueRefusal(f"Kraken knows no order {venue_id}", VenueReason.NOT_FOUND)
        return found

    def order_by_client_id(self, client_order_id: str) -> OrderAck | None:
        self.names.tell([client_order_id])
        return self._memory.by_name(client_order_id)

    # ---- orders out -----------------------------------------------------------------------------------

    def submit(self, request: OrderRequest, client_order_id: str, opens: bool) -> OrderAck:
        pair = self.reference.required(request.symbol)
        self.names.tell([client_order_id])
        fields = fields_of(request, pair, uuid_of(client_order_id))
        self._forget()
        try:
            answer = self.client.add(client_order_id, fields)
        except VenueRefusal as refusal:
            if refusal.reason is VenueReason.LASTING:
                self.reference.doubt(older_than_s=0.0)
            raise
        txids = answer.get("txid")
        if not isinstance(txids, list) or len(txids) != 1:
            raise VenueUnavailable(f"Kraken took the order without telling its id: {answer.get('descr')}")
        txid = str(txids[0])
        self.client.rates.born(txid)
        order = _as_sent(request, txid, client_order_id, Decimal(fields["volume"]), self.clock.now())
        self._memory.sent(order)
        return OrderAck(txid, client_order_id, (order,), native=order)

    def replace(self, venue_id: str, change: OrderChange, client_order_id: str) -> OrderAck:
        """Amend an order; its id and name stay. What Kraken shows afterwards is believed, not the answer."""
        before = self.order(venue_id).orders
        known = next((order for order in before if order.id == venue_id), None)
        if known is None or not known.open:
            raise VenueRefusal(f"the order {venue_id} is over", VenueReason.NOT_FOUND)
        pair = self.reference.required(known.symbol)
        fields = amended(change, pair, known.side, venue_id)
        self._forget()
        try:
            self.client.amend(client_order_id, fields, pair.key)
        except VenueRefusal as refusal:
            # An amendment does not name the side, which alone says what the funds of the refusal are.
            if known.side == "sell" and FUNDS in str(refusal):
                raise VenueRefusal(str(refusal), VenueReason.SHARES_HELD) from None
            raise
        ack = self.order(venue_id)
        after = next(order for order in ack.orders if order.id == venue_id)
        terms = {"trigger_price": after.stop_price, "limit_price": after.limit_price, "order_qty": after.quantity}
        for asked, stands in terms.items():
            if asked in fields and after.open and Decimal(fields[asked]) != stands:
                raise VenueRefusal(f"amended to {fields[asked]}, and still stands at {stands}")
        return ack

    def cancel(self, venue_id: str) -> bool:
        self._forget()
        answer = self.client.cancel(venue_id, self._memory.pair_of(venue_id))
        return bool(answer.get("count")) and not answer.get("pending")

    def _forget(self) -> None:
        self._memory.forget()
        self._view.forget()

    # ---- prices ---------------------------------------------------------------------------------------

    def quotes(self, symbols: Iterable[str]) -> dict[str, VenueQuote]:
        return self._view.quotes(symbols)

    def bars(self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None) -> pd.DataFrame:
        return self._view.bars(symbols, minutes, start, end)

    def terms(self, symbols: Iterable[str], fees: Fees | None = None) -> list[TradeTerms]:
        """Minimums of AssetPairs and fees of TradeVolume, unless ``fees`` are given; no fee is assumed."""
        known = [pair for symbol in symbols if (pair := self.reference.pair(symbol)) is not None]
        own = {} if fees is not None else self.reference.fees(pair.symbol for pair in known)
        quotes = self.quotes(pair.symbol for pair in known)
        found = []
        for pair in known:
            fee = fees or own[pair.symbol]
            quote = quotes.get(pair.symbol, VenueQuote())
            closed = "" if pair.online else f"Kraken has it in {pair.status} mode"
            found.append(TradeTerms(pair.symbol, quote.ask, pair.least(quote.ask), fee.maker, fee.taker, closed))
        return found

    def lists(self, symbol: str) -> bool:
        return self.reference.pair(symbol) is not None

    def trades(self, symbol: str) -> bool:
        # Asked before a stop is cancelled: what was read of the pair, its least volume too, has to be of now.
        self.reference.doubt(FRESH_S, FRESH_S)
        pair = self.reference.pair(symbol)
        if pair is not None and pair.online and self.reference.unread:
            raise VenueUnavailable(f"whether {symbol} is online now is not known, {self.reference.unread}")
        return pair is not None and pair.online

    def trades_fractions(self, symbol: str) -> bool:
        return self.lists(symbol)


def _as_sent(request: OrderRequest, txid: str, name: str, volume: Decimal, now: datetime) -> VenueOrder:
    """An order that was just taken, as it was asked for: the answer tells its id alone."""
    match request:
        case Single():
            kind, limit, stop = request.type, request.limit_price, request.stop_price
        case Bracket():
            kind, limit, stop = request.entry.type, request.entry.limit_price, request.entry.stop_price
        case StopOnly():
            kind, limit, stop = OrderType.STOP, None, request.stop
        case OcoExits():
            raise AssertionError
    order = VenueOrder(
        id=txid,
        client_order_id=name,
        symbol=request.symbol,
        side=request.side,
        type=kind,
        status="open",
        state=State.WORKING,
        quantity=volume,
        limit_price=limit or NOTHING,
        stop_price=stop or NOTHING,
        time_in_force="gtc",
        group=txid,
        listed_under=txid,
        created=now,
        submitted=now,
        updated=now,
        changed=now,
    )
    return replace(order, native=order)
