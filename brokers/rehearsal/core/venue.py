"""One account at a venue, with time and prices handed in; a face adds what clients may ask.

Nothing happens between calls. :meth:`Venue.advance` moves the clock and does what was promised; prices come
through :meth:`Venue.on_quote` and :meth:`Venue.on_bar`. Same seed and same calls, same events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from uuid import UUID

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.hours import TradingHours
from brokers.rehearsal.core.ledger import VenueLedger
from brokers.rehearsal.core.lifecycle import Emit, Lifecycle
from brokers.rehearsal.core.matching import Matcher
from brokers.rehearsal.core.model import Asset, Bar
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.core.state import State

TICK = timedelta(microseconds=1)


class Venue:
    """One account and its market.

    Parameters
    ----------
    symbols : iterable of str or Asset
        What can be traded; a bare symbol becomes a fractionable, shortable share.
    now : datetime
        Where the clock starts; timezone-aware.
    hours : TradingHours
    emit : callable
        Gets each event of an order as it happens.
    settings, faults : optional
        The venue's numbers, and the mishaps it plays.
    """

    def __init__(
        self,
        symbols: Iterable[str | Asset],
        now: datetime,
        hours: TradingHours,
        emit: Emit,
        settings: VenueSettings | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        settings = settings or VenueSettings()
        new_id = partial(_draw, Random(settings.seed))
        self._account_id, self._opened = new_id(), now
        assets = [s if isinstance(s, Asset) else Asset(new_id(), s, f"{s} Common Stock") for s in symbols]
        ledger = VenueLedger(settings, settings.cash_usd, settings.cash_usd)
        self._state = State(settings, hours, now, ledger, {a.symbol: a for a in assets})
        self._life = self._lifecycle(self._state, faults or FaultPlan(), new_id, emit)
        self._matcher = Matcher(self._life)

    def _lifecycle(self, state: State, faults: FaultPlan, new_id: Callable[[], str], emit: Emit) -> Lifecycle:
        """What moves orders from status to status; a venue with rules of its own returns its own."""
        return Lifecycle(state, faults, new_id, emit)

    @property
    def now(self) -> datetime:
        """The venue's time."""
        return self._state.now

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong at this venue; it may be changed or replaced while the venue runs."""
        return self._life.faults

    @faults.setter
    def faults(self, plan: FaultPlan) -> None:
        self._life.faults = plan

    @property
    def equity(self) -> Decimal:
        """Cash and positions at the last prices."""
        return self._state.ledger.equity

    def advance(self, now: datetime) -> None:
        """Move the clock: settle promises, age orders, and match what is new against the last prices.

        Raises
        ------
        ValueError
            If ``now`` lies before the exchange's time.
        """
        if now < self.now:
            raise ValueError(f"the exchange is at {self.now.isoformat()}, it cannot go back to {now.isoformat()}")
        hours = self._state.hours
        if hours.day_of(now) != hours.day_of(self.now):
            self._state.ledger.new_day()
        self._state.now = now
        self._life.settle()
        for symbol in sorted({order.symbol for order in self._state.open_orders()}):
            price = self._state.live_price(symbol)
            if price is not None:
                self._match(symbol, price, price)

    def on_quote(self, time: datetime, prices: Mapping[str, Decimal]) -> None:
        """New last prices by symbol; bid and ask follow from them."""
        self.advance(time)
        for symbol, price in sorted(prices.items()):
            self._match(symbol, price, price)

    def on_bar(self, time: datetime, bars: Mapping[str, Bar], length: timedelta) -> None:
        """Let a bar of ``length`` that opens at ``time`` happen: open, both extremes, close.

        A bar that would end after the phase of the day it began in ends with it, so that its close still counts.
        """
        for at, prices in self.open_bar(time, bars, length):
            self.walk(at, prices)

    def open_bar(
        self, time: datetime, bars: Mapping[str, Bar], length: timedelta
    ) -> list[tuple[datetime, dict[str, Decimal]]]:
        """Let a bar begin.

        Returns
        -------
        list of tuple
            Times, each with the prices to :meth:`walk` to: both extremes and the close, in a long bar with many
            between them. Which extreme comes first is settled now, by the positions and orders at the open.
        """
        # The last moment that also belongs to the phase it began in.
        phase_end = self._state.hours.phase_end(time)
        end = (time + length if phase_end is None else min(time + length, phase_end)) - TICK
        self.on_quote(time, {symbol: bar.open for symbol, bar in bars.items()})
        steps = self._matcher.steps(end + TICK - time)
        paths = {symbol: self._matcher.path(symbol, bar, time, steps) for symbol, bar in bars.items()}
        return [
            (time + (end - time) * (step + 1) / steps, {symbol: path[step] for symbol, path in paths.items()})
            for step in range(steps)
        ]

    def walk(self, time: datetime, prices: Mapping[str, Decimal]) -> None:
        """Let prices go from where they are to ``prices``, by symbol, trading all that lies between."""
        self.advance(time)
        for symbol, price in sorted(prices.items()):
            self._match(symbol, self._state.ledger.prices[symbol], price)

    def _match(self, symbol: str, start: Decimal, end: Decimal) -> None:
        self._matcher.move(symbol, start, end)
        self._matcher.end_at_once_orders(symbol)


def _draw(ids: Random) -> str:
    return str(UUID(int=ids.getrandbits(128), version=4))
