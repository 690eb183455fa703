"""Alpaca as a venue: requests in its words, answers read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from brokers.alpaca.client import VenueClient
from brokers.alpaca.limits import Need, SlidingWindowLimiter
from brokers.alpaca.listings import account_of, ack_of, listing_of, positions_of
from brokers.alpaca.market_data import bars_of, quote_of
from brokers.alpaca.payloads import patch_of, payload_of
from brokers.order_types import Resting
from brokers.venue_errors import AccountUnreadable
from brokers.venue_requests import OrderChange, OrderRequest, RequestLimit
from brokers.venue_values import OrderAck, TradeTerms, VenueAccount, VenueListing, VenuePositions, VenueQuote, VenueTime
from risk.policy_gate import tick_of

if TYPE_CHECKING:
    import pandas as pd

    from brokers.alpaca.quote_stream import AlpacaQuoteStream
    from brokers.network.clock import VenueClock

FRACTION = Decimal("1e-9")
CENT = 0.01
"""Alpaca refuses an exit that is nearer to its own price, USD."""


class AlpacaRules:
    """US stocks at Alpaca: whole shares may rest, parts of one go at market for the day."""

    resting = frozenset({Resting.BRACKET, Resting.OCO, Resting.STOP})
    always_open = False
    fee_frac = Decimal(0)
    fraction = FRACTION

    def least(self, symbol: str, price: Decimal) -> Decimal:
        return FRACTION

    def tick(self, price: float, symbol: str) -> float:
        return tick_of(price)

    def gap(self, price: float, symbol: str) -> float:
        # Below a dollar it is as much less as the price is less.
        return CENT * min(1.0, price) if price > 0 else CENT


def limit_of(bucket: SlidingWindowLimiter) -> RequestLimit:
    """What iterations may ask, so that the limiter's reserves are left."""
    return RequestLimit(bucket.limit, bucket.limit - Need.PRICES * bucket.reserve)


class AlpacaVenue:
    """One account at Alpaca.

    Parameters
    ----------
    client : VenueClient
    quote_stream : AlpacaQuoteStream, optional

    Raises
    ------
    VenueError
        From every method that asks.
    """

    name = "Alpaca"
    key_names = ("ALPACA_API_KEY", "ALPACA_API_SECRET")
    tells_orders = True
    rules = AlpacaRules()

    def __init__(self, client: VenueClient, quote_stream: AlpacaQuoteStream | None = None) -> None:
        self.client = client
        self.quote_stream = quote_stream

    @property
    def address(self) -> str:
        return self.client.trading_url

    @property
    def clock(self) -> VenueClock:
        return self.client.clock

    @property
    def gone(self) -> str:
        return self.client.gone

    @property
    def gone_for_data_alone(self) -> bool:
        return self.client.gone_for_data_alone

    def budget(self, seconds: float) -> AbstractContextManager[None]:
        return self.client.budget(seconds)

    @property
    def request_limit(self) -> RequestLimit:
        return limit_of(self.client.bucket)

    def room(self, requests: int) -> bool:
        return self.client.bucket.room(Need.PRICES, requests)

    @property
    def takes_orders(self) -> bool:
        return True

    def drop_waiting(self) -> None:
        self.client.bucket.drop_waiting()

    def venue_clock(self) -> VenueTime:
        return self.client.venue_clock()

    def account(self) -> VenueAccount:
        try:
            return account_of(self.client.account())
        except ValueError as error:
            raise AccountUnreadable(f"the account cannot be read: {error}") from None

    def positions(self) -> VenuePositions:
        return positions_of(self.client.positions())

    def dust(self) -> VenuePositions:
        """None: whatever is held is a position."""
        return VenuePositions({})

    def expect(
        self,
        client_order_ids: Iterable[str],
        news: Callable[[], Iterable[str]] | None = None,
        held: Mapping[str, Decimal] | None = None,
    ) -> None:
        """Nothing: Alpaca lists orders under the names they were sent with."""

    def open_orders(self) -> VenueListing:
        return listing_of(self.client.open_orders())

    def orders_since(self, after: datetime) -> VenueListing:
        return listing_of(self.client.orders_since(after))

    def order(self, venue_id: str) -> OrderAck:
        return ack_of(self.client.order(venue_id))

    def order_by_client_id(self, client_order_id: str) -> OrderAck | None:
        raw = self.client.order_by_client_id(client_order_id)
        return None if raw is None else ack_of(raw)

    def submit(self, request: OrderRequest, client_order_id: str, opens: bool) -> OrderAck:
        # Alpaca refuses an order to close that would open, so a sale that it takes late cannot make a short.
        purpose = f"{request.side}_to_{'open' if opens else 'close'}"
        named = {"position_intent": purpose, "client_order_id": client_order_id}
        return ack_of(self.client.submit({**payload_of(request), **named}))

    def replace(self, venue_id: str, change: OrderChange, client_order_id: str) -> OrderAck:
        return ack_of(self.client.replace(venue_id, {**patch_of(change), "client_order_id": client_order_id}))

    def cancel(self, venue_id: str) -> bool:
        # A cancel that was taken is pending, and may lose against a fill.
        self.client.cancel(venue_id)
        return False

    def quotes(self, symbols: Iterable[str]) -> dict[str, VenueQuote]:
        found = self.client.latest_quotes(symbols)
        return {symbol: quote_of(raw) for symbol, raw in found.items()}

    def bars(self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None = None) -> pd.DataFrame:
        return bars_of(self.client.bars(symbols, minutes, start, end))

    def terms(self, symbols: Iterable[str]) -> list[TradeTerms]:
        """No commission, and parts of a share at market; what rests is whole shares."""
        quotes = self.quotes(symbols)
        return [TradeTerms(s, max(q.ask, q.bid), Decimal(1)) for s, q in quotes.items() if not q.unreadable]

    def trades(self, symbol: str) -> bool:
        asset = self.client.asset(symbol)
        return asset is not None and asset.get("tradable") is not False and asset.get("status") != "inactive"

    def lists(self, symbol: str) -> bool:
        return self.client.asset(symbol) is not None

    def trades_fractions(self, symbol: str) -> bool:
        asset = self.client.asset(symbol)
        return asset is not None and asset.get("fractionable") is not False
