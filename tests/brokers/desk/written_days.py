"""Days of fills written into a journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random

from brokers.desk.reconcile.position_book import replay
from brokers.journal import Figures, FilledOrder, JournalOrder, Split, State
from brokers.order_types import OrderRole
from tests.brokers.desk.scene import TUESDAY

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
        "filled_notional": part * Decimal(chance.randint(9000, 11000)) / 100, "estimated": False, "fees": part / 8,
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
