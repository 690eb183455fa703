"""Symbols in which nothing is entered whatever bars and rules say, so that they take no place from others."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping

from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.journal.order_ids import may_be_a_traders
from brokers.order_types import OrderRole
from brokers.venue_errors import VenueError
from config.values.counting import unit_of
from market.bars import BarTable
from market.trading_day import day_of
from risk.model import Barred, Proposal

WRONG_SCALE = 1.5
"""So many times the quote, or so small a part of it, is no move of a night but a price of other shares or digits."""

log = logging.getLogger(__name__)


class BarredEntries:
    """Remembers which bars the gate's collar refused, and finds what somebody else orders or sold of ours.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    bars : callable
        The complete bars known now, None before the first.
    collar_frac : float
        How far a quote may lie from the close that was decided on, as a fraction of that.
    """

    def __init__(
        self, state: VenueState, positions: OwnPositions, bars: Callable[[], BarTable | None], collar_frac: float
    ) -> None:
        self._state, self._positions, self._bars, self._collar_frac = state, positions, bars, collar_frac
        self._far: dict[str, Proposal] = {}
        self._unchecked: dict[str, float] = {}
        self._wrong: dict[str, float] = {}

    def prepared(self, closes: Mapping[str, float]) -> None:
        """Last closes of the bars that a start has read: before the first decision quotes tell which are wrong."""
        self._unchecked = dict(closes)

    def far(self, proposal: Proposal) -> None:
        """The quote lies beyond the collar of the close that an entry was decided on: one of both is wrong."""
        self._far[proposal.symbol] = proposal

    def now(self) -> tuple[Barred, ...]:
        """What is barred now, one of each symbol."""
        return (
            *self._ordered_by_another_trader(),
            *self._closes_of_another_scale(),
            *self._closes_far_from_quotes(),
            *self._sold_by_others(),
        )

    def _ordered_by_another_trader(self) -> list[Barred]:
        """Symbols with an open entry that a trader of this program sent and the journal does not know.

        Another trader may trade the account, or the journal that knew the entry is lost: both entries may fill.
        """
        view = self._state.view
        found: dict[str, Barred] = {}
        for symbol in sorted({order.symbol for order in view.manual}):
            for order in view.purchases_by_hand(symbol):
                if may_be_a_traders(order.client_order_id):
                    why = (
                        f"the open order {order.id} is an entry of another trader, or of a journal that was lost; not "
                        "before it is filled or cancelled at the venue"
                    )
                    found[symbol] = Barred(symbol, why)
        return list(found.values())

    def _closes_of_another_scale(self) -> list[Barred]:
        """Symbols whose bars at the start are in prices of another scale than their quotes, as long as that is so.

        Any last bar of theirs counts, since newer ones have come between the start and the first decision. Quotes are
        asked for in the session, of every symbol until it had a sound one, and then of those that were wrong.
        """
        asked = {**(self._unchecked if self._state.in_session else {}), **self._wrong}
        if not asked:
            return []
        try:
            quotes = self._state.quotes(list(asked))
        except VenueError as error:
            log.info("quotes beside the bars of the start cannot be had: %s", error)
            quotes = {}
        closes = {symbol: self._last_close(symbol) or close for symbol, close in asked.items()}
        told = {symbol: quote for symbol, quote in quotes.items() if not quote.problem}
        wrong = {s: closes[s] for s, quote in told.items() if _other_scale(closes[s], quote.prices)}
        for symbol in wrong.keys() - self._wrong.keys():
            log.warning("%s: its bars close at %g, far from the quote; nothing is entered in it", symbol, wrong[symbol])
        # What has no sound quote now is neither right nor wrong.
        self._wrong = {s: close for s, close in closes.items() if s in wrong or (s in self._wrong and s not in told)}
        self._unchecked = {s: close for s, close in self._unchecked.items() if s not in told}
        return [Barred(s, f"its bars close at {close:g}, far from the quote") for s, close in self._wrong.items()]

    def _last_close(self, symbol: str) -> float:
        """What the last bar that is known closed at, 0 where it is not."""
        bars = self._bars()
        if bars is None or symbol not in bars.symbols or not len(bars):
            return 0.0
        close = float(bars.close[-1, bars.symbols.index(symbol)])
        return close if math.isfinite(close) else 0.0

    def _closes_far_from_quotes(self) -> list[Barred]:
        """Bars that stand and are still far from the quote, which is asked for only where there are any."""
        self._far = {symbol: proposal for symbol, proposal in self._far.items() if self._stands(proposal)}
        if not self._far:
            return []
        try:
            quotes = self._state.quotes(list(self._far))
        except VenueError as error:
            log.info("quotes beside bars that were far from them cannot be had: %s", error)
            quotes = {}
        for symbol, quote in quotes.items():
            price = quote.prices[0 if self._far[symbol].side == "sell_short" else 1]
            if not quote.problem and abs(price / self._far[symbol].price - 1) <= self._collar_frac:
                del self._far[symbol]
        return [
            Barred(symbol, f"its last bar closed at {proposal.price:g}, far from the quote", proposal.price)
            for symbol, proposal in self._far.items()
        ]

    def _stands(self, proposal: Proposal) -> bool:
        """Whether the bar that a proposal was decided on is still the last one."""
        bars = self._bars()
        if bars is None or proposal.symbol not in bars.symbols or not len(bars):
            return False
        close = float(bars.close[-1, bars.symbols.index(proposal.symbol)])
        return math.isclose(close, proposal.price, rel_tol=1e-12)

    def _sold_by_others(self) -> list[Barred]:
        """Symbols of which an order that is not ours closed shares of ours in this session.

        What was written off and what went without an order are booked like it, but no order stands behind them.
        """
        today = day_of(self._state.now)
        found: dict[str, Barred] = {}
        for portion in reversed(self._positions.book.portions):
            trade = portion.trade
            if day_of(trade.exit_time) != today:
                break
            if trade.exit_reason != OrderRole.MANUAL or trade.symbol in found:
                continue
            if self._positions.journal.order(portion.exit_order).venue_id:
                unit = unit_of(trade.symbol)
                why = f"{unit} of ours were closed by an order that is not ours; not before the next session"
                found[trade.symbol] = Barred(trade.symbol, why)
        return list(found.values())


def _other_scale(close: float, prices: tuple[float, float]) -> bool:
    """Whether a close is so far beyond both sides of a quote that no move leads from one to the other."""
    return close > WRONG_SCALE * max(prices) or close < min(prices) / WRONG_SCALE
