"""What Lumibot asks of the account, answered from one snapshot for each iteration."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from lumibot.entities import Asset, Order, Position

from brokers.alpaca.client import VenueClient
from brokers.alpaca.errors import AlpacaRefusal
from brokers.alpaca.listings import account_of
from brokers.alpaca.payloads import Json
from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.lifecycle.link import DeskLink
from brokers.lumibot.order_tracker import OrderTracker
from brokers.network.figures import amount
from brokers.venue_errors import AccountUnreadable, VenueError, level_of

FRESH_S = 0.5
SNAPSHOT_BUDGET_S = 8.0
POSITION_FIELDS = (
    "asset_class",
    "symbol",
    "qty",
    "avg_entry_price",
    "unrealized_pl",
    "current_price",
    "side",
    "market_value",
)
GONE = (404, 422)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Snapshot:
    """The account as the venue last showed it; ``taken`` in local monotonic seconds, -inf for never.

    ``stale`` says that the last attempt to renew it failed. Open orders have their legs inside.
    """

    account: Json = field(default_factory=dict)
    positions: list[Json] = field(default_factory=list)
    orders: list[Json] = field(default_factory=list)
    taken: float = -math.inf
    stale: bool = True

    @property
    def age(self) -> float:
        """Local seconds since it was taken."""
        return time.monotonic() - self.taken


class SnapshotReader(OrderTracker):
    """The part of the broker that asks."""

    client: VenueClient
    link: DeskLink | None = None

    def _open_reader(self) -> None:
        self.snapshot = Snapshot()
        self._tried = -math.inf
        self._unanswered: dict[str, Order] = {}

    def refresh(self) -> bool:
        """Take a new snapshot; False if the venue could not be asked, and then the old one is marked stale."""
        self._tried = time.monotonic()
        try:
            with self.client.budget(SNAPSHOT_BUDGET_S):
                orders, positions, account = self._ask()
        except VenueError as error:
            self.snapshot.stale = True
            told = "the account could not be read (%s); it is as it was %.0f s ago"
            log.log(level_of(error), told, error, self.snapshot.age)
            return False
        self.snapshot = Snapshot(account, positions, orders, self._tried, stale=False)
        self._look_up_unanswered()
        return True

    def _ask(self) -> tuple[list[Json], list[Json], Json]:
        """Open orders, positions and account as Alpaca wrote them; a desk that has just looked gives its own look."""
        if self.link is not None:
            view = self.link.look()
            positions = [cast("Json", position.native) for position in view.positions.values()]
            return cast("list[Json]", view.listing), positions, cast("Json", view.account.native)
        # In this order what fills in between shows twice, as order and as position, rather than not at all.
        orders, positions, account = self.client.open_orders(), self.client.positions(), self.client.account()
        try:
            account_of(account)
        except ValueError as error:
            raise AccountUnreadable(f"the account cannot be read: {error}") from None
        return orders, positions, account

    def _get_balances_at_broker(self, quote_asset: Any, strategy: Any) -> tuple[float, float, float] | None:
        # Lumibot's sync begins with this call and repeats it at once where there is no answer.
        if time.monotonic() - max(self._tried, self.snapshot.taken) > FRESH_S:
            self.refresh()
        account = self.snapshot.account
        if not account:
            return None
        values = [float(amount(account, name)) for name in ("cash", "long_market_value", "short_market_value")]
        total = amount(account, "portfolio_value") or amount(account, "equity")
        return values[0], values[1] - values[2], float(total)

    def _pull_broker_positions(self, strategy: Any = None) -> list[Json]:
        return self.snapshot.positions

    def _pull_broker_position(self, asset: Asset) -> Json | None:
        return next((row for row in self.snapshot.positions if row.get("symbol") == asset.symbol), None)

    def _pull_position(self, strategy: Any, asset: Asset) -> Position | None:
        row = self._pull_broker_position(asset)
        return None if row is None else self._parse_broker_position(row, self._strategy_name_from_input(strategy))

    def _parse_broker_position(self, broker_position: Any, strategy: Any, orders: Any = None) -> Position:
        if isinstance(broker_position, Mapping):
            broker_position = SimpleNamespace(**{**dict.fromkeys(POSITION_FIELDS), **broker_position})
        return super()._parse_broker_position(broker_position, strategy, orders)

    def _pull_broker_all_orders(self) -> list[Json]:
        return self.snapshot.orders

    def _pull_all_orders(self, strategy_name: str, strategy_object: Any) -> list[Order]:
        return self.adopt(self.snapshot.orders, strategy_name, self.snapshot.taken)

    def _pull_broker_order(self, identifier: str) -> Json | None:
        """An order by the venue's id, or by ours while the venue's is not known; None if there is none."""
        if str(identifier) in self._unanswered:
            return self.client.order_by_client_id(str(identifier))
        try:
            return self.client.order(str(identifier))
        except AlpacaRefusal as refusal:
            if refusal.status in GONE:
                return None
            raise

    def _refresh_missing_active_order_from_broker(self, order_lumi: Order, *_: Any, **__: Any) -> bool:
        """Look an order up that is open here and not at the venue, once a snapshot."""
        known_since, taken = getattr(order_lumi, "_known_since", math.inf), self.snapshot.taken
        seen = getattr(order_lumi, "_looked_up", -math.inf)
        if order_lumi._closed_event.is_set() or self.snapshot.stale or not known_since < taken or seen == taken:
            return False
        order_lumi._looked_up = taken
        return self._look_up(order_lumi)

    def _look_up(self, order: Order) -> bool:
        try:
            raw = self._pull_broker_order(order.identifier)
        except VenueError as error:
            log.warning("%s could not be looked up: %s", order, error)
            return False
        if raw is not None:
            self.adopt([raw], order.strategy)
        return raw is not None

    def _look_up_unanswered(self) -> None:
        """Ask for orders without an answer; one that the venue does not have ends once the desk has given it up."""
        for name, order in list(self._unanswered.items()):
            try:
                raw = self.client.order_by_client_id(name)
            except VenueError as error:
                log.warning("%s is still without an answer: %s", name, error)
                continue
            if raw is not None:
                del self._unanswered[name]
                self._unprocessed_orders.remove(name, key="identifier")
                self.accept(order, raw)
            elif self.link is not None and self.link.given_up(name):
                del self._unanswered[name]
                refusal = OrderRefused(f"NOT_SENT: the venue has no order {name}")
                self._process_trade_event(order, self.ERROR_ORDER, error=refusal)
