"""The rehearsal exchange: Alpaca's trading API as plain calls, with time and prices handed in.

Nothing happens between calls. :meth:`Exchange.advance` moves the clock and does what was promised; prices come
through :meth:`Exchange.on_quote` and :meth:`Exchange.on_bar`. Same seed and same calls, same answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import partial
from random import Random
from uuid import UUID

from brokers.rehearsal import rules
from brokers.rehearsal.errors import ApiError, not_found, unprocessable
from brokers.rehearsal.faults import SHARE_STEP, FaultPlan
from brokers.rehearsal.hours import NEW_YORK_ZONE, Phase, next_open, phase_at, session_ahead, session_on
from brokers.rehearsal.intake import build, build_replacement
from brokers.rehearsal.ledger import Holding, Ledger
from brokers.rehearsal.lifecycle import Emit, Lifecycle
from brokers.rehearsal.listing import OrderQuery, list_orders
from brokers.rehearsal.matching import Matcher
from brokers.rehearsal.model import Asset, Bar, Json
from brokers.rehearsal.settings import VenueSettings
from brokers.rehearsal.shapes import number, read_order
from brokers.rehearsal.state import State

TICK = timedelta(microseconds=1)


class Exchange:
    """One account at the rehearsal venue.

    Parameters
    ----------
    symbols : iterable of str or Asset
        What can be traded; a bare symbol becomes a fractionable, shortable NASDAQ share.
    now : datetime
        Where the clock starts; timezone-aware.
    emit : callable
        Gets each trade update as it happens: event, timestamp, order, execution_id, and for fills price,
        qty and position_qty.
    settings, faults : optional
        The venue's numbers, and the mishaps it plays.

    Raises
    ------
    ApiError
        From every method that stands for a request, where Alpaca would refuse it.
    """

    def __init__(
        self,
        symbols: Iterable[str | Asset],
        now: datetime,
        emit: Emit,
        settings: VenueSettings | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        settings = settings or VenueSettings()
        new_id = partial(_draw, Random(settings.seed))
        self._account_id, self._opened = new_id(), now
        assets = [s if isinstance(s, Asset) else Asset(new_id(), s, f"{s} Common Stock") for s in symbols]
        ledger = Ledger(settings, settings.cash_usd, settings.cash_usd)
        self._state = State(settings, now, ledger, {a.symbol: a for a in assets})
        self._life = Lifecycle(self._state, faults or FaultPlan(), new_id, emit)
        self._matcher = Matcher(self._life)

    @property
    def now(self) -> datetime:
        return self._state.now

    def submit(self, payload: Mapping[str, object]) -> Json:
        """POST /v2/orders."""
        request = read_order(payload, self._state.settings)
        asset = self._state.asset(request.symbol)
        if request.fractional and not asset.fractionable:
            raise unprocessable(f'asset "{asset.symbol}" is not fractionable')
        order = build(self._state, request, asset, self._life.new_id)
        rules.check_new(self._state, order)
        self._life.accept(order)
        return order.to_json()

    def replace(self, order_id: str, patch: Mapping[str, object]) -> Json:
        """PATCH /v2/orders/{id}: the order that is to take the place of the old one, under a new id."""
        old = self._state.order(order_id)
        rules.check_replaceable(old)
        new = build_replacement(self._state, old, patch, self._life.new_id)
        rules.check_replacement(self._state, old, new)
        self._life.replace(old, new)
        return new.to_json(nested=False)

    def cancel(self, order_id: str) -> None:
        """DELETE /v2/orders/{id}: a promise, which a fill can still overtake."""
        order = self._state.order(order_id)
        if not order.open or order.status in ("pending_cancel", "pending_replace"):
            raise unprocessable(f'order is already in "{order.status}" state')
        self._life.cancel(order)

    def cancel_all(self) -> list[Json]:
        """DELETE /v2/orders: the body of the 207 answer."""
        answers: list[Json] = []
        for order in list(self._state.open_orders()):
            try:
                self.cancel(order.id)
                status = 200
            except ApiError:
                status = 500
            answers.append({"id": order.id, "status": status})
        return answers

    def close_position(self, symbol: str, qty: object = None, percentage: object = None) -> Json:
        """DELETE /v2/positions/{symbol}: a market order over all of it, ``qty`` shares or ``percentage`` of 100."""
        holding = self._holding(symbol)
        shares, part = number(qty, "qty"), number(percentage, "percentage")
        if shares is not None and part is not None:
            raise unprocessable("only one of qty or percentage is accepted")
        existing = abs(holding.qty)
        if part is not None:
            if part > 100:
                raise unprocessable("percentage must be <= 100")
            shares = (existing * part / 100).quantize(SHARE_STEP, ROUND_DOWN).normalize()
        return self.submit(
            {
                "symbol": holding.asset.symbol,
                "qty": format(existing if shares is None else shares, "f"),
                "side": "sell" if holding.qty > 0 else "buy",
                "type": "market",
                "time_in_force": "day",
            }
        )

    def close_all(self, cancel_orders: bool = False) -> list[Json]:
        """DELETE /v2/positions: the body of the 207 answer, one entry for each position.

        With ``cancel_orders`` the venue itself waits for the shares that the cancelled orders held.
        """
        if cancel_orders:
            self.cancel_all()
            self._life.settle()
            self._state.ledger.releases.clear()
        answers: list[Json] = []
        for symbol in sorted(self._state.ledger.holdings):
            try:
                answers.append({"symbol": symbol, "status": 200, "body": self.close_position(symbol)})
            except ApiError as error:
                answers.append({"symbol": symbol, "status": error.status, "body": error.body})
        return answers

    def orders(
        self,
        status: str = "open",
        limit: int | None = None,
        after: datetime | None = None,
        until: datetime | None = None,
        direction: str = "desc",
        nested: bool = False,
        symbols: Collection[str] = (),
    ) -> list[Json]:
        """GET /v2/orders; see :func:`brokers.rehearsal.listing.list_orders`."""
        return list_orders(self._state, OrderQuery(status, limit, after, until, direction, nested, symbols))

    def order(self, order_id: str, nested: bool = False) -> Json:
        """GET /v2/orders/{id}."""
        return self._state.order(order_id).to_json(nested)

    def order_by_client_id(self, client_order_id: str) -> Json:
        """GET /v2/orders:by_client_order_id."""
        order = self._state.by_client_id.get(client_order_id)
        if order is None:
            raise not_found(f"order not found for {client_order_id}")
        return order.to_json(nested=False)

    def positions(self) -> list[Json]:
        """GET /v2/positions, by symbol."""
        return [self.position(symbol) for symbol in sorted(self._state.ledger.holdings)]

    def position(self, symbol: str) -> Json:
        """GET /v2/positions/{symbol or asset id}."""
        holding = self._holding(symbol)
        held = self._state.held(holding.asset.symbol)
        return self._state.ledger.position_json(holding, held, self.now)

    def account(self) -> Json:
        """GET /v2/account."""
        return self._state.ledger.account_json(self._account_id, self._opened, self._state.reserved(), self.now)

    def clock(self) -> Json:
        """GET /v2/clock: New York times with their offset."""
        return {
            "timestamp": self.now.astimezone(NEW_YORK_ZONE).isoformat(),
            "is_open": phase_at(self.now) is Phase.REGULAR,
            "next_open": next_open(self.now).isoformat(),
            "next_close": session_ahead(self.now).close.isoformat(),
        }

    def assets(self) -> list[Json]:
        """GET /v2/assets."""
        return [asset.to_json() for asset in self._state.assets.values()]

    def asset(self, symbol: str) -> Json:
        """GET /v2/assets/{symbol or asset id}."""
        for asset in self._state.assets.values():
            if symbol in (asset.symbol, asset.id):
                return asset.to_json()
        raise not_found(f"asset not found for {symbol}")

    def advance(self, now: datetime) -> None:
        """Move the clock: settle promises, age orders, and match what is new against the last prices.

        Raises
        ------
        ValueError
            If ``now`` lies before the exchange's time.
        """
        if now < self.now:
            raise ValueError(f"the exchange is at {self.now.isoformat()}, it cannot go back to {now.isoformat()}")
        if _day(now) != _day(self.now):
            self._state.ledger.new_day()
        self._state.now = now
        self._life.settle()
        for symbol in sorted({order.symbol for order in self._state.open_orders()}):
            price = self._state.live_price(symbol)
            if price is not None:
                self._match(symbol, price, price)

    def on_quote(self, time: datetime, prices: Mapping[str, Decimal]) -> None:
        """New last prices, USD by symbol; bid and ask follow from them."""
        self.advance(time)
        for symbol, price in sorted(prices.items()):
            self._match(symbol, price, price)

    def on_bar(self, time: datetime, bars: Mapping[str, Bar], length: timedelta) -> None:
        """Let a bar of ``length`` that opens at ``time`` happen: open, both extremes a third apart, close.

        A bar that would end after the phase of the day it began in ends with it, so that its close still counts.
        """
        for at, prices in self.open_bar(time, bars, length):
            self.walk(at, prices)

    def open_bar(
        self, time: datetime, bars: Mapping[str, Bar], length: timedelta
    ) -> list[tuple[datetime, dict[str, Decimal]]]:
        """Let a bar begin.

        Returns
        -------
        list of tuple
            Three times, each with the prices to :meth:`walk` to: both extremes and the close. Which extreme
            comes first is settled now, by the positions and orders at the open.
        """
        end = _bar_end(time, length)
        self.on_quote(time, {symbol: bar.open for symbol, bar in bars.items()})
        paths = {symbol: self._matcher.path(symbol, bar) for symbol, bar in bars.items()}
        return [
            (time + (end - time) * (step + 1) / 3, {symbol: path[step] for symbol, path in paths.items()})
            for step in range(3)
        ]

    def walk(self, time: datetime, prices: Mapping[str, Decimal]) -> None:
        """Let prices go from where they are to ``prices``, USD by symbol, trading all that lies between."""
        self.advance(time)
        for symbol, price in sorted(prices.items()):
            self._match(symbol, self._state.ledger.prices[symbol], price)

    def _match(self, symbol: str, start: Decimal, end: Decimal) -> None:
        self._matcher.move(symbol, start, end)
        self._matcher.end_at_once_orders(symbol)

    def _holding(self, symbol: str) -> Holding:
        for holding in self._state.ledger.holdings.values():
            if symbol in (holding.asset.symbol, holding.asset.id):
                return holding
        raise not_found("position does not exist")


def _draw(ids: Random) -> str:
    return str(UUID(int=ids.getrandbits(128), version=4))


def _day(time: datetime) -> object:
    return time.astimezone(NEW_YORK_ZONE).date()


def _bar_end(time: datetime, length: timedelta) -> datetime:
    """The last moment of a bar that also belongs to the phase it began in."""
    end = time + length
    session = session_on(time.astimezone(NEW_YORK_ZONE).date())
    if session is not None:
        phases = (session.pre_open, session.open, session.close, session.post_close)
        end = min([end, *(boundary for boundary in phases if boundary > time)])
    return end - TICK
