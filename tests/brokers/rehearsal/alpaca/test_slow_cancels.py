"""A cancel that takes its time, fills that win the race against it, and exits that exceed the position."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from brokers.rehearsal.core.faults import FaultPlan
from tests.brokers.rehearsal.market import later
from tests.brokers.rehearsal.venue import SECOND, Venue, at
from tests.brokers.rehearsal.wire import Wire

SLOW: dict[str, Any] = {"cancel_delay_frac": 1.0, "cancel_delay_s": (1.5, 1.5)}


def test_a_cancel_is_pending_for_as_long_as_it_takes() -> None:
    venue = Venue(faults=FaultPlan(**SLOW))
    one = venue.send(kind="limit", limit_price="90")
    venue.wait()
    venue.cancel(one)
    venue.wait()
    assert venue.status(one) == "pending_cancel"
    venue.advance(venue.now + timedelta(seconds=0.5))
    assert venue.status(one) == "canceled"


def test_a_fill_wins_the_race() -> None:
    venue = Venue(faults=FaultPlan(**SLOW))
    ids = venue.bracket("limit", limit_price="99")
    venue.wait()
    venue.cancel(ids[0])
    venue.quote("98")
    assert venue.status(*ids) == "filled new held"
    venue.wait(2)
    assert venue.status(*ids) == "filled new held"
    assert venue.told(ids[0]) == ["pending_new", "new", "fill", "order_cancel_rejected"]


def test_a_part_fills_and_the_rest_is_cancelled() -> None:
    faults = FaultPlan(seed=3, **SLOW)
    venue = Venue(faults=faults)
    one = venue.send(kind="limit", limit_price="99", qty="100")
    venue.wait()
    venue.cancel(one)
    faults.partial_fill_frac = 1.0
    venue.on_quote(venue.now + SECOND, {"AAPL": Decimal(98)})
    body = venue.order(one)
    assert body["status"] == "pending_cancel"
    assert 0 < int(str(body["filled_qty"])) < 100
    venue.advance(venue.now + SECOND)
    assert venue.status(one) == "canceled"
    assert venue.told(one)[-2:] == ["partial_fill", "canceled"]


def test_a_stop_behind_its_target_triggers_while_its_cancel_is_under_way() -> None:
    venue = Venue(faults=FaultPlan(**SLOW))
    _, target, stop = venue.bracket()
    venue.wait()
    venue.cancel(stop)
    venue.quote("94")
    assert venue.status(target, stop) == "replaced filled"
    assert venue.positions() == []


def test_delays_are_drawn_from_the_seed_and_shift_no_other_chance() -> None:
    drawn = [FaultPlan(seed=7, cancel_delay_frac=1.0).cancel_delay() for _ in range(2)]
    assert drawn[0] == drawn[1]
    plan = FaultPlan(seed=7, cancel_delay_frac=1.0)
    delays = [plan.cancel_delay().total_seconds() for _ in range(200)]
    assert 0.3 <= min(delays) < 0.4
    assert 1.9 < max(delays) <= 2
    assert plan._random.random() == Random(7).random()


def half_protected(faults: FaultPlan) -> tuple[Venue, tuple[str, ...], tuple[str, ...]]:
    """A bracket of 100 fills in part, a pair of exits is put on the part, then the rest fills."""
    faults.partial_fill_frac = 1.0
    venue = Venue(faults=faults)
    bracket = venue.bracket(qty="100")
    venue.wait()
    part = str(venue.order(bracket[0])["filled_qty"])
    assert 0 < int(part) < 100
    pair = venue.oco(qty=part)
    faults.partial_fill_frac = 0.0
    venue.wait()
    assert venue.status(bracket[0], *pair) == "filled new held"
    return venue, bracket, pair


def test_legs_are_armed_for_the_full_quantity_although_others_hold_shares() -> None:
    venue, bracket, _ = half_protected(FaultPlan(seed=3))
    assert venue.status(*bracket) == "filled new held"
    assert venue.order(bracket[1])["qty"] == "100"
    venue.quote("94")
    short = venue.position("AAPL")
    assert short["side"] == "short", "the exits together exceed the position"


def test_legs_can_reserve_what_nobody_holds() -> None:
    venue, bracket, pair = half_protected(FaultPlan(seed=3, legs_beside_others="reserve"))
    held = int(str(venue.order(pair[0])["qty"]))
    assert [venue.order(leg)["qty"] for leg in bracket[1:]] == [str(100 - held)] * 2
    venue.quote("94")
    assert venue.positions() == []
    assert venue.status(bracket[2], pair[1]) == "filled filled"


def test_reserved_legs_without_any_free_share_are_cancelled() -> None:
    faults = FaultPlan(legs_beside_others="reserve")
    venue = Venue(faults=faults)
    venue.buy()
    venue.oco()
    bracket = venue.bracket("limit", limit_price="90", stop="85")
    venue.wait()
    venue._state.ledger.holdings["AAPL"].qty -= 10
    venue.quote("89")
    assert venue.status(*bracket) == "filled canceled canceled"


@pytest.mark.parametrize(("goes_short", "left"), [(True, "-6"), (False, None)])
def test_a_surplus_stop_goes_short_or_does_not(goes_short: bool, left: str | None) -> None:
    venue = Venue(faults=FaultPlan(surplus_stop_goes_short=goes_short))
    _, _, stop = venue.bracket()
    venue.wait()
    venue._state.ledger.holdings["AAPL"].qty = Decimal(4)
    venue.quote("94")
    assert venue.order(stop)["filled_qty"] == ("10" if goes_short else "4")
    assert [position["qty"] for position in venue.positions()] == ([left] if left else [])


def test_a_slow_cancel_over_http() -> None:
    with Wire(venue_faults=FaultPlan(**SLOW)) as wire:
        one = wire.order(type="limit", limit_price="90")[1]["id"]
        later(wire.server, seconds=1)
        assert wire.ask("DELETE", f"/v2/orders/{one}")[0] == 204
        later(wire.server, seconds=1)
        assert wire.ask("GET", f"/v2/orders/{one}")[1]["status"] == "pending_cancel"
        later(wire.server, seconds=1)
        assert wire.ask("GET", f"/v2/orders/{one}")[1]["status"] == "canceled"


def test_two_cancels_are_done_in_the_order_in_which_they_are_due() -> None:
    faults = FaultPlan(**SLOW)
    venue = Venue(now=at("2026-03-10 10:00"), faults=faults)
    first, second = (venue.send(kind="limit", limit_price=price) for price in ("90", "91"))
    venue.wait()
    venue.cancel(first)
    faults.cancel_delay_frac = 0.0
    venue.cancel(second)
    venue.wait()
    assert venue.status(first, second) == "pending_cancel canceled"
