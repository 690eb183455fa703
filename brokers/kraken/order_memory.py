"""Kraken's orders with few requests: what is open is listed, and what has ended since is asked for only then."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from brokers.kraken.answers.figures import moment
from brokers.kraken.answers.listings import listing_of, pair_name
from brokers.kraken.answers.names import Names, uuid_of
from brokers.kraken.connection.client import KrakenClient
from brokers.kraken.connection.rest import Json, urgently
from brokers.kraken.reference import Reference
from brokers.network.clock import VenueClock, elapsed
from brokers.venue_errors import RateLimited
from brokers.venue_values import OrderAck, UnreadOrder, VenueListing, VenueOrder

KEEP_S = 1.0
"""The venue's seconds for which a listing serves a second question of the same look."""
WAITS = timedelta(seconds=15)
"""So old a listing of open orders may be for which the rest of its look has waited for room below the rate limit."""
OVERLAP = timedelta(seconds=30)
"""Before the last listing of what has ended: Kraken's clock and ours are not the same."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
RETAINED = 1_000
"""So many orders that have ended are kept for further questions, the newest."""

Listed = VenueOrder | UnreadOrder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EndedOrder:
    """An order that is over: Kraken's words, what was read of them, and its end; None where that cannot be read."""

    row: Any
    order: Listed
    time: datetime | None


class OrderMemory:
    """Remembers which orders were open, so that it is seen which of them have ended.

    A listing of what has ended costs a request. It is asked for where an order that was open is open no more, where
    balances moved without one, and where somebody looks farther back than ever before.

    Parameters
    ----------
    client : KrakenClient
    reference : Reference
    names : Names
    clock : VenueClock
    query_s : float
        Least time between two listings of what has ended that no missing order asks for, the venue's seconds.
    """

    def __init__(
        self, client: KrakenClient, reference: Reference, names: Names, clock: VenueClock, query_s: float
    ) -> None:
        self._client = client
        self._reference = reference
        self._names = names
        self._clock = clock
        self._listed: tuple[datetime, dict[str, Listed]] | None = None
        self._listed_at = EARLIEST
        self._sells = False
        self._kept = False
        """Whether a look that found no room for its rest goes on with the listing."""
        self._open: dict[str, str] = {}
        self._pairs: dict[str, str] = {}
        self._ended: dict[str, EndedOrder] = {}
        self._back_to: datetime | None = None
        self._ended_at: datetime | None = None
        self._doubted = True
        self._others: set[str] = set()
        self._query = timedelta(seconds=query_s)

    def forget(self) -> None:
        """Something was sent: the next question is asked anew."""
        self._listed, self._kept = None, False

    def looked(self) -> None:
        """A look has had its answers: the next one lists what is open anew."""
        self._kept = False

    def doubt(self) -> None:
        """Balances moved: what has ended is listed at the next look, also where no order of ours is missing."""
        self._doubted = True

    @contextmanager
    def goes_on(self) -> Iterator[None]:
        """Around a step of a look: the next look goes on with the open orders of one that found no room for its rest.

        The few requests that there is room for bring a look to its end so, where orders listed anew would bring none.
        """
        try:
            yield
        except RateLimited:
            self._kept = self._listed is not None
            raise

    def sent(self, order: VenueOrder) -> None:
        """An order was taken: if no listing of open orders shows it, it has ended."""
        self._open[order.id] = self._pairs[order.id] = self._reference.known(order.symbol).key

    def pair_of(self, txid: str) -> str:
        """The pair of an order, for the count of its order work; empty where it is not known."""
        return self._pairs.get(txid, "")

    @property
    def sells(self) -> bool:
        """Whether an order was open that sells, when open orders were listed last: it holds coins of the account."""
        return self._sells

    def open_orders(self) -> VenueListing:
        """Every open order."""
        return self._told(self._open_now().values())

    def since(self, after: datetime) -> VenueListing:
        """Orders sent or ended after a time, and every one that is open."""
        now = self._clock.now()
        opened, listed = self._open_now(), self._clock.now()
        gone = [txid for txid in self._open if txid not in opened]
        farther = self._back_to is None or after < self._back_to
        rested = self._ended_at is None or elapsed(now, self._ended_at, self._query)
        if gone or farther or (self._doubted and rested):
            # After the first time only what is new: from the last listing of what has ended.
            start = after if farther or self._ended_at is None else min(after, self._ended_at - OVERLAP)
            self._keep(self._client.closed_orders(start), listed_as_ended=True)
            self._back_to = after if farther else self._back_to
            self._ended_at, self._doubted = now, False
        ended = {txid: there.order for txid, there in self._ended.items() if there.time is None or there.time >= after}
        found = opened | ended
        if lost := [txid for txid in gone if txid not in found]:
            found |= self._keep(self._client.orders(lost))
        self._retain()
        if self._listed is not None:
            # What has ended may have waited for room: meanwhile the listing of this look has not grown older for it.
            self._listed = self._listed[0] + max(timedelta(0), self._clock.now() - listed), opened
        for txid in gone:
            # One that Kraken does not know goes on being missed, and is asked for by the desk.
            self._open.pop(txid, None)
        return self._told(found.values())

    def _keep(self, rows: Json, *, listed_as_ended: bool = False) -> dict[str, Listed]:
        """Orders by txid as Kraken tells of them; those that have ended are kept, and read again only if told anew.

        One whose end cannot be read is kept where it was listed as ended, so that it stays unreadable, not absent.
        """
        known = {txid: self._ended[txid].order for txid, row in rows.items() if self._is_kept(txid, row)}
        news = self._read({txid: row for txid, row in rows.items() if txid not in known})
        for txid, order in news.items():
            is_open, ended = isinstance(order, VenueOrder) and order.open, _closed_at(rows[txid])
            if not is_open and (ended is not None or listed_as_ended):
                self._ended[txid] = EndedOrder(rows[txid], order, ended)
        return known | news

    def _is_kept(self, txid: str, row: Any) -> bool:
        there = self._ended.get(txid)
        return there is not None and there.row == row

    def _retain(self) -> None:
        """Let go of the oldest; whoever looks farther back than what is kept has it listed anew."""
        if len(self._ended) > RETAINED:
            newest_first = sorted(self._ended.items(), key=lambda item: item[1].time or EARLIEST, reverse=True)
            self._ended = dict(newest_first[:RETAINED])
            self._back_to = newest_first[RETAINED][1].time

    def by_id(self, txid: str) -> OrderAck | None:
        """One order; None if Kraken knows none of that id."""
        with urgently():
            return self._ack(self._client.orders([txid]), txid)

    def by_name(self, name: str) -> OrderAck | None:
        """The order of that name, open or ended; None if Kraken has none."""
        cl_ord_id = uuid_of(name)
        with urgently():
            return self._named(self._client.open_orders(cl_ord_id), cl_ord_id) or self._named(
                self._client.closed_orders(cl_ord_id=cl_ord_id), cl_ord_id
            )

    def _named(self, rows: Json, cl_ord_id: str) -> OrderAck | None:
        # A server that does not know the filter answers with everything.
        named = {txid: row for txid, row in rows.items() if isinstance(row, Mapping)}
        found = {txid: row for txid, row in named.items() if str(row.get("cl_ord_id") or "").lower() == cl_ord_id}
        return self._ack(found, next(iter(found))) if found else None

    def _open_now(self) -> dict[str, Listed]:
        if self._listed is not None and self._serves(self._listed[0], self._clock.now()):
            return self._listed[1]
        self._listed, self._kept = None, False
        listed = self._read(self._client.open_orders())
        # As of now: it may have waited for room longer than an answer serves.
        self._listed_at = now = self._clock.now()
        self._listed = now, listed
        self._sells = any(isinstance(o, VenueOrder) and o.open and o.side == "sell" for o in listed.values())
        for order in listed.values():
            if isinstance(order, VenueOrder):
                self.sent(order)
                self._tell_another_trader(order)
                if order.created is not None:
                    self._client.rates.born(order.id, max(0.0, (now - order.created).total_seconds()))
        return listed

    def _serves(self, listed: datetime, now: datetime) -> bool:
        """Whether a listing of open orders serves a question of now."""
        waited = self._kept and not elapsed(now, self._listed_at, WAITS)
        return waited or not elapsed(now, listed, timedelta(seconds=KEEP_S))

    def _tell_another_trader(self, order: VenueOrder) -> None:
        """Say once of an open order that another trader of this program may have sent it."""
        if order.id not in self._others and self._names.foreign(order.client_order_id):
            self._others.add(order.id)
            log.warning(
                "%s: the open order %s has an id of this program's form that the journal here does not know: another "
                "trader may trade this account, or this is not its state folder; let one trader alone trade an account",
                order.symbol,
                order.id,
            )

    def _read(self, rows: Json) -> dict[str, Listed]:
        self._reference.learn(filter(None, map(pair_name, rows.values())))
        listing = listing_of(rows, self._reference.pairs, self._names, self._clock.now())
        read: dict[str, Listed] = {order.id: order for order in listing.orders}
        return read | {order.id: order for order in listing.unread}

    def _told(self, listed: Iterable[Listed]) -> VenueListing:
        """The listing of orders, under the names that are known by now."""
        orders, unread = list[VenueOrder](), list[UnreadOrder]()
        for order in listed:
            if isinstance(order, UnreadOrder):
                names = tuple((txid, self._names.of(name)) for txid, name in order.relatives)
                unread.append(order if names == order.relatives else replace(order, relatives=names))
            else:
                name = self._names.of(order.client_order_id)
                orders.append(order if name == order.client_order_id else replace(order, client_order_id=name))
        return VenueListing(tuple(orders), tuple(unread), native=tuple(orders))

    def _ack(self, rows: Json, txid: str) -> OrderAck | None:
        if txid not in rows:
            return None
        listing = self._told(self._read(rows).values())
        order = next((order for order in listing.orders if order.id == txid), None)
        name = "" if order is None else order.client_order_id
        return OrderAck(txid, name, listing.orders, listing.unread, native=order)


def _closed_at(row: Any) -> datetime | None:
    """When an order ended; None for one that is open, and for what cannot be read, which the listing tells."""
    try:
        return moment(row.get("closetm")) if isinstance(row, Mapping) else None
    except ValueError:
        return None
