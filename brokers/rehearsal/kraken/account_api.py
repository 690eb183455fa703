"""Kraken's private methods that only tell: balances, fees, orders, trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from brokers.rehearsal.core.model import ZERO, Order
from brokers.rehearsal.kraken.errors import UNKNOWN_PAIR, KrakenError, invalid
from brokers.rehearsal.kraken.exchange import KrakenExchange
from brokers.rehearsal.kraken.orders.arguments import client_id, count, flag, text
from brokers.rehearsal.kraken.orders.bodies import Json, number, order_body, seconds, trade_body
from brokers.rehearsal.kraken.reference.listings import FeeTier

Call = Mapping[str, object]
PAGE, OFFSET_MOST = 50, 10**9
QUERIED_MOST = 20
MONEY, FEE = 4, 4
"""Decimals of amounts of money and of fees in per cent."""
TOKEN_LIFE_S = 900


class AccountApi:
    """The methods by name.

    Parameters
    ----------
    exchange : KrakenExchange
    """

    def __init__(self, exchange: KrakenExchange) -> None:
        self._exchange = exchange

    def methods(self) -> dict[str, Callable[[Call], object]]:
        """What each path below /0/private tells."""
        return {
            "Balance": self.balance,
            "BalanceEx": self.balance_ex,
            "TradeBalance": self.trade_balance,
            "TradeVolume": self.trade_volume,
            "OpenOrders": self.open_orders,
            "ClosedOrders": self.closed_orders,
            "QueryOrders": self.query_orders,
            "TradesHistory": self.trades_history,
            "QueryTrades": self.query_trades,
            "GetWebSocketsToken": self.token,
        }

    def balance(self, given: Call) -> Json:
        """All balances, held parts included."""
        lines = self._exchange.balances.lines()
        return {line.coin.key: line.text(line.amount) for line in lines}

    def balance_ex(self, given: Call) -> Json:
        """All balances, with what orders hold of them."""
        lines = self._exchange.balances.lines()
        return {
            line.coin.key: {"balance": line.text(line.amount), "hold_trade": line.text(line.held)} for line in lines
        }

    def trade_balance(self, given: Call) -> Json:
        """The account's worth; without margin nothing else can be told."""
        worth = number(self._exchange.balances.worth(), MONEY)
        nothing = number(ZERO, MONEY)
        return {"eb": worth, "tb": worth, "e": worth, "mf": worth, **dict.fromkeys(("m", "uv", "n", "c", "v"), nothing)}

    def trade_volume(self, given: Call) -> Json:
        """The volume of 30 days, and the account's own fees in the pairs that are asked for."""
        exchange = self._exchange
        told: Json = {"currency": "ZUSD", "volume": number(exchange.life.volume, MONEY)}
        names = [name for name in text(given, "pair").split(",") if name]
        pairs = [exchange.listed.pair(name) for name in names]
        if any(pair is None for pair in pairs):
            raise KrakenError(UNKNOWN_PAIR)
        if pairs:
            told["fees"] = {pair.key: self._fee(lambda tier: tier.taker) for pair in pairs if pair}
            told["fees_maker"] = {pair.key: self._fee(lambda tier: tier.maker) for pair in pairs if pair}
        return told

    def _fee(self, kind: Callable[[FeeTier], Decimal]) -> Json:
        exchange = self._exchange
        table = exchange.settings.fees or exchange.listed.fees
        now, then = exchange.life.tier()
        return {
            "fee": number(kind(now), FEE),
            "minfee": number(kind(table[-1]), FEE),
            "maxfee": number(kind(table[0]), FEE),
            "nextfee": number(kind(then), FEE) if then else None,
            "nextvolume": number(then.volume, MONEY) if then else None,
            "tiervolume": number(now.volume, MONEY),
        }

    def open_orders(self, given: Call) -> Json:
        """Every open order, of all pairs, in one answer."""
        found = self._filtered(self._exchange.open_orders(), given)
        return {"open": self._told(reversed_by_time(found), given)}

    def closed_orders(self, given: Call) -> Json:
        """Ended orders, newest first, 50 in a page."""
        found = [o for o in self._exchange.orders.values() if not o.open]
        by_opening = text(given, "closetime") == "open"
        start, end = self._bound(given, "start"), self._bound(given, "end")

        def time(order: Order) -> float:
            return seconds(order.created if by_opening else order.updated or order.created)

        found = [o for o in self._filtered(found, given) if start < time(o) <= end]
        found.sort(key=lambda order: (time(order), order.sequence), reverse=True)
        return {
            "closed": self._told(found[count(given, "ofs", 0, 0, OFFSET_MOST) :][:PAGE], given),
            "count": len(found),
        }

    def query_orders(self, given: Call) -> Json:
        """Orders by txid; one that nobody knows is not in the answer."""
        names = [name for name in text(given, "txid").split(",") if name]
        if not names or len(names) > QUERIED_MOST:
            raise invalid("txid")
        orders = [self._exchange.orders[name] for name in names if name in self._exchange.orders]
        return self._told(self._filtered(orders, given), given)

    def trades_history(self, given: Call) -> Json:
        """The account's trades, newest first, 50 in a page."""
        start, end = self._bound(given, "start"), self._bound(given, "end")
        found = [t for t in reversed(self._exchange.trades.values()) if start < seconds(t.at) <= end]
        terms = self._exchange.terms
        part = found[count(given, "ofs", 0, 0, OFFSET_MOST) :][:PAGE]
        return {"trades": {t.id: trade_body(t, terms[t.order.id]) for t in part}, "count": len(found)}

    def query_trades(self, given: Call) -> Json:
        """Trades by id."""
        names = [name for name in text(given, "txid").split(",") if name]
        if not names or len(names) > QUERIED_MOST:
            raise invalid("txid")
        known = [self._exchange.trades[name] for name in names if name in self._exchange.trades]
        return {trade.id: trade_body(trade, self._exchange.terms[trade.order.id]) for trade in known}

    def token(self, given: Call) -> Json:
        """What a client of the stream signs in with; this exchange has none."""
        return {"token": f"no-stream-here-{self._exchange.life.new_id()}", "expires": TOKEN_LIFE_S}

    def _told(self, orders: list[Order], given: Call) -> Json:
        terms, trades = self._exchange.terms, flag(given, "trades")
        return {order.id: order_body(order, terms[order.id], trades) for order in orders}

    def _filtered(self, orders: list[Order], given: Call) -> list[Order]:
        """Those of the client's id or the user reference that is asked for; a reference that is no number is none."""
        own, reference, terms = client_id(given), text(given, "userref"), self._exchange.terms
        if own is not None:
            orders = [o for o in orders if terms[o.id].cl_ord_id == own]
        if reference.lstrip("-").isdigit():
            orders = [o for o in orders if str(terms[o.id].userref) == reference]
        return orders

    def _bound(self, given: Call, name: str) -> float:
        """A time in seconds, or the id of an order or trade whose time counts."""
        value = text(given, name)
        if not value:
            return float("-inf") if name == "start" else float("inf")
        if value in self._exchange.orders:
            return seconds(self._exchange.orders[value].created)
        if value in self._exchange.trades:
            return seconds(self._exchange.trades[value].at)
        try:
            return float(value)
        except ValueError:
            raise invalid(name) from None


def reversed_by_time(orders: list[Order]) -> list[Order]:
    """Newest first."""
    return sorted(orders, key=lambda order: order.sequence, reverse=True)
