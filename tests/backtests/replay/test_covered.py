"""What working stops cover is kept between changes of orders; it is always what summing it anew would give."""

from __future__ import annotations

import numpy as np
import pytest

from backtests.replay.engine import ReplayRun
from config import load
from tests.backtests.market import SYMBOLS, market, settings_on_market


def test_what_is_covered_is_the_sum_of_the_working_stops():
    table = market(11, 0.02, 0.05, 0.02, bars=240)
    chain = load(profile="active").risk.chain
    settings = settings_on_market("active", {"risk.chain": [*chain, "partial_profit", "trailing_stop"]})
    run = ReplayRun(settings, table, table.opens_at[60], table.opens_at[-1])
    broker, looked, changed = run.broker, [], set()

    def on_bar(_: int) -> None:
        for symbol in SYMBOLS:
            summed = sum(w.quantity for w in broker.working(symbol) if w.protects)
            assert broker.protected_quantity(symbol) == summed
            assert [w for w in broker.entries() if w.symbol == symbol] == [w for w in broker.working(symbol) if w.opens]
            looked.append(summed)
        worth = broker.ledger.cash + sum(
            p.quantity * (p.entry_price if np.isnan(m := broker.marks_at(broker.closed_row())[SYMBOLS.index(s)]) else m)
            for s, p in broker.ledger.positions.items()
        )
        assert broker.equity() == pytest.approx(worth)
        changed.update((s, p.quantity) for s, p in broker.ledger.positions.items())

    broker.on_bar = on_bar
    run.run()
    parts = sum(order.role == "partial" and order.status == "filled" for order in run.record.orders)
    stops = sum(order.role == "stop" and order.status == "filled" for order in run.record.orders)
    assert parts > 2 and stops > 2 and len(changed) > 10, (parts, stops, len(changed))
    assert sum(quantity > 0 for quantity in looked) > 100
