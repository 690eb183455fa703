"""The position book that follows fill by fill is the book that a replay of everything gives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest

from brokers.desk.reconcile import position_history
from brokers.desk.reconcile.position_book import replay
from brokers.desk.reconcile.position_history import PositionHistory
from brokers.journal import Figures, FilledOrder, JournalOrder, OrderIntent, Split, State
from brokers.journal.fills import Cumulative
from brokers.order_types import OrderRole
from tests.brokers.desk.scene import TUESDAY, Scene

SYMBOLS = ("AAPL", "MSFT", "NVDA")
DAY = TUESDAY.date()
FIGURES = Figures("momentum", "", Decimal("81.5"), price=Decimal(100), stop=Decimal(95), atr=Decimal(2))


@dataclass
class Written:
    """A journal in memory: orders as they stand, and which were told of."""

    orders: dict[str, FilledOrder] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    kept: list[Split] = field(default_factory=list)

    def put(self, item: FilledOrder) -> None:
        self.orders[item.order.client_order_id] = item
        self.told.append(item.order.client_order_id)

    def filled_since(self, mark):
        names = {name for name in self.told[mark:] if name} if mark is not None else ()
        return len(self.told), [self.orders[name] for name in sorted(names)]

    def filled_orders(self):
        return sorted(self.orders.values(), key=lambda f: (f.first_fill, f.order.journaled_at, f.order.client_order_id))

    def splits(self):
        return sorted(self.kept, key=lambda s: (s.time, s.symbol))

    def figures(self, symbol, time):
        return FIGURES if symbol != "NVDA" else None

    def all_figures(self):
        return {
            (f.order.symbol, f.order.decision_time): FIGURES for f in self.orders.values() if f.order.symbol != "NVDA"
        }

    def replayed(self):
        return replay(
            self.filled_orders(), lambda o: self.figures(o.symbol, None), ("MSFT",), DAY, splits=self.splits()
        )


def an_order(chance: Random, number: int, minute: float, **more) -> FilledOrder:
    time = TUESDAY + timedelta(minutes=minute)
    role = chance.choice(["entry", "entry", "stop", "target", "close", "trim", OrderRole.MANUAL, "hedge"])
    side = "buy" if role in ("entry", "hedge") or (role == OrderRole.MANUAL and chance.random() < 0.5) else "sell"
    count = Decimal(chance.randint(1, 20))
    part = count if chance.random() < 0.6 else Decimal(chance.randint(1, int(count)))
    values = {
        "client_order_id": f"o{number}", "parent_id": "", "venue_id": f"v{number}", "strategy": "combined",
        "symbol": chance.choice(SYMBOLS), "side": side, "quantity": count, "type": "limit", "role": role,
        "limit_price": None, "stop_price": None, "bracket_stop": Decimal(95), "bracket_target": Decimal(115),
        "decision_time": time, "sequence": 0, "reason": "", "state": State.PARTIALLY_FILLED, "filled_quantity": part,
        "filled_notional": part * Decimal(chance.randint(9000, 11000)) / 100, "estimated": False,
        "journaled_at": time,
    }  # fmt: skip
    return FilledOrder(JournalOrder(**values | more), time, time)


def a_day(chance: Random, journal: Written, number: int, minute: float, seen: Counter[str]) -> None:
    """One thing that happens at the venue and is written."""
    kind = chance.choices(
        ["new", "more", "late", "split", "difference", "back", "moved"], [50, 20, 3, 3, 8, 6, 3]
    )[0]  # fmt: skip
    items = list(journal.orders.values())
    notes = [f for f in items if f.order.role == OrderRole.MANUAL and not f.order.venue_id and not f.order.parent_id]
    partly = [f for f in items[-40:] if f.order.filled_quantity < f.order.quantity and f not in notes]
    if kind == "more" and partly:
        item = chance.choice(partly)
        order = item.order
        price = order.filled_notional / order.filled_quantity
        grown = replace(order, filled_quantity=order.quantity, filled_notional=order.quantity * price + 1)
        grown = replace(grown, state=State.FILLED)
        journal.put(replace(item, order=grown, last_fill=TUESDAY + timedelta(minutes=minute)))
    elif kind == "late":
        journal.put(an_order(chance, number, chance.uniform(-3000, minute)))
    elif kind == "moved" and items:
        # A fill before the one that was the first so far.
        item = chance.choice(items[-60:])
        journal.put(replace(item, first_fill=item.first_fill - timedelta(minutes=chance.choice([1, 200]))))
    elif kind == "split":
        journal.kept.append(
            Split(chance.choice(SYMBOLS), TUESDAY + timedelta(minutes=minute - chance.choice([0, 50])), Decimal(1),
                  Decimal(2))
        )  # fmt: skip
        journal.told.append("")
    elif kind == "difference":
        journal.put(an_order(chance, number, minute, role=OrderRole.MANUAL, venue_id=""))
    elif kind == "back" and notes:
        note = chance.choice(notes)
        taken = sum(f.order.filled_quantity for f in items if f.order.parent_id == note.order.client_order_id)
        left = note.order.filled_quantity - taken
        if left <= 0:
            return
        side = "sell" if note.order.side == "buy" else "buy"
        undone = an_order(
            chance, number, minute, role=OrderRole.MANUAL, venue_id="", parent_id=note.order.client_order_id, side=side,
            symbol=note.order.symbol, quantity=left, filled_quantity=left,
        )  # fmt: skip
        journal.put(replace(undone, first_fill=note.first_fill, last_fill=note.first_fill))
    else:
        kind = "new"
        journal.put(an_order(chance, number, minute))
    seen[kind] += 1


@pytest.mark.parametrize("seed", range(6))
def test_what_follows_fill_by_fill_is_what_a_replay_gives(seed, monkeypatch):
    if seed % 2:
        # A short memory meets its end more often.
        monkeypatch.setattr(position_history, "STEP", 4)
        monkeypatch.setattr(position_history, "KEPT", 3)
    chance, journal, seen = Random(seed), Written(), Counter()
    history = PositionHistory(journal, ("MSFT",))
    history.update(DAY)
    minute, incremental, fell_back = 0.0, 0, 0
    for number in range(110):
        minute += chance.choice([0, 0.5, 1, 5, 400])
        for more in range(chance.choice([1, 1, 1, 2, 3])):
            a_day(chance, journal, 10 * number + more, minute, seen)
        before = history.replays
        book = history.update(DAY)
        # By their text: not-a-number differs from itself.
        assert repr(book) == repr(journal.replayed())
        incremental += history.replays == before
        fell_back += history.replays > before
    assert incremental > 40
    assert fell_back > (2 if seed % 2 else 0)
    assert min(seen[kind] for kind in ("new", "more", "late", "split", "difference", "back", "moved")) > 0, seen


def test_a_book_that_was_handed_out_stays_as_it_was():
    chance, journal = Random(1), Written()
    history = PositionHistory(journal)
    for number in range(100):
        journal.put(an_order(chance, number, number))
        book = history.update(DAY)
        if number == 60:
            kept, text = book, repr(book)
    assert repr(kept) == text
    assert history.update(DAY) is book


def test_a_fill_books_a_few_events_whatever_the_account_age(monkeypatch):
    chance, journal = Random(2), Written()
    for number in range(3000):
        journal.put(an_order(chance, number, number))
    history = PositionHistory(journal)
    history.update(DAY)
    monkeypatch.setattr(journal, "filled_orders", lambda: pytest.fail("all of history was loaded"))
    most = 0
    for number in range(3000, 3300):
        journal.put(an_order(chance, number, number))
        before = history.booked
        history.update(DAY)
        most = max(most, history.booked - before)
    assert most <= 2 * position_history.STEP


def test_a_gate_check_and_a_fill_load_no_history(tmp_path, monkeypatch):
    scene = Scene(tmp_path)
    scene.enter()
    scene.settle(3)
    monkeypatch.setattr(scene.journal, "filled_orders", lambda: pytest.fail("all of history was loaded"))
    scene.enter("MSFT", 20)
    scene.step(1, AAPL=94)
    scene.settle(3)
    assert scene.held("MSFT") == scene.positions.book.quantity("MSFT") > 0 == scene.positions.book.quantity("AAPL")
    assert [trade.symbol for trade in scene.desk.record.trades] == ["AAPL"]
    assert scene.positions.opened_today() == pytest.approx(49 * 100 + 19 * 100, rel=0.01)
    monkeypatch.undo()
    assert scene.agrees()
    scene.stop()


def test_the_gate_counts_a_fill_that_nobody_has_looked_at_yet(tmp_path):
    scene = Scene(tmp_path)
    now, journal = scene.exchange.now, scene.journal
    assert scene.positions.opened_today() == 0
    name = journal.plan_order(OrderIntent("combined", "AAPL", "buy", 10, "market", "entry", now))
    journal.event(name, State.FILLED, fills=[Cumulative(10, 100, now)])
    assert scene.positions.opened_today() == 1000
    assert scene.positions.book.quantity("AAPL") == 0
    scene.stop()
