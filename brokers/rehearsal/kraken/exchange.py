"""One account at the rehearsed Kraken: its orders placed, amended, cancelled, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from random import Random

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.hours import AlwaysOpen
from brokers.rehearsal.core.lifecycle import Emit, makes
from brokers.rehearsal.core.model import ZERO, Order, OrderEvent
from brokers.rehearsal.core.state import State
from brokers.rehearsal.core.venue import Venue
from brokers.rehearsal.kraken.account.balances import Balances
from brokers.rehearsal.kraken.account.counters import Counters
from brokers.rehearsal.kraken.errors import CANCEL_PENDING, KrakenError, invalid
from brokers.rehearsal.kraken.lifecycle import KrakenLifecycle
from brokers.rehearsal.kraken.orders import rules
from brokers.rehearsal.kraken.orders.request import KINDS, OrderRequest
from brokers.rehearsal.kraken.orders.terms import Terms, Trade, of_closing
from brokers.rehearsal.kraken.reference.listings import LOT_DECIMALS, Listings, Pair
from brokers.rehearsal.kraken.settings import UNLIMITED, KrakenSettings

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ONLINE, MAINTENANCE, CANCEL_ONLY, POST_ONLY_MODE = "online", "maintenance", "cancel_only", "post_only"
STATUSES = (ONLINE, MAINTENANCE, CANCEL_ONLY, POST_ONLY_MODE)
FIRST_TRADE = 40_000_000
BY_USER, BY_TIMER = "User requested", "Cancel all orders after timer"


class KrakenExchange(Venue):
    """The account and its market.

    Parameters
    ----------
    listed : Listings
        The pairs that are traded.
    now : datetime
        Where the clock starts; timezone-aware.
    settings : KrakenSettings, optional
    faults : FaultPlan, optional
    emit : callable, optional
        Gets each event of an order as it happens.

    Attributes
    ----------
    terms, trades : dict
        Of every order and of every fill, by id.
    counters : Counters
    pair_status : dict
        Status of a pair by its key where it is not the exchange's.
    """

    def __init__(
        self,
        listed: Listings,
        now: datetime,
        settings: KrakenSettings | None = None,
        faults: FaultPlan | None = None,
        emit: Emit | None = None,
    ) -> None:
        self.settings, self.listed = settings or KrakenSettings(), listed
        self._status = ONLINE
        self.pair_status: dict[str, str] = {}
        self.terms: dict[str, Terms] = {}
        self.trades: dict[str, Trade] = {}
        tier = self.settings.tier
        self.counters = Counters(None if tier == UNLIMITED else listed.limits[tier])
        self._told_to = emit
        self.timer: datetime | None = None
        assets = [pair.asset(self.settings.spread_ticks) for pair in listed.pairs.values()]
        super().__init__(assets, now, AlwaysOpen(), self._on_event, self.settings.of_the_venue(), faults)
        self.balances = Balances(self._state, self.life.funds, listed, self.settings)

    def _lifecycle(self, state: State, faults: FaultPlan, new_id: Callable[[], str], emit: Emit) -> KrakenLifecycle:
        ids = Random(self.settings.seed)
        return KrakenLifecycle(state, faults, lambda: draw(ids), emit, self.settings, self.listed, self.terms)

    @property
    def life(self) -> KrakenLifecycle:
        """What moves the orders."""
        assert isinstance(self._life, KrakenLifecycle)
        return self._life

    @property
    def orders(self) -> dict[str, Order]:
        """Every order ever taken, by id, oldest first."""
        return self._state.orders

    @property
    def status(self) -> str:
        """What SystemStatus tells."""
        return self._status

    def set_status(self, status: str) -> None:
        """Put the whole exchange into a state; while it is not online, no order is matched."""
        if status not in STATUSES:
            raise ValueError(f"{status} is no status of the exchange; it is one of {', '.join(STATUSES)}")
        returns = self._status == MAINTENANCE != status
        self._status = status
        if returns and self.timer is not None:
            # The engine comes back without what was to be cancelled if the client fell silent.
            self._run_out()
        self.advance(self.now)

    def status_of(self, pair: Pair) -> str:
        """The status of a pair."""
        return self.pair_status.get(pair.key, self._status)

    def last(self, pair: Pair) -> Decimal | None:
        """The last price; None before the first."""
        return self._state.ledger.prices.get(pair.symbol)

    def bid_ask(self, pair: Pair) -> tuple[Decimal, Decimal] | None:
        """Best bid and ask; None before the first price."""
        last = self.last(pair)
        return None if last is None else self._state.ledger.bid_ask(last, self._state.assets[pair.symbol])

    def open_orders(self) -> list[Order]:
        """What is not ended, oldest first."""
        return list(self._state.open_orders())

    def advance(self, now: datetime) -> None:
        """Move the clock; where the client's timer runs out meanwhile, all orders are cancelled."""
        if self.timer is not None and now >= self.timer > self.now:
            super().advance(self.timer)
            self._run_out()
        super().advance(now)

    def _run_out(self) -> None:
        self.timer = None
        for order in self.open_orders():
            self.terms[order.id].reason = BY_TIMER
            self.life.end(order, "canceled")

    def draft(self, request: OrderRequest) -> Order:
        """The order that a request asks for, neither checked nor taken."""
        pair, now = request.pair, self.now
        bid_ask = self.bid_ask(pair)
        ask = ZERO if bid_ask is None else bid_ask[1]
        qty = request.volume
        if request.by_cost:
            qty = (qty / ask).quantize(Decimal(1).scaleb(-LOT_DECIMALS), ROUND_DOWN) if ask else ZERO
        txid = self.life.new_id()
        return Order(
            txid,
            request.cl_ord_id or txid,
            len(self.orders),
            self._state.assets[pair.symbol],
            request.side,
            KINDS[request.ordertype],
            _life(request),
            qty,
            None,
            now,
            max(request.starts or now, now),
            request.expires,
            limit_price=request.limit,
            stop_price=request.trigger_price,
            trail_price=request.trail.distance if request.trail else None,
            trail_percent=request.trail.percent if request.trail else None,
            closing=request.closing,
            fee_in_units=request.side == "buy" and "fcib" in request.flags,
        )

    def check(self, order: Order, request: OrderRequest, replaces: Order | None) -> None:
        """KrakenError where market or account forbid a draft; ``replaces`` is the order whose place it takes."""
        pair, bid_ask = request.pair, self.bid_ask(request.pair)
        rules.check_market(order, self.last(pair))
        rules.check_minimums(pair, order, ZERO if bid_ask is None else bid_ask[1])
        if request.post_only and bid_ask is not None:
            rules.check_post_only(order, *bid_ask)
        rules.check_funds(self.life.funds, order, replaces)

    def place(self, order: Order, terms: Terms) -> None:
        """Take in a draft; it works, and may execute, before this returns."""
        self.terms[order.id] = terms
        self.life.accept(order)
        self.advance(self.now)

    def amend(self, order: Order, terms: Order, moved: bool) -> None:
        """Give an open order the quantity and prices of ``terms``; where it ``moved``, it queues anew."""
        order.qty, order.limit_price, order.stop_price = terms.qty, terms.limit_price, terms.stop_price
        order.trail_percent, order.trail_price = terms.trail_percent, terms.trail_price
        order.updated = self.terms[order.id].created = self.now
        order.rested = order.rested and not moved
        if order.qty is not None and order.qty <= order.filled_qty:
            self.terms[order.id].reason = BY_USER
            self.life.end(order, "canceled")
        self.advance(self.now)

    def cancel(self, order: Order, reason: str = BY_USER) -> bool:
        """Cancel an open order; whether it goes on working for a while."""
        if order.status == "pending_cancel":
            raise KrakenError(CANCEL_PENDING)
        self.terms[order.id].reason = reason
        self.life.cancel(order)
        self.advance(self.now)
        return order.open

    def withdraw(self, order: Order, reason: str) -> None:
        """End an open order at once, as another one takes its place, and with it what the order holds."""
        self.terms[order.id].reason = reason
        ledger = self._state.ledger
        waiting = list(ledger.releases)
        self.life.end(order, "canceled")
        ledger.releases[:] = waiting

    def foreign_order(self, shown_as: str, side: str, symbol: str, qty: Decimal, stop_price: Decimal) -> Order:
        """An order that somebody else has put into the account, of a type that this exchange does not trade.

        It rests like a stop at ``stop_price`` and is told as ``shown_as``, for example ``settle-position``.
        """
        pair = self.listed.pair(symbol)
        if pair is None:
            raise invalid("pair")
        txid = self.life.new_id()
        order = Order(
            txid,
            txid,
            len(self.orders),
            self._state.assets[pair.symbol],
            side,
            "stop",
            "gtc",
            qty,
            None,
            self.now,
            self.now,
            None,
            stop_price=stop_price,
        )
        self.terms[txid] = Terms(pair, shown_as, self.now, reference="last")
        self.life.accept(order)
        self.advance(self.now)
        return order

    def _match(self, symbol: str, start: Decimal, end: Decimal) -> None:
        """Prices go on while the engine stands still; orders don't."""
        pair = self.listed.pair(symbol)
        if pair is not None and self.status_of(pair) == ONLINE:
            super()._match(symbol, start, end)
            return
        self._state.ledger.prices[symbol] = end
        self._state.ledger.priced_at[symbol] = self.now

    def _on_event(self, event: OrderEvent) -> None:
        order = event.order
        if order.id not in self.terms and order.parent is not None:
            self.terms[order.id] = of_closing(order, self.terms[order.parent], self.now)
        if event.execution is not None:
            done = event.execution
            trade = Trade(
                f"T{done.id[1:]}",
                FIRST_TRADE + len(self.trades),
                order,
                event.at,
                done.price,
                done.qty,
                order.asset.money(done.qty * done.price),
                done.fee,
                makes(order),
            )
            self.trades[trade.id] = trade
            self.terms[order.id].fills.append(trade.id)
            if not order.open:
                # A cancel that came too late is no reason for anything.
                self.terms[order.id].reason = None
            self.balances.settle()
        if self._told_to is not None:
            self._told_to(event)


def _life(request: OrderRequest) -> str:
    """How long the core keeps it: what has an end expires, whatever it is called."""
    return "gtd" if request.expires else request.time_in_force.lower()


def draw(ids: Random) -> str:
    """An id in Kraken's form."""
    letters = "".join(ids.choices(LETTERS, k=16))
    return f"O{letters[:5]}-{letters[5:10]}-{letters[10:]}"
