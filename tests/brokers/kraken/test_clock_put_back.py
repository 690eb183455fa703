"""Kraken's clock was told hours ahead, and is put back: what was asked by it is asked again in the usual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from brokers.desk.execution.stop_changes import JOIN_AFTER, StopChanges
from brokers.kraken.order_memory import OrderMemory
from brokers.order_types import Resting
from tests.brokers.kraken.scripted import scripted
from tests.brokers.kraken.test_kept_bars import BTC, Hours

AHEAD = timedelta(hours=3)
NOW = datetime(2026, 3, 3, 12, 5, tzinfo=UTC)


def test_bars_are_asked_for_again(tmp_path, monkeypatch):
    hours = Hours(NOW)
    venue, rest, _ = scripted(tmp_path, {"OHLC": hours})
    monkeypatch.setattr(venue.clock, "now", lambda: hours.now)
    start = NOW - timedelta(hours=11)
    venue.bars([BTC], 60, start)
    hours.now, rest.answers["OHLC"] = NOW + AHEAD, {"XXBTZUSD": [], "last": 0}
    venue.bars([BTC], 60, start)
    hours.now, rest.answers["OHLC"] = NOW + timedelta(hours=1), hours
    assert venue.bars([BTC], 60, start)["datetime"].iloc[-1] == datetime(2026, 3, 3, 12, tzinfo=UTC)


def test_what_has_ended_is_listed_again_where_balances_moved():
    listed: list[datetime] = []
    client: Any = SimpleNamespace(open_orders=dict, closed_orders=lambda start: listed.append(start) or {})
    clock: Any = SimpleNamespace(now=lambda: now[0])
    reference: Any = SimpleNamespace(learn=lambda names: None, pairs=None)
    memory = OrderMemory(client, reference, SimpleNamespace(), clock, 30.0)  # type: ignore[arg-type]  # a stand-in
    now = [NOW + AHEAD]
    memory.since(NOW - timedelta(days=1))
    now[0] = NOW
    memory.doubt()
    memory.since(NOW)
    assert len(listed) == 2


def test_stops_of_two_fills_become_one():
    def stop(name: str) -> Any:
        made = NOW + AHEAD
        return SimpleNamespace(id=name, symbol=BTC, created=made, filled=0, stop_price=80_000, quantity=1, remaining=1)

    state: Any = SimpleNamespace(now=NOW, rules=SimpleNamespace(resting={Resting.ENTRY_STOP}))
    changes = StopChanges.__new__(StopChanges)
    changes._state, changes._gateway = state, SimpleNamespace(nothing_follows=False)  # type: ignore[assignment]  # a stand-in
    changes._positions = SimpleNamespace(unresolved=lambda symbol: [])  # type: ignore[assignment]  # a stand-in
    changes.may_be_raised = lambda symbol: True  # type: ignore[method-assign]  # a stand-in
    protection: Any = SimpleNamespace(entries=[], stops=[stop("a"), stop("b")])
    assert changes.to_be_joined(protection) is not None
    # One that was just made may be of a moment later by the venue's clock.
    state.now = NOW + AHEAD - JOIN_AFTER / 30
    assert changes.to_be_joined(protection) is None
