"""Balances, prices and bars with few requests: what was just read serves the next question too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from brokers.kraken.answers.balances import Balances, balances_of, equity_of, leave_out, positions_of
from brokers.kraken.answers.market_data import INTERVALS, MOST_BARS, bars_of, no_bars, prices_of, quotes_of
from brokers.kraken.answers.pairs import USD
from brokers.kraken.connection.client import KrakenClient
from brokers.kraken.connection.errors import UNKNOWN_PAIR
from brokers.kraken.reference import Reference
from brokers.network.clock import VenueClock, elapsed
from brokers.venue_errors import VenueRefusal
from brokers.venue_values import VenuePositions, VenueQuote

KEEP_S = 1.0
"""The venue's seconds for which balances and tickers serve a second question of the same look."""
OLDEST_PRICE = timedelta(minutes=1)
"""Of a ticker that the account is valued at, the venue's time."""
LONGEST_EMPTY = timedelta(hours=1)
"""So long an answer without any balance is not believed; where a hand has taken everything, it stays empty."""
ONLINE = "online"
MINUTE_S = 60
Told = TypeVar("Told")
MOST_KEPT = 4 * MOST_BARS
"""Bars of a pair that are kept: more than Kraken gives at once, which come together over the days."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Bars of a pair; ``since`` is the earliest moment from which they were asked for."""

    asked_at: datetime
    since: datetime
    bars: pd.DataFrame


class AccountView:
    """What the account holds and what the market is.

    Parameters
    ----------
    client : KrakenClient
    reference : Reference
    clock : VenueClock
    late_bar_s : float
        Least time between two questions for a bar that is late, the venue's seconds.
    sells : callable
        Whether an open order sells, so that the account has the coins that it holds.

    Attributes
    ----------
    ours : mapping of str to Decimal, optional
        What our fills add up to, by symbol; None where no journal is kept.
    """

    def __init__(
        self,
        client: KrakenClient,
        reference: Reference,
        clock: VenueClock,
        late_bar_s: float,
        sells: Callable[[], bool],
    ) -> None:
        self._client = client
        self._reference = reference
        self._clock = clock
        self._late_bar = timedelta(seconds=late_bar_s)
        self._balances: tuple[datetime, Balances] | None = None
        self._totals: dict[str, Decimal] = {}
        self._sells = sells
        self._empty_since: datetime | None = None
        self.ours: Mapping[str, Decimal] | None = None
        self._moved = False
        self._quotes: dict[str, tuple[datetime, VenueQuote]] = {}
        self._bars: dict[tuple[str, int], _Kept] = {}

    def forget(self) -> None:
        """Something was sent: balances are asked for anew."""
        self._balances = None

    def moved(self) -> bool:
        """Whether balances have changed between the last two readings; asked once for each change."""
        moved, self._moved = self._moved, False
        return moved

    def balances(self) -> Balances:
        if self._balances is None or not self._fresh(self._balances[0], self._clock.now()):
            answer = self._client.balances()
            found = balances_of(answer, self._reference.pairs)
            if self._is_doubtful(answer):
                leave_out("every asset", "none is listed, which is not believed for an hour")
                self._balances = self._clock.now(), replace(found, complete=False)
                return self._balances[1]
            totals = {name: there.total for name, there in found.spendable.items()}
            self._moved |= bool(self._totals) and totals != self._totals
            # As of now: it may have waited for room longer than an answer serves.
            self._balances, self._totals = (self._clock.now(), found), totals
        return self._balances[1]

    def figures(self) -> tuple[Decimal, Decimal]:
        """Equity and cash, USD.

        Raises
        ------
        ValueError
            They cannot be told.
        """
        there = self.balances()
        return equity_of(there, self._reference.pairs, self._prices(there)), there.cash

    def positions(self, *, dust: bool = False) -> VenuePositions:
        there = self.balances()
        return positions_of(there, self._reference.pairs, self._prices(there), self.ours or {}, dust=dust)

    def closed(self) -> str:
        """Why nothing may be opened now, in words; empty while Kraken is online."""
        status = str(self._client.system_status().get("status") or "an unknown")
        return "" if status == ONLINE else f"Kraken is in {status} mode"

    def quotes(self, symbols: Iterable[str]) -> dict[str, VenueQuote]:
        """Bid and ask of each symbol that Kraken trades; one request."""
        now, wanted = self._clock.now(), list(symbols)
        due = [s for s in wanted if s not in self._quotes or not self._fresh(self._quotes[s][0], now)]
        if told := self._listed_again(lambda: self._tickers(due, now)):
            self._quotes |= {symbol: (now, quote) for symbol, quote in told.items()}
        return {symbol: self._quotes[symbol][1] for symbol in wanted if symbol in self._quotes}

    def bars(self, symbols: Iterable[str], minutes: int, start: datetime, end: datetime | None) -> pd.DataFrame:
        """Complete bars since ``start``, as far back as Kraken has them; each is asked for once."""
        if minutes not in INTERVALS:
            raise VenueRefusal(f"Kraken has no bars of {minutes} minutes; it has {', '.join(map(str, INTERVALS))}")
        found = (self._listed_again(partial(self._bars_of, symbol, minutes, start)) for symbol in symbols)
        parts = [part for part in found if len(part)]
        if not parts:
            return no_bars()
        whole = pd.concat(parts, ignore_index=True)
        inside = whole["datetime"] >= pd.Timestamp(start)
        if end is not None:
            inside &= whole["datetime"] < pd.Timestamp(end)
        return whole[inside].reset_index(drop=True)

    def _is_doubtful(self, answer: Mapping[str, Any]) -> bool:
        """Whether an answer without any balance is not to be believed yet.

        Who keeps a journal does not believe the first one either: after a start nobody remembers what there was.
        """
        if answer or (self.ours is None and not any(self._totals.values())):
            self._empty_since = None
            return False
        now = self._clock.now()
        # A clock that was put back must not end the wait.
        since = self._empty_since = min(self._empty_since or now, now)
        if self._sells() or not elapsed(now, since, LONGEST_EMPTY):
            return True
        if self._totals:
            log.warning("Kraken has listed no balance for an hour, and no order sells: the account counts as empty")
        return False

    def _tickers(self, symbols: Iterable[str], now: datetime) -> dict[str, VenueQuote]:
        pairs = [pair for symbol in symbols if (pair := self._reference.pair(symbol)) is not None]
        return quotes_of(self._client.tickers(pair.key for pair in pairs), self._reference.pairs, now) if pairs else {}

    def _listed_again(self, ask: Callable[[], Told]) -> Told:
        """The answer; where Kraken does not know a pair any more, its pairs are read anew and the others asked for."""
        try:
            return ask()
        except VenueRefusal as refusal:
            if UNKNOWN_PAIR not in refusal.message or not self._reference.doubt(older_than_s=0.0):
                raise
            return ask()

    def _bars_of(self, symbol: str, minutes: int, start: datetime) -> pd.DataFrame:
        pair, now = self._reference.pair(symbol), self._clock.now()
        known = self._bars.get((symbol, minutes))
        kept = no_bars() if known is None else known.bars
        if pair is None:
            return kept
        step = timedelta(minutes=minutes)
        last: datetime | None = kept["datetime"].iloc[-1].to_pydatetime() if len(kept) else None
        # Where nothing came from so early, Kraken has none that are older: it gives the newest 720.
        since = start
        if known is not None and last is not None and known.since <= start:
            if now < last + 2 * step or not elapsed(now, known.asked_at, self._late_bar):
                return kept
            since = last
        answer = self._client.bars(pair.key, minutes, int(since.astimezone(UTC).timestamp()) - minutes * MINUTE_S)
        rows: Any = next((rows for name, rows in answer.items() if self._reference.pairs.named(name) is pair), [])
        # The last row is still forming.
        fresh = bars_of(symbol, rows[:-1] if isinstance(rows, list) else [])
        both = pd.concat([kept, fresh], ignore_index=True) if len(kept) else fresh
        both = both.drop_duplicates("datetime", keep="last").sort_values("datetime", ignore_index=True)
        first = start if known is None else min(known.since, start)
        both = both.iloc[-MOST_KEPT:].reset_index(drop=True)
        self._bars[symbol, minutes] = _Kept(now, first, both)
        return both

    def _prices(self, there: Balances) -> dict[str, Decimal]:
        symbols = [f"{coin}/{USD}" for coin in there.coins]
        quotes, now = self.quotes(symbols) if symbols else {}, self._clock.now()
        # Of a symbol that the last answer left out the quote before is still there.
        old = {symbol for symbol in quotes if elapsed(now, self._quotes[symbol][0], OLDEST_PRICE)}
        return prices_of({symbol: quote for symbol, quote in quotes.items() if symbol not in old})

    @staticmethod
    def _fresh(read_at: datetime, now: datetime) -> bool:
        return not elapsed(now, read_at, timedelta(seconds=KEEP_S))
