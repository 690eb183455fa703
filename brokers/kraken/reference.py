"""Pairs and fees as Kraken has them now; read at the start and from time to time, as they change."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from brokers.kraken.answers.fees import Fees, fees_of
from brokers.kraken.answers.pairs import UNLISTED, USD, Pair, Pairs, pairs_of
from brokers.kraken.connection.client import KrakenClient
from brokers.order_types import VenueReason
from brokers.venue_errors import VenueError, VenueRefusal, VenueUnavailable

FRESH_S = 1.0
"""Local seconds: what was read of a pair longer ago is read again before a stop is cancelled for a sale."""
AGAIN_S = 60.0
"""Local seconds between two readings because of what Kraken refused, or of a pair that is gone."""

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
        self._read_at = self._tried_at = -math.inf
        self._gone: dict[str, Pair] = {}
        """Pairs that are not listed any more, of those that were asked for; by symbol."""
        self._asked: set[str] = set()
        self.unread = ""
        """Why the latest reading of the pairs came to nothing, in words: what is told of them is of before then."""
        self._fees: dict[str, Fees] = {}
        self._fees_at: dict[str, float] = {}
        self._mutex = threading.Lock()

    @property
    def pairs(self) -> Pairs:
        """Every pair; those that were read before where Kraken does not answer now, or lists none."""
        with self._mutex:
            if self._pairs is None or time.monotonic() - self._read_at >= self._again_s:
                self._read()
            assert self._pairs is not None
            return self._pairs

    def pair(self, symbol: str) -> Pair | None:
        """A pair by its symbol; None if Kraken lists none of that name."""
        self._asked.add(symbol)
        found = self.pairs.of(symbol)
        if found is not None and not found.listed and self.doubt():
            found = self.pairs.of(symbol)
        return found if found is not None and found.listed else None

    def required(self, symbol: str) -> Pair:
        """A pair by its symbol; VenueRefusal if Kraken lists none of that name."""
        pair = self.pair(symbol)
        if pair is None:
            told = "no longer lists" if symbol in self._gone else "has no pair"
            raise VenueRefusal(f"Kraken {told} {symbol}", VenueReason.LASTING)
        return pair

    def known(self, symbol: str) -> Pair:
        """A pair of something that is held or on its way, also one that Kraken does not list any more.

        Raises
        ------
        VenueRefusal
            Kraken does not even know the coin.
        """
        pair = self.pair(symbol) or self._gone.get(symbol)
        if pair is None and (pair := self.pairs.guessed(symbol)) is not None:
            self._lose([pair])
        if pair is None:
            raise VenueRefusal(f"Kraken has no pair {symbol}")
        return pair

    def learn(self, names: Iterable[str]) -> None:
        """Orders of these pairs were listed: of one that is not known any more the symbol follows from its name."""
        for name in names:
            if self.pairs.named(name) is None and (symbol := self.pairs.symbol_of(name)):
                self._asked.add(symbol)
                if self.pairs.of(symbol) is None and (pair := self.pairs.guessed(symbol)) is not None:
                    # Orders call it so, whatever it would be called by rule.
                    self._lose([replace(pair, altname=name)])

    def doubt(self, older_than_s: float = AGAIN_S, again_s: float = AGAIN_S) -> bool:
        """Read the pairs again because they may have changed, unless that was done just now; whether it was done."""
        with self._mutex:
            now = time.monotonic()
            if now - self._tried_at < again_s or now - self._read_at < older_than_s:
                return False
            self._tried_at = now
            self._read()
            return True

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
            # An answer without them, or without the assets that name them, is no listing.
            if not any(pair.quote == USD for pair in pairs.all):
                raise VenueUnavailable("Kraken lists no pair against USD that can be read")
        except VenueError as error:
            if self._pairs is None:
                raise
            log.warning("Kraken's pairs could not be read again (%s); those of before hold", error)
            self._read_at, self.unread = time.monotonic() - self._again_s / 2, str(error)
            return
        before = () if self._pairs is None else (*self._pairs.all, *self._pairs.gone)
        wanted = {pair.symbol: pair for pair in before if pair.symbol in self._asked} | self._gone
        back = [symbol for symbol in self._gone if pairs.of(symbol) is not None]
        lost = [pair for symbol, pair in wanted.items() if pairs.of(symbol) is None]
        self._pairs, self._read_at, self.unread = pairs, time.monotonic(), ""
        for symbol in back:
            del self._gone[symbol]
            log.warning("Kraken lists %s again", symbol)
        self._lose(lost)

    def _lose(self, pairs: Iterable[Pair]) -> None:
        """Keep what is known of pairs that are not listed; told once of each."""
        assert self._pairs is not None
        for pair in pairs:
            if pair.symbol not in self._gone:
                log.error(
                    "%s: Kraken no longer lists this pair; while coins of it are held equity is unknown and nothing is "
                    "entered, and they cannot be sold against USD; it is looked for again each minute",
                    pair.symbol,
                )
            self._gone[pair.symbol] = replace(pair, status=UNLISTED)
        self._pairs = Pairs(self._pairs.all, self._pairs.assets, self._gone.values())
