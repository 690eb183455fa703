"""Keeps the journal's table of trades what follows from its fills, from the transaction on that books them."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import date

from brokers.desk.reconcile.position_book import Portion, PositionBook
from brokers.desk.reconcile.position_history import PositionHistory
from brokers.journal import Journal
from brokers.record import TradeRecord
from config.errors import Refusal

log = logging.getLogger(__name__)


class TradeTable:
    """The closed portions of a position history, as the journal keeps them.

    What the table holds before ``settle`` is another process's; until then only what changes is written.

    Parameters
    ----------
    journal : Journal
    history : PositionHistory
        Up to date with the journal.
    today : callable
    """

    def __init__(self, journal: Journal, history: PositionHistory, today: Callable[[], date]) -> None:
        self._journal, self._history, self._today = journal, history, today
        self._kept = self._before = history.book
        self._settled = False

    def settle(self) -> None:
        """Make the whole table what follows from the fills; once is enough."""
        if not self._settled:
            book = self._history.update(self._today())
            self._journal.trades(by_orders(book.portions))
            self._kept, self._settled = book, True

    def follow(self) -> None:
        """Write what the fills that were just booked have changed, in the same transaction."""
        self._before = self._kept
        try:
            self._change(self._history.update(self._today()))
        except Refusal:
            raise
        except Exception:
            # A fill is kept whatever is wrong with what follows from it; the next look meets it again.
            log.exception("trades do not follow from the fills, the fill itself is booked")
            self._settled = False
            self._history.forget()

    def forget(self) -> None:
        """What was followed is not in the journal, or may not be."""
        self._kept = self._before
        self._history.forget()

    def _change(self, book: PositionBook) -> None:
        """Write the portions from the first that differs on.

        A portion grows while its exit order fills, and a late fill may put another in its place. Books share the
        portions up to where the later one was booked anew.
        """
        now, before = book.portions, self._kept.portions
        both = range(min(len(now), len(before)))
        same = bisect_left(both, True, key=lambda i: now[i] is not before[i])
        after, gone = by_orders(now[same:]), by_orders(before[same:])
        # What was booked anew and came out as it was is in the table.
        changed = {pair: trade for pair, trade in after.items() if gone.get(pair) != trade}
        self._journal.change_trades(changed, gone.keys() - after.keys())
        self._kept = book


def by_orders(portions: Iterable[Portion]) -> dict[tuple[str, str], TradeRecord]:
    """Closed portions by the orders that opened and closed them, as the journal keeps them."""
    return {(p.entry_order, p.exit_order): p.trade for p in portions}
