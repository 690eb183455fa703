"""A desk in small: sends orders to a venue that is a folder, and is killed at any moment.

``kill_worker.py FOLDER SEED TRIALS`` forks one desk after another on one journal, kills it between two calls or
in the middle of one, and lets the last one finish. Prints what went wrong; nothing if nothing did.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from brokers.journal import AlreadyPlanned, Cumulative, Execution, Journal, OrderIntent

BEGIN = datetime(2024, 3, 4, 15, tzinfo=UTC)
ORDERS_A_DAY = 4
CALLS_A_DAY = 40  # About as many as a desk makes for its orders.
DAY_S = 0.12


class Killer:
    """Ends this process with SIGKILL before the n-th call."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Venue:
    """One file per order, made once; each order is filled in two parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def send(self, name: str, quantity: int) -> None:
        draft = self.folder.with_name("draft")
        draft.unlink(missing_ok=True)  # After a kill below it is a second name of the order before: not to be written.
        draft.write_text(str(quantity))
        os.link(draft, self.folder / name)  # All at once, and a second order of this id is an error.
        draft.unlink()

    def quantity(self, name: str) -> int | None:
        file = self.folder / name
        return int(file.read_text()) if file.exists() else None


def desk(folder: Path, day: int, killer: Killer) -> None:
    venue = Venue(folder / "venue")
    killer()
    with Journal(folder / "journal.sqlite3", "PA3") as journal:
        killer()
        for order in [*journal.unresolved(), *journal.open_orders()]:
            settle(journal, venue, order.client_order_id, int(order.quantity), killer)
        for sequence in range(ORDERS_A_DAY):
            quantity = 2 + (day + sequence) % 7
            moment = BEGIN + timedelta(days=day)
            intent = OrderIntent("s", "AMD", "buy", quantity, "market", "entry", moment, sequence)
            killer()
            try:
                name = journal.plan_order(intent)
            except AlreadyPlanned:
                continue
            killer()
            venue.send(name, quantity)
            killer()
            journal.sent(name, f"v-{name}")
            killer()
            settle(journal, venue, name, quantity, killer)
        killer()


def settle(journal: Journal, venue: Venue, name: str, quantity: int, killer: Killer) -> None:
    """Ask the venue, and book what it says: partly as single fills, some of them twice."""
    killer()
    if venue.quantity(name) is None:
        journal.event(name, "rejected", "lookup", reason="the venue does not know it")
        return
    first = Execution(1, "10.01", BEGIN, f"{name}/1", 1)
    rest = Execution(quantity - 1, "10.02", BEGIN, f"{name}/2", quantity)
    average = (Decimal("10.01") + (quantity - 1) * Decimal("10.02")) / quantity
    killer()
    journal.event(name, "partially_filled", "e1", fills=[first])
    killer()
    journal.event(name, "filled", "e2", fills=[rest, Cumulative(quantity, round(average, 6), BEGIN)])
    killer()
    journal.event(name, "partially_filled", "e1", fills=[first])


def wrong(folder: Path, days: int) -> list[str]:
    """Differences between journal and venue after the last day."""
    found: list[str] = []
    venue = {file.name: int(file.read_text()) for file in (folder / "venue").iterdir()}
    with Journal(folder / "journal.sqlite3", "PA3") as journal:
        found += [f"{order.client_order_id} is {order.state}" for order in journal.unresolved()]
        if journal.positions_by_fills().get("AMD", 0) != sum(venue.values()):
            found.append(f"journal {journal.positions_by_fills()}, venue {sum(venue.values())}")
        cash = sum((Decimal("10.01") + (quantity - 1) * Decimal("10.02") for quantity in venue.values()), Decimal(0))
        if journal.cash_by_fills() != -cash:
            found.append(f"journal {journal.cash_by_fills()}, venue {-cash}")
        planned = 0
        for day in range(days):
            for sequence in range(ORDERS_A_DAY):
                quantity = 2 + (day + sequence) % 7
                moment = BEGIN + timedelta(days=day)
                name = journal.order_id(OrderIntent("s", "AMD", "buy", quantity, "market", "entry", moment, sequence))
                order = journal.order(name)
                planned += 1
                if order.state != ("filled" if name in venue else "rejected"):
                    found.append(f"{name} is {order.state}, at the venue {venue.get(name)}")
        if not set(venue) or planned != days * ORDERS_A_DAY:
            found.append(f"{planned} planned, {len(venue)} sent")
    return found


def main(folder: Path, seed: int, trials: int) -> int:
    """Run days until each was ended whole; ``trials`` of the desks are killed."""
    chance = random.Random(seed)
    kills = day = 0
    while kills < trials or day == 0:
        between = chance.random() < 0.5
        calls = chance.randrange(1, CALLS_A_DAY) if between else 0
        child = os.fork()
        if child == 0:
            try:
                desk(folder, day, Killer(calls))
            except BaseException as error:
                sys.stderr.write(f"day {day}: {type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        if not between:
            time.sleep(chance.uniform(0, DAY_S))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            day += 1
        elif code == -signal.SIGKILL:
            kills += 1
        else:
            return 1
    desk(folder, day, Killer(0))
    problems = wrong(folder, day + 1)
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.stderr.write(f"{kills} kills, {day + 1} days\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
