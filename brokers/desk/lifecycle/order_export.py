"""The orders of a live run as the run's files want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brokers.journal import FilledOrder, Journal
from brokers.record import OrderRecord, RunRecord


def keep_orders(
    record: RunRecord,
    journal: Journal,
    skipped: Sequence[OrderRecord],
    slippage: Iterable[tuple[str, float, float]],
) -> None:
    """Put every order of the run into its record: what was sent, and what was approved and could not be.

    ``slippage`` has client order id, quote and average price of entries.
    """
    filled: dict[str, FilledOrder] = {f.order.client_order_id: f for f in journal.filled_orders()}
    slipped = {name: (quote, price) for name, quote, price in slippage}
    orders, of_run = [], journal.run_orders()
    for order in of_run:
        fill = filled.get(order.client_order_id)
        quote, price = slipped.get(order.client_order_id, (0.0, 0.0))
        sign = 1 if order.side == "buy" else -1
        orders.append(
            OrderRecord(
                time=order.decision_time,
                client_order_id=order.client_order_id,
                parent_id=order.parent_id,
                symbol=order.symbol,
                side=order.side,
                quantity=float(order.quantity),
                type=order.type,
                limit_price=None if order.limit_price is None else float(order.limit_price),
                stop_price=None if order.stop_price is None else float(order.stop_price),
                role=order.role,
                status="working" if order.remaining else str(order.state),
                filled_quantity=float(order.filled_quantity),
                filled_price=None if order.average_price is None else float(order.average_price),
                filled_time=None if fill is None else fill.last_fill,
                reason=order.reason,
                sent_time=order.journaled_at.astimezone(order.decision_time.tzinfo),
                slippage_usd=sign * (price - quote) * float(order.filled_quantity) if quote else 0.0,
            )
        )
    record.orders = sorted([*orders, *skipped], key=lambda o: o.time)
    record.fees = float(sum(order.fees for order in of_run))
    record.slippage_cost = sum(o.slippage_usd for o in orders)
    record.turnover = sum(o.filled_quantity * (o.filled_price or 0.0) for o in orders)
