"""Alpaca's trading API as paths: which call of the exchange a request stands for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from brokers.rehearsal.alpaca.activities import Activities
from brokers.rehearsal.alpaca.calendar import sessions
from brokers.rehearsal.alpaca.errors import not_found, unprocessable
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.alpaca.json_bodies import Json
from brokers.rehearsal.alpaca.orders.listing import read_query
from brokers.rehearsal.alpaca.portfolio_history import PortfolioHistory
from brokers.rehearsal.alpaca.queries import choose, flag, names
from brokers.rehearsal.alpaca.routes import Call, Routes

MULTI_STATUS, NO_CONTENT = 207, 204
ASSET_CLASSES = (
    "us_equity",
    "us_option",
    "crypto",
    "crypto_perp",
    "treasury",
    "corporate",
    "global_equity",
    "us_index",
    "us_equity_chain",
    "ipo",
)
EXCHANGES = ("AMEX", "ARCA", "BATS", "NYSE", "NASDAQ", "NYSEARCA", "OTC", "CRYPTO")
ATTRIBUTES = (
    "ptp_no_exception",
    "ptp_with_exception",
    "ipo",
    "has_options",
    "options_late_close",
    "fractional_eh_enabled",
    "overnight_tradable",
    "overnight_halted",
)


class TradingApi:
    """The paths below /v2 that trade.

    Parameters
    ----------
    exchange : Exchange
    activities : Activities
    history : PortfolioHistory
    clock_skew_s : callable
        Seconds by which the timestamp of /v2/clock is wrong, asked at each request.
    """

    def __init__(
        self,
        exchange: Exchange,
        activities: Activities,
        history: PortfolioHistory,
        clock_skew_s: Callable[[], float],
    ) -> None:
        self._exchange, self._activities, self._equity = exchange, activities, history
        self._clock_skew_s = clock_skew_s

    def add_to(self, routes: Routes) -> None:
        """Register every path."""
        exchange = self._exchange
        routes.add("GET", "/v2/account", lambda call: exchange.account())
        routes.add("GET", "/v2/account/activities", lambda call: self._activities.listed(call.query))
        routes.add("GET", "/v2/account/activities/{}", self._activities_of)
        routes.add("GET", "/v2/account/portfolio/history", self._history)
        routes.add("GET", "/v2/clock", self._clock)
        routes.add("GET", "/v2/calendar", lambda call: sessions(call.query))
        routes.add("GET", "/v2/assets", self._assets)
        routes.add("GET", "/v2/assets/{}", lambda call: exchange.asset(*call.ids))
        routes.add("GET", "/v2/orders", lambda call: exchange.listed(read_query(call.query)))
        routes.add("POST", "/v2/orders", lambda call: exchange.submit(call.payload))
        routes.add("DELETE", "/v2/orders", lambda call: exchange.cancel_all(), MULTI_STATUS)
        routes.add("GET", "/v2/orders:by_client_order_id", self._order_by_client_id)
        routes.add("GET", "/v2/orders/{}", lambda call: exchange.order(call.ids[0], flag(call.query, "nested")))
        routes.add("PATCH", "/v2/orders/{}", lambda call: exchange.replace(call.ids[0], call.payload))
        routes.add("DELETE", "/v2/orders/{}", lambda call: exchange.cancel(*call.ids), NO_CONTENT)
        routes.add("GET", "/v2/positions", lambda call: exchange.positions())
        routes.add("DELETE", "/v2/positions", self._close_all, MULTI_STATUS)
        routes.add("GET", "/v2/positions/{}", lambda call: exchange.position(*call.ids))
        routes.add("DELETE", "/v2/positions/{}", self._close)

    def _clock(self, call: Call) -> Json:
        clock = self._exchange.clock()
        said = datetime.fromisoformat(str(clock["timestamp"])) + timedelta(seconds=self._clock_skew_s())
        return {**clock, "timestamp": said.isoformat()}

    def _assets(self, call: Call) -> list[Json]:
        query = call.query
        wanted = {
            "status": choose(query, "status", ("", "active", "inactive"), ""),
            "class": choose(query, "asset_class", ("", *ASSET_CLASSES), ""),
            "exchange": choose(query, "exchange", ("", *EXCHANGES), ""),
        }
        # No share of a rehearsed market has any attribute.
        if names(query, "attributes", ATTRIBUTES):
            return []
        return [
            asset
            for asset in self._exchange.assets()
            if all(value in ("", asset[key]) for key, value in wanted.items())
        ]

    def _order_by_client_id(self, call: Call) -> Json:
        if not call.query.get("client_order_id"):
            raise unprocessable("client_order_id is required")
        return self._exchange.order_by_client_id(call.query["client_order_id"])

    def _close_all(self, call: Call) -> list[Json]:
        return self._exchange.close_all(flag(call.query, "cancel_orders"))

    def _close(self, call: Call) -> Json:
        return self._exchange.close_position(call.ids[0], call.query.get("qty"), call.query.get("percentage"))

    def _activities_of(self, call: Call) -> list[Json]:
        if call.ids[0] != call.ids[0].upper():
            raise not_found("activity type not found")
        return self._activities.listed({**call.query, "activity_types": call.ids[0]})

    def _history(self, call: Call) -> Json:
        return self._equity.history(call.query, self._exchange.now, self._exchange.equity)
