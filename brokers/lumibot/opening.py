"""Opens Lumibot's broker on the account of a venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brokers.alpaca.venue import AlpacaVenue
from brokers.lumibot.broker import HardenedAlpaca
from brokers.ports import Venue
from brokers.venues import keys_of
from config import Settings
from config.errors import Refusal

if TYPE_CHECKING:
    from brokers.lumibot.kraken_broker import KrakenBroker


def lumibot_broker(venue: Venue, settings: Settings, paper: bool) -> HardenedAlpaca | KrakenBroker:
    """Lumibot's broker on the same account, sending and asking through the same client.

    Raises
    ------
    Refusal
        Lumibot has none for this venue here.
    """
    if not isinstance(venue, AlpacaVenue):
        # Loads ccxt, which an account at Alpaca need not wait for.
        from brokers.kraken.venue import KrakenVenue
        from brokers.lumibot.kraken_broker import KrakenBroker

        if isinstance(venue, KrakenVenue):
            return KrakenBroker(venue, market=settings.pace.market)
        raise Refusal(f"{venue.name}: there is no broker of Lumibot's for it")
    key, secret = keys_of(settings)
    return HardenedAlpaca(
        venue.client,
        key=key,
        secret=secret,
        paper=paper,
        market=settings.pace.market,
        stream_url=settings.broker.alpaca.stream_url,
    )
