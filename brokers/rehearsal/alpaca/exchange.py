"""Alpaca's trading API as plain calls, with time and prices handed in: what a request does to the account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import ROUND_DOWN

from brokers.rehearsal.alpaca.errors import ApiError, not_found, unprocessable
from brokers.rehearsal.alpaca.json_bodies import Json, account_json, asset_json, order_json, position_json, update_json
from brokers.rehearsal.alpaca.orders import rules
from brokers.rehearsal.alpaca.orders.listing import OrderQuery, list_orders
from brokers.rehearsal.alpaca.orders.order_intake import build, build_replacement
from brokers.rehearsal.alpaca.orders.request_schema import number, read_order
from brokers.rehearsal.alpaca.us_hours import NEW_YORK_ZONE, US_HOURS
from brokers.rehearsal.core.faults import SHARE_STEP, FaultPlan
from brokers.rehearsal.core.hours import Phase
from brokers.rehearsal.core.ledger import Holding
from brokers.rehearsal.core.model import Asset, Order
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.core.venue import Venue

Emit = Callable[[Json], None]


class Exchange(Venue):
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
        super().__init__(symbols, now, US_HOURS, lambda event: emit(update_json(event)), settings, faults)

    def submit(self, payload: Mapping[str, object]) -> Json:
        """POST /v2/orders."""
        request = read_order(payload, self._state.settings)
        asset = self._asset(request.symbol)
        if request.fractional and not asset.fractionable:
            raise unprocessable(f'asset "{asset.symbol}" is not fractionable')
        order = build(self._state, request, asset, self._life.new_id)
        rules.check_new(self._state, order)
        self._life.accept(order)
        return order_json(order)

    def replace(self, order_id: str, patch: Mapping[str, object]) -> Json:
        """PATCH /v2/orders/{id}: the order that is to take the place of the old one, under a new id."""
        old = self._order(order_id)
        rules.check_replaceable(old)
        new = build_replacement(self._state, old, patch, self._life.new_id)
        rules.check_replacement(self._state, old, new)
        self._life.replace(old, new)
        return order_json(new, nested=False)

    def cancel(self, order_id: str) -> None:
        """DELETE /v2/orders/{id}: a promise, which a fill can still overtake."""
        order = self._order(order_id)
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
        """GET /v2/orders; see :func:`brokers.rehearsal.alpaca.orders.listing.list_orders`."""
        return self.listed(OrderQuery(status, limit, after, until, direction, nested, symbols))

    def listed(self, query: OrderQuery) -> list[Json]:
        """The same for a query with everything that can be asked."""
        return list_orders(self._state, query)

    def order(self, order_id: str, nested: bool = False) -> Json:
        """GET /v2/orders/{id}."""
        return order_json(self._order(order_id), nested)

    def order_by_client_id(self, client_order_id: str) -> Json:
        """GET /v2/orders:by_client_order_id."""
        order = self._state.by_client_id.get(client_order_id)
        if order is None:
            raise not_found(f"order not found for {client_order_id}")
        return order_json(order, nested=False)

    def positions(self) -> list[Json]:
        """GET /v2/positions, by symbol."""
        return [self.position(symbol) for symbol in sorted(self._state.ledger.holdings)]

    def position(self, symbol: str) -> Json:
        """GET /v2/positions/{symbol or asset id}."""
        holding = self._holding(symbol)
        held = self._state.held(holding.asset.symbol)
        return position_json(self._state.ledger, holding, held, self.now)

    def account(self) -> Json:
        """GET /v2/account."""
        return account_json(self._state.ledger, self._account_id, self._opened, self._state.reserved(), self.now)

    def clock(self) -> Json:
        """GET /v2/clock: New York times with their offset."""
        return {
            "timestamp": self.now.astimezone(NEW_YORK_ZONE).isoformat(),
            "is_open": self._state.phase is Phase.REGULAR,
            "next_open": US_HOURS.next_open(self.now).isoformat(),
            "next_close": US_HOURS.session_ahead(self.now).close.isoformat(),
        }

    def assets(self) -> list[Json]:
        """GET /v2/assets."""
        return [asset_json(asset) for asset in self._state.assets.values()]

    def asset(self, symbol: str) -> Json:
        """GET /v2/assets/{symbol or asset id}."""
        for asset in self._state.assets.values():
            if symbol in (asset.symbol, asset.id):
                return asset_json(asset)
        raise not_found(f"asset not found for {symbol}")

    def _holding(self, symbol: str) -> Holding:
        for holding in self._state.ledger.holdings.values():
            if symbol in (holding.asset.symbol, holding.asset.id):
                return holding
        raise not_found("position does not exist")

    def _order(self, order_id: str) -> Order:
        if order_id not in self._state.orders:
            raise not_found(f"order not found for {order_id}")
        return self._state.orders[order_id]

    def _asset(self, symbol: str) -> Asset:
        """The asset of a symbol or an asset id, if it can be traded."""
        assets = self._state.assets
        asset = assets.get(symbol) or next((a for a in assets.values() if a.id == symbol), None)
        if asset is None:
            raise unprocessable(f'asset "{symbol}" not found')
        if not asset.tradable:
            raise unprocessable(f"asset {asset.symbol} is not tradable")
        return asset
