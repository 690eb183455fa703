"""Opens a venue by the settings: the one place that knows which venues there are."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from brokers.alpaca.client import VenueClient
from brokers.alpaca.limits import SlidingWindowLimiter
from brokers.alpaca.quote_stream import FRESH_S, AlpacaQuoteStream
from brokers.alpaca.venue import AlpacaVenue, limit_of
from brokers.network.admission import Admission
from brokers.network.clock import VenueClock
from brokers.ports import Venue
from brokers.venue_requests import RequestLimit
from config import Settings
from config.errors import Refusal
from config.values.addresses import on_loopback
from market.trading_day import use_day_of

if TYPE_CHECKING:
    from brokers.kraken.venue import KrakenVenue

NAME_DIGITS = 12
DATA_STREAM = "wss://stream.data.alpaca.markets"


def open_venue(settings: Settings, paper: bool, admission: Admission | None = None) -> Venue:
    """The account whose keys are in the environment, at the venue of ``broker.venue``.

    Parameters
    ----------
    settings : Settings
    paper : bool
    admission : Admission, optional
        Which requests that change orders may leave; none do without it.

    Raises
    ------
    Refusal
        There are no keys, or the venue has no account of that kind.
    """
    use_day_of(settings.pace.day)
    if settings.broker.venue == "kraken":
        return open_kraken(settings, paper, admission)
    return open_alpaca(settings, paper, admission)


def request_limit(settings: Settings) -> RequestLimit:
    """How many requests the venue of the settings takes, without opening it."""
    if settings.broker.venue == "kraken":
        from brokers.kraken.connection.rates import TIERS
        from brokers.kraken.venue import limit_of as kraken_limit
        from brokers.kraken.waits import Waits

        kraken = settings.broker.kraken
        return kraken_limit(TIERS[kraken.tier], Waits.of(kraken).quiet_s)
    return limit_of(SlidingWindowLimiter())


def open_kraken(settings: Settings, paper: bool, admission: Admission | None = None) -> KrakenVenue:
    """The account at Kraken, which has no paper accounts: on loopback it is a rehearsal's."""
    # ccxt takes half a second to load, which an account at Alpaca need not wait for.
    from brokers.kraken.connection.client import KrakenClient
    from brokers.kraken.connection.nonce import Nonce
    from brokers.kraken.connection.rates import TIERS, RateModel
    from brokers.kraken.connection.rest import KrakenRest
    from brokers.kraken.connection.shared_counter import SharedCounter
    from brokers.kraken.venue import KrakenVenue
    from brokers.kraken.waits import Waits

    kraken, secrets = settings.broker.kraken, settings.secrets
    if paper and not on_loopback(kraken.url):
        raise Refusal(
            "Kraken has no paper accounts: rehearse with --rehearse --venue kraken, or trade real money with --live"
        )
    if secrets.KRAKEN_API_KEY is None or secrets.KRAKEN_API_SECRET is None:
        raise Refusal("Kraken keys are missing: set KRAKEN_API_KEY and KRAKEN_API_SECRET in the environment")
    key, secret = secrets.KRAKEN_API_KEY.get_secret_value(), secrets.KRAKEN_API_SECRET.get_secret_value()
    if not _is_base64(secret):
        raise Refusal("KRAKEN_API_SECRET: is no private key of Kraken's, which is base64; copy it as Kraken showed it")
    name = hashlib.sha256(key.encode()).hexdigest()[:NAME_DIGITS]
    speed = settings.pace.speed
    nonce = Nonce(Path(settings.live.state_dir) / f"kraken-{name}.nonce")
    clock = VenueClock(speed)
    tier = TIERS[kraken.tier]
    # Commands beside a trader count with it, as Kraken counts them together, and take what it leaves over.
    shared = Path(settings.live.state_dir) / f"kraken-{name}.requests"
    decay, trades = tier.rest_decay * speed, admission is not None
    counter = SharedCounter(tier.rest, decay, at=time.monotonic(), path=shared, trades=trades)
    rates = RateModel(tier, speed=speed, counter=counter, now=clock.now)
    client = KrakenClient(KrakenRest(key, secret, nonce=nonce, rates=rates, url=kraken.url), admission)
    return KrakenVenue(client, clock, kraken.account or f"kraken-{name}", Waits.of(kraken))


def public_kraken(settings: Settings) -> KrakenVenue:
    """Kraken as everybody sees it, without keys: pairs and prices."""
    from brokers.kraken.connection.client import KrakenClient
    from brokers.kraken.connection.rates import TIERS, RateModel
    from brokers.kraken.connection.rest import KrakenRest
    from brokers.kraken.venue import KrakenVenue
    from brokers.kraken.waits import Waits

    kraken = settings.broker.kraken
    rest = KrakenRest("", "", nonce=None, rates=RateModel(TIERS[kraken.tier]), url=kraken.url)
    return KrakenVenue(KrakenClient(rest), VenueClock(settings.pace.speed), "", Waits.of(settings.broker.kraken))


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def open_alpaca(settings: Settings, paper: bool, admission: Admission | None = None) -> AlpacaVenue:
    """The account at Alpaca."""
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
