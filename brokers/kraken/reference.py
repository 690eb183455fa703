"""Pairs and fees as Kraken has them now; read at the start and from time to time, as they change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from decimal import Decimal

from brokers.kraken.answers.fees import Fees, fees_of
from brokers.kraken.answers.pairs import Pair, Pairs, pairs_of
from brokers.kraken.connection.client import KrakenClient
from brokers.venue_errors import VenueError, VenueRefusal, VenueUnavailable

log = logging.getLogger(__name__)


class Reference:
    """What Kraken trades, and at which fee.

    Parameters
    ----------
    client : KrakenClient
    again_s : float
        Local seconds after which pairs and fees are read again.
    """

    def __init__(self, client: KrakenClient, again_s: float) -> None:
        self._client = client
        self._again_s = again_s
        self._pairs: Pairs | None = None
        self._read_at = 0.0
        self._fees: dict[str, Fees] = {}
        self._fees_at: dict[str, float] = {}
        self._mutex = threading.Lock()

    @property
    def pairs(self) -> Pairs:
        """Every pair; those that were read before where Kraken does not answer now."""
        with self._mutex:
            if self._pairs is None or time.monotonic() - self._read_at >= self._again_s:
                self._read()
            assert self._pairs is not None
            return self._pairs

    def pair(self, symbol: str) -> Pair | None:
        """A pair by its symbol; None if Kraken has none of that name."""
        return self.pairs.of(symbol)

    def required(self, symbol: str) -> Pair:
        """A pair by its symbol; VenueRefusal if Kraken has none of that name."""
        pair = self.pair(symbol)
        if pair is None:
            raise VenueRefusal(f"Kraken has no pair {symbol}")
        return pair

    def fees(self, symbols: Iterable[str]) -> dict[str, Fees]:
        """The account's own fees by symbol.

        Raises
        ------
        VenueError
            Kraken does not tell them, and no fee is assumed.
        """
        pairs, now = {symbol: self.required(symbol) for symbol in symbols}, time.monotonic()
        again = self._again_s
        due = [symbol for symbol in pairs if now - self._fees_at.get(symbol, now - again) >= again]
        if due:
            told = fees_of(self._client.trade_volume(pairs[symbol].key for symbol in due), self.pairs)
            if missing := [symbol for symbol in due if symbol not in told]:
                raise VenueUnavailable(f"Kraken does not tell this account's fee in {', '.join(missing)}")
            with self._mutex:
                self._fees |= told
                self._fees_at |= dict.fromkeys(due, now)
        return {symbol: self._fees[symbol] for symbol in pairs}

    @property
    def dearest_taker(self) -> Decimal:
        """The highest taker's fee known of this account; before it was asked for, of the pairs' first tier."""
        if self._fees:
            return max(fee.taker for fee in self._fees.values())
        # Whoever only shows what is held must cause no request.
        return max((pair.taker for pair in (self._pairs or self.pairs).all), default=Decimal(0))

    def _read(self) -> None:
        try:
            assets = self._client.assets()
            pairs = pairs_of(self._client.asset_pairs(), assets)
        except VenueError as error:
            if self._pairs is None:
                raise
            log.warning("Kraken's pairs could not be read again (%s); those of before hold", error)
            self._read_at = time.monotonic() - self._again_s / 2
            return
        if not pairs.all:
            raise VenueUnavailable("Kraken lists no pair that can be read")
        self._pairs, self._read_at = pairs, time.monotonic()
