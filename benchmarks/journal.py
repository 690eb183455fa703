"""What a fill, a gate check and a start cost on a journal of many filled orders.

``python benchmarks/journal.py [orders …]`` prints milliseconds of CPU and wall time on a SQLite file.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from brokers.desk.book_builder import BookBuilder
from brokers.desk.reconcile.budget_keeper import BudgetKeeper
from brokers.desk.reconcile.position_history import PositionHistory
from brokers.desk.reconcile.trade_table import TradeTable
from brokers.journal import Execution, Journal, OrderIntent, State, order_statements
from brokers.record import RunRecord

ACCOUNT, SYMBOLS, PER_DAY, PROBES = "benchmark", 40, 30, 20
BEGIN = datetime(2021, 1, 4, 15, 0, tzinfo=UTC)


def moment(number: int) -> datetime:
    """So many orders a day, all days alike."""
    return BEGIN + timedelta(days=number // PER_DAY, minutes=number % PER_DAY)


def intent(number: int) -> OrderIntent:
    """Entries and closes of one symbol after the other, in turns."""
    symbol, opens = f"S{number // 2 % SYMBOLS}", number % 2 == 0
    side, role = ("buy", "entry") if opens else ("sell", "close")
    more: dict[str, Any] = {"bracket_stop": 95, "bracket_target": 115} if opens else {}
    return OrderIntent("combined", symbol, side, 10, "limit", role, moment(number), number, limit_price=100, **more)


def fill(number: int) -> Execution:
    """The whole order at once."""
    return Execution(10, 100 + number % 7, moment(number), f"fill-{number}")


def grow(journal: Journal, first: int, last: int) -> None:
    """Write filled orders in one transaction, which takes seconds instead of minutes."""
    with journal._store.transaction() as connection:
        for number in range(first, last):
            wish = intent(number)
            name = journal.order_id(wish)
            order_statements.insert(connection, name, wish, run_id=None, now=moment(number))
            order_statements.report(
                connection, name, State.FILLED, "filled", time=moment(number), venue_id=f"venue-{number}",
                reports=[fill(number)],
            )  # fmt: skip


def timed(what: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of CPU and of wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    what()
    return (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000


def measure(count: int, folder: Path) -> dict[str, tuple[float, float]]:
    """The median of several, where it can be done several times."""
    path = folder / "journal.sqlite3"
    with Journal(path, ACCOUNT) as journal:
        grow(journal, 0, count)
    found: dict[str, tuple[float, float]] = {}
    opened: list[Journal] = []
    found["open the journal"] = timed(lambda: opened.append(Journal(path, ACCOUNT)))
    journal = opened[0]
    history, today = PositionHistory(journal), moment(count).date()
    found["first replay"] = timed(lambda: history.update(today))
    trades = journal.derived = TradeTable(journal, history, lambda: today)
    own: Any = SimpleNamespace(book=history.book, journal=journal, trades=trades)
    maker, record, keeper = (
        BookBuilder(own, own, {}, lambda position: (0.0, 0.0), lambda: None, lambda: True),
        RunRecord(),
        BudgetKeeper.open(folder, ACCOUNT, today),
    )
    found["first keeping of trades"] = timed(lambda: maker.keep_trades(record))
    steps: dict[str, list[tuple[float, float]]] = {}

    def probe(number: int) -> None:
        name = journal.plan_order(intent(number))

        def written() -> None:
            journal.event(name, State.FILLED, venue_id=f"venue-{number}", fills=[fill(number)])

        what: dict[str, Callable[[], object]] = {
            "write a fill": written,
            "book a fill": lambda: setattr(own, "book", history.update(today)),
            "keep trades": lambda: maker.keep_trades(record),
            "keep the budget": lambda: keeper.keep(own.book.ledger.budget),
            "gate: opened today": lambda: history.update(today).opened.get(today, 0.0),
            "gate: open orders": journal.open_orders,
            "unresolved orders": journal.unresolved,
            "next number": lambda: journal.next_sequence("S1", "entry", moment(number)),
        }
        for step, call in what.items():
            steps.setdefault(step, []).append(timed(call))

    for number in range(count, count + PROBES):
        probe(number)
    journal.close()
    for name, times in steps.items():
        found[name] = median(t[0] for t in times), median(t[1] for t in times)
    return found


def main() -> None:
    """Print a table."""
    counts = [int(argument) for argument in sys.argv[1:]] or [2_000, 20_000]
    results = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(count, Path(folder)))
    print(f"{'ms CPU (wall)':26}" + "".join(f"{count:>22,} orders" for count in counts))
    for name in results[0]:
        print(f"{name:26}" + "".join(f"{cpu:18.2f} ({wall:7.2f})" for cpu, wall in (r[name] for r in results)))


if __name__ == "__main__":
    main()
