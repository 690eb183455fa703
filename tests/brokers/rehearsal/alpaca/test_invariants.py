"""Random sessions with every mishap on: whatever is sent, the books agree with the fills."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from brokers.rehearsal.alpaca.errors import ApiError
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.model import TERMINAL
from tests.brokers.rehearsal.venue import Venue, order

STEPS = 150


class Session:
    """One random client and a random market."""

    def __init__(self, seed: int, **more: Any) -> None:
        faults = FaultPlan(seed, 0.3, 0.3, **{"cancel_race_frac": 0.3, "replace_refused_frac": 0.6, **more})
        self.random = Random(seed)
        self.venue = Venue(faults=faults)
        self.price = 100.0
        self.ended: dict[str, Any] = {}

    def near(self, percent: float) -> str:
        return f"{self.price * (1 + percent / 100):.2f}"

    def some_order(self) -> str:
        status = self.random.choice(["open", "all"])
        listing: list[Any] = self.venue.orders(status=status, limit=500)
        return str(self.random.choice(listing)["id"]) if listing else "none"

    def step(self) -> None:
        venue, random = self.venue, self.random
        offset = random.uniform(-2, 2)
        qty = str(random.randint(1, 50))
        action = random.choice(
            [
                lambda: venue.bracket("limit", self.near(4), self.near(-4), limit_price=self.near(offset), qty=qty),
                lambda: venue.bracket("market", self.near(2), self.near(-2), qty=qty),
                lambda: venue.oco(self.near(2), self.near(-2), qty=qty),
                lambda: venue.send(random.choice(["buy", "sell"]), "limit", limit_price=self.near(offset), qty=qty),
                lambda: venue.send("sell", "stop", stop_price=self.near(-1), qty=qty),
                lambda: venue.send("sell", "trailing_stop", trail_percent="1", qty=qty),
                lambda: venue.send(notional="1234.56"),
                lambda: venue.cancel(self.some_order()),
                lambda: venue.replace(
                    self.some_order(), {random.choice(["limit_price", "stop_price"]): self.near(offset)}
                ),
                lambda: venue.close_position("AAPL", percentage=random.choice([50, 100])),
                lambda: venue.cancel_all(),
            ]
        )
        with suppress(ApiError):
            action()
        self.price *= 1 + random.gauss(0, 0.01)
        low, high = sorted((self.price, self.price * (1 + random.gauss(0, 0.01))))
        if random.random() < 0.5:
            venue.quote(self.near(0), seconds=random.choice([0, 1, 60, 3600]))
        else:
            venue.bar(self.near(0), f"{high + 0.01:.2f}", f"{low - 0.01:.2f}", self.near(0), minutes=15)


def check(session: Session) -> None:
    venue = session.venue
    fills = [e for e in venue.events if e["event"] in ("fill", "partial_fill")]
    cash, position = Decimal(100_000), Decimal(0)
    exits: dict[str, Decimal] = defaultdict(Decimal)
    entries: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        body = fill["order"]
        signed = Decimal(fill["qty"]) * (1 if body["side"] == "buy" else -1)
        cash, position = cash - signed * Decimal(fill["price"]), position + signed
        assert Decimal(fill["position_qty"]) == position
        if body["limit_price"]:
            limit = Decimal(body["limit_price"])
            assert (Decimal(fill["price"]) - limit) * (1 if body["side"] == "buy" else -1) <= 0
        if "group_id" in body and body["group_role"] == "entry":
            entries[body["group_id"]] += Decimal(fill["qty"])
        elif "group_id" in body:
            exits[body["group_id"]] += Decimal(fill["qty"])
    assert Decimal(str(venue.account()["cash"])) == cash
    assert sum(Decimal(str(p["qty"])) for p in venue.positions()) == position
    for group, sold in exits.items():
        assert group not in entries or sold <= entries[group]
    for held in venue.positions():
        assert 0 <= abs(Decimal(str(held["qty_available"]))) <= abs(Decimal(str(held["qty"])))
    for body in venue.orders(status="all", limit=500):
        if body["id"] in session.ended:
            assert body == session.ended[body["id"]]
        elif body["status"] in TERMINAL:
            session.ended[body["id"]] = body


@pytest.mark.parametrize("seed", range(8))
def test_random_sessions(seed: int) -> None:
    session = Session(seed)
    session.venue.submit(order(qty="20"))
    for step in range(STEPS):
        session.step()
        if step % 10 == 0:
            check(session)
    check(session)
    assert {"fill", "partial_fill", "canceled", "replaced"} <= {e["event"] for e in session.venue.events}


def test_the_mishaps_do_happen() -> None:
    seen = set()
    for seed in range(6):
        session = Session(seed)
        for _ in range(STEPS):
            session.step()
        seen |= {event["event"] for event in session.venue.events}
    assert {"order_cancel_rejected", "order_replace_rejected", "rejected", "expired", "accepted"} <= seen


SLOW: dict[str, Any] = {
    "cancel_race_frac": 0.0,
    "cancel_delay_frac": 0.7,
    "cancel_delay_s": (0.5, 120.0),
    "legs_beside_others": "reserve",
    "surplus_stop_goes_short": False,
}


def test_random_sessions_with_cancels_that_take_their_time() -> None:
    lost = 0
    for seed in range(4):
        session = Session(seed, **SLOW)
        session.venue.submit(order(qty="20"))
        for step in range(STEPS):
            session.step()
            if step % 10 == 0:
                check(session)
        check(session)
        lost += sum(event["event"] == "order_cancel_rejected" for event in session.venue.events)
    assert lost > 0, "no fill has won the race against a cancel"


def test_what_closes_never_turns_a_position_round() -> None:
    """Also where shares have left the account meanwhile, so that it is for more than there is."""
    closed = cut = 0
    for seed in range(4):
        session = Session(seed, **SLOW)
        venue, ledger = session.venue, session.venue._state.ledger
        venue.submit(order(qty="20"))
        for _ in range(STEPS):
            session.step()
            position = ledger.quantity("AAPL")
            side = "sell" if position > 0 else "buy"
            with suppress(ApiError):
                level = session.near(-1 if position > 0 else 1)
                qty = str(abs(int(position)))
                venue.send(side, "stop", stop_price=level, qty=qty, position_intent=f"{side}_to_close")
            if abs(position) > 3 and session.random.random() < 0.2:
                ledger.holdings["AAPL"].qty = position // 2
        for event in venue.events:
            body = event["order"]
            if event["event"] not in ("fill", "partial_fill") or venue._state.orders[body["id"]].intent != "close":
                continue
            closed += 1
            after = Decimal(event["position_qty"])
            before = after - Decimal(event["qty"]) * (1 if body["side"] == "buy" else -1)
            assert abs(after) < abs(before), "a close made the position larger"
            assert after * before >= 0, "a close turned the position round"
            cut += event["event"] == "partial_fill" and after == 0
    assert closed > 10
    assert cut > 0, "no close was ever for more than was left"
