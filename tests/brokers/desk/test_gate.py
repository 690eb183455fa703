"""The shipped gate under a live run: whatever a subclass sends ends at the exposure that the rules allow."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.desk.execution.order_gateway import OrderRefused
from brokers.desk.execution.order_requests import single
from brokers.desk.order_router import LumibotOrderRouter
from brokers.order_types import Side
from brokers.venue_requests import Single
from tests.brokers.desk.scene import SYMBOLS, TUESDAY, Scene

SHIPPED = (
    "gate.max_order_notional_frac=0.105", "gate.max_day_notional_frac=0.21", "gate.max_new_positions=2",
    "gate.min_cash_frac=0.15",
)  # fmt: skip


def market(symbol: str, quantity: int, side: Side = "buy") -> Single:
    return single(symbol, side, quantity, None)


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path, overrides=SHIPPED)
    made.settle(2)
    yield made
    made.stop()


def buy(scene: Scene, symbol: str, quantity: int) -> str:
    """Send it the way a subclass's order comes; the code of the refusal, empty where it was sent."""
    try:
        LumibotOrderRouter(scene.desk).submit(market(symbol, quantity))
    except OrderRefused as refused:
        return refused.code.partition(":")[0]
    return ""


def everything(scene: Scene) -> list[str]:
    """Buy whatever can be bought, in every symbol, until nothing more is taken; what was said."""
    said = []
    for quantity in (900, 104, 60, 1):
        for symbol in SYMBOLS[:4]:
            said.append(buy(scene, symbol, quantity))
            scene.settle(1)
    return said


def worth(scene: Scene) -> dict[str, float]:
    return {str(raw["symbol"]): float(raw["market_value"]) for raw in scene.exchange.positions()}


def test_a_subclass_that_buys_everything_ends_at_the_limits(scene):
    said = everything(scene)
    assert "GATE_ORDER_NOTIONAL" in said and {"GATE_NEW_POSITIONS", "GATE_SYMBOL_NOTIONAL"} & set(said)
    held = worth(scene)
    assert len(held) == 2
    assert max(held.values()) <= 0.105 * 100_000 * 1.01
    assert 0.15 * 100_000 < sum(held.values()) <= 0.21 * 100_000 * 1.01


def test_the_day_is_spent_after_a_restart_too(scene):
    everything(scene)
    before = worth(scene)
    scene.restart()
    scene.settle(2)
    assert "GATE_NEW_POSITIONS" in everything(scene)
    assert worth(scene).keys() == before.keys()
    assert sum(worth(scene).values()) <= 0.21 * 100_000 * 1.01


def test_what_is_sold_and_bought_again_counts_again(scene):
    assert buy(scene, "AAPL", 100) == ""
    scene.settle(3)
    scene.desk.closer.begin("AAPL", None, "close", "sold by the test", scene.state.now)
    scene.settle(4)
    assert buy(scene, "MSFT", 100) == ""
    scene.settle(3)
    assert buy(scene, "NVDA", 1) in ("GATE_NEW_POSITIONS", "GATE_DAY_NOTIONAL")


def test_cash_is_left_before_the_account_is_seen_again(tmp_path):
    scene = Scene(tmp_path, overrides=[*SHIPPED[:2], "gate.max_new_positions=9", "gate.min_cash_frac=0.85"])
    scene.settle(2)
    assert buy(scene, "AAPL", 100) == ""
    before = scene.positions.uncommitted_cash
    # It waits, and its cash is promised.
    assert buy(scene, "MSFT", 100) == "GATE_CASH"
    # The fill is known from the stream, the account's cash is as it was before.
    scene.pass_time(1)
    assert not scene.journal.open_orders()
    assert scene.positions.uncommitted_cash == before
    assert buy(scene, "MSFT", 100) == "GATE_CASH"
    scene.settle(3)
    assert buy(scene, "MSFT", 100) == "GATE_CASH"
    assert buy(scene, "MSFT", 40) == ""
    scene.stop()


def test_of_what_was_paid_and_what_it_is_worth_the_larger_one_takes_the_room_of_a_symbol(scene):
    assert buy(scene, "AAPL", 100) == ""
    scene.settle(2)
    scene.step(1, AAPL=97)
    # 10.5% of 99,699 less 10,001 that was paid is 467; less the 9,700 that it is worth it would be 768.
    assert buy(scene, "AAPL", 6) == "GATE_SYMBOL_NOTIONAL"
    assert buy(scene, "AAPL", 4) == ""


def test_an_order_that_waits_takes_the_room_of_its_symbol(scene):
    LumibotOrderRouter(scene.desk).submit(single("AAPL", "buy", 60, 95.0))
    assert buy(scene, "AAPL", 60) == "GATE_SYMBOL_NOTIONAL"
    assert buy(scene, "AAPL", 40) == ""


def test_an_order_that_a_hand_moved_counts_at_its_new_price(scene):
    sent = LumibotOrderRouter(scene.desk).submit(single("AAPL", "buy", 60, 95.0))
    scene.settle(1)
    scene.exchange.replace(sent.id, {"limit_price": "97"})
    scene.pass_time(1)
    scene.observer.look()
    assert scene.positions.account_state("AAPL").symbol_notional == 60 * 97
    assert scene.desk.entries.pending()["AAPL"].price == 97


def test_what_an_order_at_market_may_be_filled_beyond_its_quote_counts(tmp_path):
    # 104 shares at 100.01 are 10,401.04; with the slippage of a backtest, 5 bps, they are 10,406.24.
    made = Scene(tmp_path, overrides=[*SHIPPED, "gate.max_order_notional_usd=10402"])
    made.settle(2)
    assert buy(made, "AAPL", 104) == "GATE_ORDER_NOTIONAL"
    assert buy(made, "AAPL", 103) == ""
    made.stop()


def test_an_order_at_market_that_waits_for_the_opening_may_cost_what_the_collar_lets_through(tmp_path):
    made = Scene(
        tmp_path, overrides=[*SHIPPED, "gate.max_order_notional_usd=10402"], start=TUESDAY - timedelta(hours=2)
    )
    made.settle(2)
    assert not made.state.in_session
    # 103 shares at 100.01 and 5 bps are 10,306.18: in the session they pass.
    assert buy(made, "AAPL", 103) == "GATE_ORDER_NOTIONAL"
    most = int(10402 / (100.01 * (1 + made.settings.gate.price_collar_frac)))
    assert buy(made, "AAPL", most) == ""
    made.stop()


def test_an_order_at_market_costs_its_fee_too(tmp_path, monkeypatch):
    made = Scene(tmp_path, overrides=[*SHIPPED, "gate.max_order_notional_usd=10402"])
    made.settle(2)
    # 103 shares at 100.01 and 5 bps are 10,306.18.
    monkeypatch.setattr(type(made.state.rules), "fee_frac", Decimal("0.01"))
    assert buy(made, "AAPL", 103) == "GATE_ORDER_NOTIONAL"
    monkeypatch.setattr(type(made.state.rules), "fee_frac", Decimal(0))
    assert buy(made, "AAPL", 103) == ""
    made.stop()


def test_an_order_with_a_limit_costs_its_limit(tmp_path):
    made = Scene(tmp_path, overrides=[*SHIPPED, "gate.max_order_notional_usd=10402"])
    made.settle(2)
    LumibotOrderRouter(made.desk).submit(single("AAPL", "buy", 104, 100.01))
    made.stop()
