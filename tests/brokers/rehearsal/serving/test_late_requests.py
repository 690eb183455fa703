"""A request that the venue processes long after its client was told of a timeout; and counts by key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.serving.network_faults import Fault, Mishap, NetworkFaults
from brokers.rehearsal.serving.rate import RequestCount
from tests.brokers.rehearsal.market import later
from tests.brokers.rehearsal.wire import Wire

LATE = Mishap.PROCESSED_LATE


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire(other_keys={"SECOND": "secret"}) as one:
        yield one


def test_a_late_order_is_nowhere_and_then_there(wire: Wire) -> None:
    told: list[str] = []
    wire.server.on_request(lambda number, method, path, phase: told.append(f"{method} {phase}"))
    wire.server.faults.strike(LATE, "POST", seconds=14)
    status, body = wire.order(client_order_id="late")
    assert (status, body) == (504, {"message": "The upstream server is timing out"})
    look_up = "/v2/orders:by_client_order_id?client_order_id=late"
    later(wire.server, seconds=13)
    assert wire.ask("GET", look_up)[0] == 404
    later(wire.server, seconds=1)
    assert wire.ask("GET", look_up)[1]["status"] == "filled"
    assert told[:2] == ["POST before", "GET before"]
    assert told.count("POST after") == 1
    assert (wire.server.log[0].status, wire.server.log[0].mishap) == (504, LATE)


def test_a_close_sent_twice_since_the_first_was_late(wire: Wire) -> None:
    """Undeclared the second sale opens a short; declared to close it is refused when it arrives."""
    for intent, quantity in (({}, -10), ({"position_intent": "sell_to_close"}, 0)):
        wire.order(symbol="MSFT" if intent else "AAPL")
        later(wire.server, seconds=1)
        symbol = "MSFT" if intent else "AAPL"
        wire.server.faults.strike(LATE, "POST", seconds=14)
        assert wire.order(symbol=symbol, side="sell", **intent)[0] == 504
        later(wire.server, seconds=11)
        assert wire.order(symbol=symbol, side="sell", **intent)[0] == 200
        later(wire.server, seconds=4)
        later(wire.server, seconds=1)
        held = wire.server.call(lambda exchange, symbol=symbol: exchange._state.ledger.quantity(symbol))
        assert held == quantity


def test_lateness_is_drawn_between_5_and_20_seconds_from_the_seed() -> None:
    def draws(seed: int) -> list[float]:
        faults = NetworkFaults(seed, FaultPlan())
        faults.chance(LATE, 1.0)
        taken = [faults.take("POST", "/v2/orders") for _ in range(200)]
        return [fault.seconds for fault in taken if fault is not None and fault.seconds is not None]

    assert draws(1) == draws(1) != draws(2)
    assert len(draws(1)) == 200
    assert 5 <= min(draws(1)) < 5.5
    assert 19.5 < max(draws(1)) <= 20
    faults = NetworkFaults(1, FaultPlan())
    faults.add(Fault(LATE, late_s=(1.0, 1.0)))
    fault = faults.take("GET", "/")
    assert fault is not None
    assert fault.seconds == 1.0


def test_requests_are_counted_by_key_across_clients(wire: Wire) -> None:
    other = {"APCA-API-KEY-ID": "SECOND", "APCA-API-SECRET-KEY": "secret"}
    for _ in range(3):
        wire.ask("GET", "/v2/clock")
    # A second client with the first one's key.
    requests.get(wire.server.url + "/v2/account", headers=dict(wire.session.headers), timeout=5)
    requests.get(wire.server.url + "/v2/account", headers=other, timeout=5)
    requests.get(wire.server.url + "/v2/account", headers={**other, "APCA-API-SECRET-KEY": "no"}, timeout=5)
    counts = wire.server.request_counts
    assert {key: count.total for key, count in counts.items()} == {wire.server.key: 4, "SECOND": 1}
    assert counts[wire.server.key].most_in_a_minute == 4
    assert [entry.key for entry in wire.server.log] == [wire.server.key] * 4 + ["SECOND"]
    assert wire.server.unauthorized == 1


def test_each_key_has_a_limit_of_its_own() -> None:
    with Wire(requests_per_minute=2, other_keys={"SECOND": "secret"}) as wire:
        assert [wire.ask("GET", "/v2/clock")[0] for _ in range(3)] == [200, 200, 429]
        assert wire.server.request_counts[wire.server.key].refused == 1
        wire.session.headers.update({"APCA-API-KEY-ID": "SECOND", "APCA-API-SECRET-KEY": "secret"})
        assert wire.ask("GET", "/v2/clock")[0] == 200


def test_the_busiest_minute_is_any_sixty_seconds() -> None:
    now = [0.0]
    count = RequestCount(wall=lambda: now[0])
    for at in (0, 30, 50, 70, 80, 200):
        now[0] = float(at)
        count.add(within=at != 80)
    assert (count.total, count.refused, count.most_in_a_minute, count.last_minute) == (6, 1, 4, 1)
