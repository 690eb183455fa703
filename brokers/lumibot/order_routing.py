"""What both Lumibot brokers do alike: orders that a strategy changes, cancels or closes leave through the desk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from brokers.desk.execution.order_gateway import OrderRefused
from brokers.order_types import RefusalCode
from brokers.venue_errors import OutcomeUnknown, VenueError
from brokers.venue_requests import OrderChange

if TYPE_CHECKING:
    from lumibot.entities import Order

    from brokers.ports import OrderRouter
    from brokers.venue_values import OrderAck

log = logging.getLogger(__name__)


class RoutedOrders:
    """A Lumibot broker whose orders go through ``router``; without one it sends none."""

    router: OrderRouter | None = None

    def _prices(self, limit_price: float | None, stop_price: float | None) -> OrderChange:
        """What a change asks for, as exact prices."""
        raise NotImplementedError

    def _take_change(self, order: Order, ack: OrderAck) -> None:
        """Bring Lumibot's order to what the venue made of a change."""
        raise NotImplementedError

    def _cancel_refused(self, order: Order) -> None:
        """Find out what became of an order that could not be cancelled; by default the next look shows it."""

    def _modify_order(self, order: Order, limit_price: float | None = None, stop_price: float | None = None) -> None:
        """Change prices.

        Raises
        ------
        OrderRefused, VenueError
            It was not done or may not have been. Lumibot writes the new price on the order of its own accord
            unless it is told so.
        """
        change = self._prices(limit_price, stop_price)
        if change != OrderChange() and not order._closed_event.is_set():
            self._take_change(order, self._required_router().replace(str(order.identifier), change))

    def cancel_order(self, order: Order) -> None:
        """Ask for a cancel; what comes of it is told by the stream or the next look."""
        try:
            self._required_router().cancel(str(order.identifier))
        except OutcomeUnknown as error:
            log.warning("cancel of %s without an answer: %s", order, error)
        except (OrderRefused, VenueError) as error:
            log.warning("cancel of %s refused: %s", order, error)
            self._cancel_refused(order)

    def sell_all(
        self, strategy_name: str, cancel_open_orders: bool = True, strategy: Any = None, is_multileg: bool = False
    ) -> None:
        """Close every position of ours through the router, which cancels what holds the shares and waits for them."""
        try:
            self._required_router().sell_all(end_entries=cancel_open_orders)
        except (OrderRefused, VenueError) as error:
            log.warning("sell_all was refused: %s", error)

    def _required_router(self) -> OrderRouter:
        if self.router is None:
            raise OrderRefused(f"{RefusalCode.NO_ROUTER}: this broker sends no orders")
        return self.router
