"""The mishaps, each alone, and that a seed tells all of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.rehearsal.venue import Venue

PARTIAL = {"partial_fill_frac": 1.0, "seed": 3}


def test_a_partly_filled_entry_is_unprotected() -> None:
    venue = Venue(faults=FaultPlan(**PARTIAL))
    ids = venue.bracket(qty="100")
    venue.wait()
    assert venue.status(*ids) == "partially_filled held held"
    filled = str(venue.order(ids[0])["filled_qty"])
    assert 0 < int(filled) < 100
    assert venue.available() == filled
    venue.quote("94")
    assert venue.status(ids[2]) == "held"


def test_a_partial_fill_is_reported_with_what_it_left() -> None:
    venue = Venue(faults=FaultPlan(**PARTIAL))
    order_id = venue.send(qty="100")
    for _ in range(200):
        venue.wait()
    assert venue.status(order_id) == "filled"
    fills = [e for e in venue.events if e["event"] in ("partial_fill", "fill")]
    assert [e["event"] for e in fills[-2:]] == ["partial_fill", "fill"]
    assert sum(Decimal(e["qty"]) for e in fills) == 100
    assert fills[-1]["position_qty"] == "100"


def test_a_partly_filled_target_resizes_the_stop() -> None:
    faults = FaultPlan(seed=3)
    venue = Venue(faults=faults)
    _, target, stop = venue.bracket(qty="100")
    venue.wait()
    faults.partial_fill_frac = 1.0
    venue.quote("111")
    body = venue.order(target)
    assert body["status"] == "partially_filled"
    assert Decimal(str(venue.order(stop)["qty"])) == 100 - Decimal(str(body["filled_qty"]))
    assert venue.available() == "0"
    venue.quote("94")
    assert venue.status(target) == "replaced"
    left = 100 - Decimal(str(venue.order(target)["filled_qty"]))
    assert venue.order(stop)["qty"] == str(left)
    faults.partial_fill_frac = 0.0
    venue.wait()
    assert venue.status(stop) == "filled"
    assert venue.positions() == []


def test_a_cancelled_partly_filled_entry_leaves_bare_shares() -> None:
    venue = Venue(faults=FaultPlan(**PARTIAL))
    ids = venue.bracket(qty="100")
    venue.wait()
    venue.cancel(ids[0])
    venue.wait()
    assert venue.status(*ids) == "canceled canceled canceled"
    assert venue.position("AAPL")["qty"] == venue.order(ids[0])["filled_qty"]


@pytest.mark.parametrize("tif", ["ioc", "fok"])
def test_at_once_orders_and_partial_fills(tif: str) -> None:
    venue = Venue(faults=FaultPlan(**PARTIAL))
    order_id = venue.send(qty="100", time_in_force=tif)
    venue.wait()
    assert venue.status(order_id) == ("canceled" if tif == "ioc" else "filled")


def test_shares_can_come_back_late() -> None:
    venue = Venue(faults=FaultPlan(late_release_frac=1, late_release=timedelta(seconds=5)))
    venue.buy()
    target, _ = venue.oco()
    venue.wait()
    venue.cancel(target)
    venue.wait()
    venue.wait(5)
    assert venue.available() == "0"
    venue.wait()
    assert venue.available() == "10"


def test_a_fill_can_race_a_cancel() -> None:
    venue = Venue(faults=FaultPlan(cancel_race_frac=1))
    ids = venue.bracket("limit", limit_price="99")
    venue.wait()
    venue.cancel(ids[0])
    venue.wait()
    assert venue.status(*ids) == "filled new held"
    assert venue.order(ids[0])["filled_avg_price"] == "99"
    assert venue.told(ids[0])[-2:] == ["fill", "order_cancel_rejected"]


def test_the_stream_can_keep_quiet_about_the_stop() -> None:
    venue = Venue(faults=FaultPlan(silent_sibling_cancel=True))
    _, target, stop = venue.bracket()
    venue.wait()
    venue.quote("111")
    assert venue.status(target, stop) == "filled canceled"
    assert venue.told(stop) == []


def test_a_fractional_order_can_fill_in_part() -> None:
    assert 0 < FaultPlan(**PARTIAL).part(Decimal("0.5")) < Decimal("0.5")
    assert FaultPlan(**PARTIAL).part(Decimal(1)) == 1


def play(seed: int) -> list[dict[str, Any]]:
    venue = Venue(faults=FaultPlan(seed=seed, partial_fill_frac=0.5, cancel_race_frac=0.5, replace_refused_frac=0.5))
    for price in ("100", "99", "98.5"):
        ids = venue.bracket("limit", limit_price=price, stop="90", qty="50")
        venue.wait()
        if venue.status(ids[0]) == "new":
            venue.cancel(ids[0])
    for price in ("99", "101", "97", "111", "89"):
        venue.bar(price, str(float(price) + 2), str(float(price) - 2), price)
    return venue.events


def test_the_same_seed_and_calls_give_the_same_events() -> None:
    assert play(1) == play(1)
    assert play(1) != play(2)
