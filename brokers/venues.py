"""Opens a venue by the settings: the one place that knows which venues there are."""

from __future__ import annotations

from brokers.admission import Admission
from brokers.alpaca.client import VenueClient
from brokers.alpaca.quote_stream import FRESH_S, AlpacaQuoteStream
from brokers.alpaca.venue import AlpacaVenue
from brokers.network.clock import VenueClock
from config import Settings
from config.errors import Refusal

DATA_STREAM = "wss://stream.data.alpaca.markets"


def open_venue(settings: Settings, paper: bool, admission: Admission | None = None) -> AlpacaVenue:
    """The account whose keys are in the environment.

    Parameters
    ----------
    settings : Settings
    paper : bool
    admission : Admission, optional
        Which requests that change orders may leave; none do without it.

    Raises
    ------
    Refusal
        There are no keys.
    """
    key, secret = keys_of(settings)
    alpaca = settings.broker.alpaca
    client = VenueClient(
        key,
        secret,
        paper=paper,
        trading_url=alpaca.trading_url,
        data_url=alpaca.data_url,
        feed=alpaca.feed,
        clock=VenueClock(settings.pace.speed),
        admission=admission,
    )
    stream = AlpacaQuoteStream(data_stream_url(settings), key, secret, client.clock.local(FRESH_S))
    return AlpacaVenue(client, stream)


def data_stream_url(settings: Settings) -> str:
    """Where the plan's quotes are streamed: at Alpaca, or on the host that data are asked of."""
    alpaca = settings.broker.alpaca
    base = f"ws{alpaca.data_url.removeprefix('http')}" if alpaca.data_url else DATA_STREAM
    return f"{base}/v2/{alpaca.feed}"


def keys_of(settings: Settings) -> tuple[str, str]:
    """The account's key and secret; Refusal without them."""
    key, secret = settings.secrets.ALPACA_API_KEY, settings.secrets.ALPACA_API_SECRET
    if key is None or secret is None:
        raise Refusal("Alpaca keys are missing: set ALPACA_API_KEY and ALPACA_API_SECRET in the environment")
    return key.get_secret_value(), secret.get_secret_value()
