"""What keeps a position from being sold now, so that it stays behind its stop or gets it back."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

from brokers.desk.execution.backoff import elapsed
from brokers.desk.execution.close_prices import ClosePrices
from brokers.desk.execution.close_task import LONGEST_UNPROTECTED_S, REFUSALS, CloseTask, Stage
from brokers.desk.execution.sale_check import unsaleable
from brokers.desk.reconcile.own_positions import OwnPositions
from brokers.desk.venue_state import VenueState
from brokers.quantities import whole_lots
from config import Settings

RELEASE = timedelta(seconds=5)
"""Shares that an ended order held come back within this; later, something else holds them."""
ASK_TRADABLE = timedelta(seconds=30)
"""Between two questions whether the venue takes the sale of a symbol now."""
LAST_START = timedelta(seconds=20)
"""So long before the close the sale of what is protected begins at the latest: its exits are cancelled first."""

CLOSED = "the market is closed, or about to close"

log = logging.getLogger(__name__)


class CloseObstacles:
    """Tells of a close whether it comes to nothing now.

    Parameters
    ----------
    state : VenueState
    positions : OwnPositions
    settings : Settings
    prices : ClosePrices
    """

    def __init__(self, state: VenueState, positions: OwnPositions, settings: Settings, prices: ClosePrices) -> None:
        self._state, self._positions, self._prices = state, positions, prices
        self._rule = settings.live.close
        self._lot = settings.sizing.lot

    def stays_behind(self, task: CloseTask, held: Decimal) -> bool:
        """Whether what is to go stays behind its stop, or gets it back first: selling it now comes to nothing.

        That is so for a while after a round of attempts that sold nothing, and as long as it is known beforehand.
        """
        if self._awaits_opening(task):
            return True
        if task.refused.failures >= REFUSALS or task.orders > self._rule.chases + 1:
            log.warning("%s: could not be closed, its stop goes back before the next attempt", task.symbol)
            task.fruitless.failed(self._state.now)
            # The pause behind the stop takes the place of the one after a refusal, which stays on record.
            task.refused.failures = task.orders = 0
        if task.fruitless.failed_at is not None:
            unprotected = self._positions.protection(task.symbol).protected < whole_lots(held, self._lot)
            if task.fruitless.pauses(self._state.now, LONGEST_UNPROTECTED_S if unprotected else None):
                return True
            task.fruitless.failed_at = None
        return self._untradable(task, held) or self._blocked_by_manual_order(task, held)

    def _awaits_opening(self, task: CloseTask) -> bool:
        """Whether it waits for the next session, in which it begins anew; said once."""
        if not self.cannot_fill(task):
            task.awaits_opening = False
            return False
        if not task.awaits_opening:
            protected = self._positions.protection(task.symbol).protected
            until = "stays behind its stop" if protected else "goes back behind its stop where the venue takes that"
            log.warning("%s: %s; it %s and is sold from the next opening on", task.symbol, CLOSED, until)
            task.awaits_opening, task.orders, task.refused.failures = True, 0, 0
            task.fruitless.succeeded()
        return True

    def cannot_fill(self, task: CloseTask) -> bool:
        """Whether the market is closed, or closes before a sale that begins now could be filled."""
        begun = task.stage is Stage.SELLING or task.releasing_since is not None
        # Where nothing protects it, there is nothing to be cancelled first, and to wait leaves it so until the opening.
        begun = begun or not self._positions.protection(task.symbol).protected
        return self._state.closes_within(timedelta(0) if begun else LAST_START)

    def _untradable(self, task: CloseTask, held: Decimal) -> bool:
        """Whether the venue says that it would not take the sale now: then nothing is cancelled for it.

        A blocked account is the venue's word too, and once it is free again the sale goes at once.
        """
        if task.stage is Stage.SELLING or task.releasing_since is not None:
            return False
        now, blocked = self._state.now, self._state.view.account.blocked
        if task.asked is None or blocked != task.blocked or elapsed(now, task.asked, ASK_TRADABLE):
            why = unsaleable(self._state, task.symbol, held - task.keep)
            blocked = self._state.view.account.blocked
            if why and (task.tradable or blocked != task.blocked):
                log.warning("%s: %s; nothing is cancelled for its sale", task.symbol, why)
            task.asked, task.tradable, task.blocked = now, not why, blocked
        return not task.tradable

    def _blocked_by_manual_order(self, task: CloseTask, held: Decimal) -> bool:
        """Whether an order by hand on the other side keeps every order of ours from being filled now.

        Waiting costs little: a purchase by hand is filled before the market can fall below it, and is gone then.
        """
        long = self._positions.book.quantity(task.symbol) > 0
        keep_clear = self._prices.self_trade_limit(task.symbol, buys=not long)
        if keep_clear is None:
            return False
        price = self._prices.price(task.symbol, long, at_all_costs=True)
        passable = keep_clear.is_finite() and keep_clear > 0 and whole_lots(held - task.keep, self._lot) > 0
        clear = self._prices.clear_of(task.symbol, keep_clear, long) if passable else 0.0
        if passable and (clear <= price if long else clear >= price > 0):
            return False
        if task.stage is not Stage.BEHIND_STOP:
            log.warning(
                "%s: an order by hand on the other side lets no sale through; it waits behind its stop, and goes on "
                "once that order is filled or cancelled, or the market has moved away from it",
                task.symbol,
            )
        return True

    def awaits_shares(self, task: CloseTask, quantity: Decimal) -> bool:
        """Whether an order that has just ended still holds what is to be sold."""
        waits = task.ended is not None and not elapsed(self._state.now, task.ended, RELEASE)
        return waits and self._state.view.available(task.symbol) < quantity
