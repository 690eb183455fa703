"""What a day closed: each position counts once, however many orders or fills sold it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from brokers.desk.reconcile.position_book import PositionBook
from config.values.counting import signed
from market.trading_day import day_of


@dataclass(frozen=True, slots=True)
class ClosedPositions:
    """Of one day: positions that were closed and those of them that won, over all their parts, those that were closed
    in part and are still held, and what the parts that were closed on it brought, USD.
    """

    closed: int
    won: int
    in_part: int
    profit: float

    def in_words(self) -> str:
        """For the line of a session."""
        if not self.closed and not self.in_part:
            return "no trade closed"
        parts = [f"{self.closed} closed, {self.won} of them won"] if self.closed else []
        parts += [f"{self.in_part} closed in part"] if self.in_part else []
        return f"{', '.join(parts)}, {signed(self.profit, ',.2f')} USD"


def closed_on(day: date, book: PositionBook) -> ClosedPositions:
    """Positions by the order that opened them; one is closed on the day of its last part."""
    held = {book.entries[symbol].client_order_id for symbol in book.ledger.positions}
    total: dict[str, float] = {}
    today: dict[str, float] = {}
    last: dict[str, date] = {}
    for portion in book.portions:
        entry, trade = portion.entry_order, portion.trade
        total[entry], last[entry] = total.get(entry, 0.0) + trade.pnl, day_of(trade.exit_time)
        if last[entry] == day:
            today[entry] = today.get(entry, 0.0) + trade.pnl
    over = [entry for entry in today if entry not in held and last[entry] == day]
    return ClosedPositions(
        len(over), sum(total[entry] > 0 for entry in over), len(today) - len(over), sum(today.values())
    )
