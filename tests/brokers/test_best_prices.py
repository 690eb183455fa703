"""The best price of a position in a backtest, beside a plain reading of its bars."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from backtests.replay.broker import ReplayBroker
from brokers.record import RunRecord
from market.bars import BarTable
from market.daily_decisions import days_of
from risk.model import Position
from tests.brokers.harness import FREE, OPEN_GATE, daily_table, minute_table

BARS = 12
A_ROUNDING = 1 + 5e-7


def random_table(chance: Random) -> BarTable:
    """Bars of two symbols of which some close a rounding beyond their high or low, and some are missing."""

    def bar() -> tuple[float, float, float, float] | None:
        low = chance.uniform(90, 110)
        high = low * chance.uniform(1, 1.05)
        close = chance.choice([high, high * A_ROUNDING, low, low / A_ROUNDING, (low + high) / 2])
        return None if chance.random() < 0.1 else (low, high, low, close)

    whole = (100.0, 101.0, 99.0, 100.0)
    return daily_table(X=[whole, *(bar() for _ in range(BARS - 1))], Y=[whole] * BARS)


def best_by_bars(position: Position, table: BarTable, entered_inside: datetime | None, last: int) -> float:
    """The same by every bar up to ``last``, without a shortcut."""
    best, long = position.best_price, position.quantity > 0
    opens, _ = table.moments
    for row in range(1, last + 1):
        if position.entry_time > opens[row]:
            continue
        price = table.high[row, 0] if long else table.low[row, 0]
        if entered_inside == opens[row]:
            price = table.close[row, 0]
        if (price > best) if long else (price < best):
            best = float(price)
    return best


def test_the_best_price_is_that_of_every_complete_bar_since_the_entry():
    chance, seen = Random(11), Counter[str]()
    for _ in range(400):
        table = random_table(chance)
        opens, closes = table.moments
        broker = ReplayBroker(opens[0])
        broker.open_account(table, 10_000, FREE, OPEN_GATE, RunRecord())
        long, entered = chance.random() < 0.5, chance.randrange(1, BARS - 1)
        inside = chance.random() < 0.3
        later = timedelta(minutes=5) if chance.random() < 0.3 and not inside else timedelta()
        # Who enters inside of a bar may have paid its most, so that only a close beyond it is better.
        paid = float((table.high if long else table.low)[entered, 0])
        best = paid if inside and paid > 0 else 100.0
        held = Position("X", 10 if long else -10, best, opens[entered] + later, 1.0, 1.0, 1.0, best_price=best)
        if inside:
            broker._entered_inside["X"] = opens[entered]
        broker.note_best_prices()
        broker.ledger.positions["X"] = held
        row = 0
        while row < BARS - 1:
            row = min(BARS - 1, row + chance.choice([1, 1, 2]))
            broker._next_row, broker.datetime = row + 1, closes[row]
            broker.note_best_prices()
            expected = best_by_bars(held, table, opens[entered] if inside else None, row)
            assert broker.ledger.positions["X"] == replace(held, best_price=expected)
        seen["long" if long else "short"] += 1
        seen["moved"] += expected != held.best_price
        seen["inside"] += inside
        high, low, close = table.high[entered, 0], table.low[entered, 0], table.close[entered, 0]
        seen["close beyond its bar at an entry inside"] += inside and bool(close > high if long else close < low)
    assert min(seen.values()) > 15, seen


def test_where_days_are_decided_on_the_best_price_is_that_of_complete_days_and_of_the_entry_s_close():
    chance, seen = Random(12), Counter[str]()
    for _ in range(120):
        ranges = [
            [(low := chance.uniform(90, 110), low * chance.uniform(1, 1.05)) for _ in range(6)] for _ in range(BARS)
        ]
        bars = minute_table(65, [[(low, high, low, chance.choice([low, high])) for low, high in day] for day in ranges])
        days = days_of(bars)
        (opens, closes), (day_opens, day_closes) = bars.moments, days.moments
        broker = ReplayBroker(opens[0])
        broker.open_account(bars, 10_000, FREE, OPEN_GATE, RunRecord(), decided=days)
        long, entered = chance.random() < 0.5, chance.randrange(1, len(opens))
        held = Position("X", 10 if long else -10, 100.0, opens[entered], 1.0, 1.0, 1.0, best_price=100.0)
        for row in range(len(opens)):
            broker._next_row, broker.datetime = row + 1, closes[row]
            if row == entered:
                broker.ledger.positions["X"] = held
            broker.note_best_prices()
        after = [day for day in range(len(day_opens)) if day_opens[day] >= opens[entered]]
        of_entry = [day for day in range(len(day_opens)) if day_opens[day] < opens[entered] < day_closes[day]]
        whole = days.high if long else days.low
        prices = [*(whole[day, 0] for day in after), *(days.close[day, 0] for day in of_entry), 100.0]
        best = float(max(prices) if long else min(prices))
        assert broker.ledger.positions["X"] == replace(held, best_price=best)
        seen["long" if long else "short"] += 1
        seen["entered inside of a day"] += bool(of_entry)
        seen["the close of the entry's day was best"] += any(days.close[day, 0] == best for day in of_entry)
        seen["more within the entry's day than its close"] += any(
            abs(whole[d, 0] - 100) > abs(best - 100) for d in of_entry
        )
    assert min(seen.values()) > 2, seen
