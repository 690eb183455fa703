"""Kraken's private methods that trade: what a request does to the account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from brokers.rehearsal.core.model import ZERO, Order
from brokers.rehearsal.kraken.account.counters import ADD, AMEND, CANCEL, EDIT, cost
from brokers.rehearsal.kraken.errors import INVALID_ARGUMENTS, UNAVAILABLE, UNKNOWN_ORDER, KrakenError, invalid
from brokers.rehearsal.kraken.exchange import CANCEL_ONLY, MAINTENANCE, POST_ONLY_MODE, KrakenExchange
from brokers.rehearsal.kraken.orders import rules
from brokers.rehearsal.kraken.orders.amending import edited, read_amend
from brokers.rehearsal.kraken.orders.arguments import check_deadline, client_id, count, flag, text
from brokers.rehearsal.kraken.orders.bodies import Json, description, number
from brokers.rehearsal.kraken.orders.request import OrderRequest, find_pair, read_order
from brokers.rehearsal.kraken.orders.terms import of_request
from brokers.rehearsal.kraken.reference.listings import Pair

Call = Mapping[str, object]
BATCH_LEAST, BATCH_MOST, CANCELS_MOST = 2, 15, 50
LONGEST_TIMER_S = 86_400
REPLACED = "Order replaced"


class TradingApi:
    """The methods by name.

    Parameters
    ----------
    exchange : KrakenExchange
    """

    def __init__(self, exchange: KrakenExchange) -> None:
        self._exchange = exchange

    def methods(self) -> dict[str, Callable[[Call], object]]:
        """What each path below /0/private does."""
        return {
            "AddOrder": self.add_order,
            "AddOrderBatch": self.add_orders,
            "AmendOrder": self.amend_order,
            "EditOrder": self.edit_order,
            "CancelOrder": self.cancel_order,
            "CancelOrderBatch": self.cancel_orders,
            "CancelAll": self.cancel_all,
            "CancelAllOrdersAfter": self.cancel_all_after,
        }

    def add_order(self, given: Call) -> Json:
        """Place an order, or only look whether it could be placed."""
        request = read_order(given, self._exchange.listed, self._exchange.now)
        self._exchange.counters.order(request.pair.key, ADD, self._exchange.now)
        return self._place(request, given, once=True)

    def _place(self, request: OrderRequest, given: Call, once: bool, replaces: Order | None = None) -> Json:
        exchange = self._exchange
        self._check_status(request.pair, request.post_only)
        of_pair = [o for o in exchange.open_orders() if o.symbol == request.pair.symbol and o is not replaces]
        exchange.counters.room(len(of_pair))
        ids = {exchange.terms[o.id].cl_ord_id for o in exchange.open_orders() if o is not replaces}
        rules.check_unique(request.cl_ord_id, ids)
        order = exchange.draft(request)
        exchange.check(order, request, replaces)
        terms = of_request(request, exchange.now, given)
        told = description(order, terms)
        if request.validate:
            return {"descr": told}
        if replaces is not None:
            exchange.withdraw(replaces, REPLACED)
        exchange.place(order, terms)
        return {"descr": told, "txid": [order.id] if once else order.id}

    def add_orders(self, given: Call) -> Json:
        """Place 2 to 15 orders of one pair; each may be refused alone."""
        orders = given.get("orders")
        pair = find_pair(given, self._exchange.listed)
        if not isinstance(orders, list) or not BATCH_LEAST <= len(orders) <= BATCH_MOST:
            raise invalid("orders")
        common = {name: given[name] for name in ("deadline", "validate") if name in given}
        each = [{**flattened(order), **common, "pair": pair.key} for order in orders if isinstance(order, Mapping)]
        if len(each) < len(orders):
            raise invalid("orders")
        requests = [read_order(order, self._exchange.listed, self._exchange.now) for order in each]
        self._exchange.counters.order(pair.key, ADD + len(each) / 2, self._exchange.now)
        answers: list[Json] = []
        for request, order in zip(requests, each, strict=True):
            try:
                answers.append(self._place(request, order, once=False))
            except KrakenError as error:
                terms = of_request(request, self._exchange.now, order)
                descr = {"order": description(self._exchange.draft(request), terms)["order"]}
                answers.append({"error": str(error), "descr": descr})
        return {"orders": answers}

    def amend_order(self, given: Call) -> Json:
        """Change quantity and prices of an open order in its place."""
        exchange, order = self._exchange, self._one(given)
        terms = exchange.terms[order.id]
        check_deadline(given, exchange.now)
        exchange.counters.order(terms.pair.key, cost(AMEND, terms.created, exchange.now), exchange.now)
        self._check_status(terms.pair, flag(given, "post_only") or "post" in terms.flags)
        changed, moved = read_amend(order, terms, given)
        if changed.qty is not None and changed.qty > order.filled_qty:
            rules.check_minimums(terms.pair, changed, ZERO)
            if moved or changed.qty != order.qty:
                rules.check_funds(exchange.life.funds, changed, order)
        bid_ask = exchange.bid_ask(terms.pair)
        if bid_ask is not None and moved and (flag(given, "post_only") or "post" in terms.flags):
            rules.check_post_only(changed, *bid_ask)
        if not exchange.life.faults.refuses_replace():
            exchange.amend(order, changed, moved)
        return {"amend_id": f"T{exchange.life.new_id()[1:]}"}

    def edit_order(self, given: Call) -> Json:
        """Put another order, with another id, in the place of an open one."""
        exchange, order = self._exchange, self._one(given)
        terms = exchange.terms[order.id]
        exchange.counters.order(terms.pair.key, cost(EDIT, terms.created, exchange.now), exchange.now)
        parameters = edited(terms, given, order.remaining(ZERO))
        request = read_order(parameters, exchange.listed, exchange.now)
        told = self._place(request, parameters, once=False, replaces=order)
        decimals = request.pair.pair_decimals
        prices = (request.trigger_price or request.limit, request.limit if request.trigger_price else None)
        return {
            "status": "ok",
            "originaltxid": order.id,
            **({"txid": told["txid"]} if "txid" in told else {}),
            "volume": number(request.volume, 8),
            "price": number(prices[0] or ZERO, decimals),
            "price2": number(prices[1] or ZERO, decimals),
            "orders_cancelled": 0 if request.validate else 1,
            "descr": told["descr"],
        }

    def cancel_order(self, given: Call) -> Json:
        """Cancel one order by txid or cl_ord_id, or all of a user reference."""
        orders = self._named(given)
        if not orders:
            raise KrakenError(UNKNOWN_ORDER)
        return self._cancel(orders)

    def cancel_orders(self, given: Call) -> Json:
        """Cancel up to 50 orders; those that are gone are not counted."""
        names = [*_texts(given, "orders"), *_texts(given, "cl_ord_ids")]
        if not names or len(names) > CANCELS_MOST:
            raise invalid("orders")
        exchange = self._exchange
        orders = [o for o in exchange.open_orders() if o.id in names or exchange.terms[o.id].cl_ord_id in names]
        if not orders:
            raise KrakenError(UNKNOWN_ORDER)
        return self._cancel(orders)

    def cancel_all(self, given: Call) -> Json:
        """Cancel every open order, of whatever pair."""
        self._check_not_closed()
        orders = [o for o in self._exchange.open_orders() if o.status != "pending_cancel"]
        for order in orders:
            self._exchange.cancel(order)
        return {"count": len(orders)}

    def cancel_all_after(self, given: Call) -> Json:
        """Cancel every open order in so many seconds unless it is asked again; 0 ends that."""
        seconds = count(given, "timeout", -1, 0, LONGEST_TIMER_S)
        now = self._exchange.now
        self._exchange.timer = now + timedelta(seconds=seconds) if seconds else None
        timer = self._exchange.timer
        return {"currentTime": _instant(now), "triggerTime": "0" if timer is None else _instant(timer)}

    def _cancel(self, orders: list[Order]) -> Json:
        self._check_not_closed()
        exchange, pending, count = self._exchange, False, 0
        for order in orders:
            if not order.open:
                continue
            terms = exchange.terms[order.id]
            exchange.counters.order(terms.pair.key, cost(CANCEL, terms.created, exchange.now), exchange.now)
            pending = exchange.cancel(order) or pending
            count += 1
        return {"count": count, "pending": True} if pending else {"count": count}

    def _check_status(self, pair: Pair, post_only: bool) -> None:
        """KrakenError where the exchange, or the pair, takes no such order now."""
        status = self._exchange.status_of(pair)
        if status == MAINTENANCE:
            raise KrakenError(UNAVAILABLE)
        if status == CANCEL_ONLY or (status == POST_ONLY_MODE and not post_only):
            raise KrakenError(f"EService:Market in {status} mode")

    def _check_not_closed(self) -> None:
        if self._exchange.status == MAINTENANCE:
            raise KrakenError(UNAVAILABLE)

    def _named(self, given: Call) -> list[Order]:
        """The open orders that a request names, by txid, by the client's id or by user reference."""
        exchange, txid, own = self._exchange, text(given, "txid"), client_id(given)
        if not txid and own is None:
            raise KrakenError(INVALID_ARGUMENTS)
        terms = exchange.terms
        return [
            order
            for order in exchange.open_orders()
            if (txid in (order.id, str(terms[order.id].userref)) if txid else terms[order.id].cl_ord_id == own)
        ]

    def _one(self, given: Call) -> Order:
        orders = self._named(given)
        if len(orders) != 1 or orders[0].status == "pending_cancel":
            raise KrakenError(UNKNOWN_ORDER)
        return orders[0]


def flattened(given: Mapping[str, object]) -> dict[str, object]:
    """Parameters of a JSON body named as those of a form: ``{"close": {"price": 1}}`` is ``close[price]``."""
    flat: dict[str, object] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}[{inner}]": part for inner, part in value.items()})
        else:
            flat[name] = value
    return flat


def _texts(given: Call, name: str) -> list[str]:
    value = given.get(name)
    return [str(part) for part in value] if isinstance(value, list) else []


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
