"""Whatever a Lumibot user's own code sends, by whatever door, the gate sees it first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
from lumibot.backtesting import PandasDataBacktesting
from lumibot.entities import Asset, Data, Order

from risk.model import Plan
from strategies.combined import CombinedStrategy
from tests.brokers.harness import OPEN_GATE, daily_table, run, send
from tests.risk.helpers import proposal

PRICE = 170.77
EQUITY = 106_400
TOO_MANY = 291  # 47% of the account
DAYS = pd.bdate_range("2024-03-04", periods=4)
QUIET = (100.0, 101.0, 99.0, 100.0)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Lumibot writes ./logs whatever it is told."""
    monkeypatch.chdir(tmp_path)


class Willful(CombinedStrategy):
    """A user's subclass that trades by its own hand in its first iteration."""

    def on_trading_iteration(self) -> None:
        super().on_trading_iteration()
        if self.first_iteration:
            self.parameters["act"](self)


def calm(price: float) -> pd.DataFrame:
    row = {"open": price, "high": price * 1.001, "low": price * 0.999, "close": price, "volume": 1e6}
    return pd.DataFrame([row] * len(DAYS), index=DAYS)


def act(action: Callable[[Any], Any], **settings: Any) -> Any:
    """Run the action as a plain Lumibot script would."""
    prices = {"PLTR": PRICE, "TSLA": 443.18, "SPY": 500.0}
    frames = {Asset(s): Data(Asset(s), calm(p), timestep="day") for s, p in prices.items()}
    _, strategy = Willful.run_backtest(
        PandasDataBacktesting,
        datetime.fromisoformat("2024-03-04"),
        datetime.fromisoformat("2024-03-08"),
        pandas_data=frames,
        budget=EQUITY,
        parameters={"profile": "active", "set": settings, "act": action},
        analyze_backtest=False,
        show_progress_bar=False,
        quiet_logs=True,
        save_stats_file=False,
    )
    return strategy


def order(s: Any, quantity: Any = TOO_MANY, side: str = "buy", symbol: str = "PLTR", **more: Any) -> Order:
    return s.create_order(symbol, quantity, side, **more)


def by_plan(s: Any) -> None:
    s.desk.execute(Plan(s.get_datetime(), entries=(proposal("PLTR", TOO_MANY, PRICE),)))


DOORS = {
    "submit_order": lambda s: s.submit_order(order(s)),
    "submit_order of a list": lambda s: s.submit_order([order(s)]),
    "submit_orders": lambda s: s.submit_orders([order(s), order(s)]),
    "an order made by hand": lambda s: s.submit_order(Order(s.name, Asset("PLTR"), TOO_MANY, "buy")),
    "a limit": lambda s: s.submit_order(order(s, limit_price=170.0)),
    "a stop": lambda s: s.submit_order(order(s, stop_price=171.0)),
    "a stop-limit": lambda s: s.submit_order(order(s, stop_price=171.0, stop_limit_price=171.5)),
    "a trailing buy": lambda s: s.submit_order(order(s, trail_percent=0.05)),
    "a bracket": lambda s: s.submit_order(
        order(s, order_class="bracket", secondary_stop_price=160.0, secondary_limit_price=190.0)
    ),
    "an entry with one exit": lambda s: s.submit_order(order(s, order_class="oto", secondary_stop_price=160.0)),
    "a short": lambda s: s.submit_order(order(s, side="sell_short")),
    "good till cancelled": lambda s: s.submit_order(order(s, time_in_force="gtc")),
    "the broker": lambda s: s.broker.submit_order(order(s)),
    "the broker, several": lambda s: s.broker.submit_orders([order(s)]),
    "the broker's back door": lambda s: s.broker._submit_order(order(s)),
    "the desk": by_plan,
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_half_the_account_is_refused_and_told_the_right_size(door):
    done = act(door)
    parents = [o for o in done.record.orders if not o.parent_id]
    assert parents
    for sent in parents:
        assert (sent.status, sent.filled_quantity) == ("rejected", 0)
        assert sent.reason.startswith("GATE_ORDER_NOTIONAL: "), sent.reason
        # A stop may be filled as far beyond its price as the collar allows, and is measured there.
        right = 62 if sent.type in ("market", "limit", "stop_limit") else 59
        assert sent.reason.endswith(f"is above 11172.00; at most {right} PLTR would be right")
    assert done.broker.ledger.cash == done.cash == EQUITY
    assert done.get_positions() == [] or [p.asset.symbol for p in done.get_positions()] == ["USD"]


REFUSED = {
    "TSLA by hand": (
        lambda s: order(s, 76, symbol="TSLA"),
        {},
        "GATE_ORDER_NOTIONAL: 33698.52 is above 11172.00; at most 24 TSLA would be right",
    ),
    "restricted": (lambda s: order(s, 10), {"gate.restricted": ["PLTR"]}, "GATE_RESTRICTED: PLTR"),
    "no tick": (lambda s: order(s, 10, limit_price=170.005), {}, "GATE_TICK: limit 170.005"),
    "exit between ticks": (
        lambda s: order(s, 10, order_class="bracket", secondary_stop_price=160.001, secondary_limit_price=190.0),
        {},
        "GATE_TICK: stop 160.001",
    ),
    "fraction of a share": (lambda s: order(s, 10.5), {}, "GATE_LOT: 10.5 is not a multiple of 1"),
    "price collar": (lambda s: order(s, 10, limit_price=188.0), {}, "GATE_COLLAR: limit 188.0000 is more than 10%"),
    "tighter collar": (lambda s: order(s, 10, limit_price=173.0), {"gate.price_collar_frac": 0.01}, "GATE_COLLAR"),
    "unknown symbol": (lambda s: order(s, 10, symbol="ZZZ"), {}, "GATE_QUOTE: no usable price for ZZZ"),
}


@pytest.mark.parametrize(("make", "settings", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_every_limit_binds_a_user_s_order(make, settings, code):
    done = act(lambda s: s.submit_order(make(s)), **settings)
    sent = done.record.orders[0]
    assert (sent.status, sent.reason[: len(code)]) == ("rejected", code)
    assert done.broker.ledger.cash == EQUITY


def test_the_day_s_limit_adds_up():
    def act_often(s: Any) -> None:
        for _ in range(7):
            s.submit_order(order(s, 120))

    wide = {"gate.max_order_notional_frac": 0.8, "gate.max_day_notional_frac": 0.6}
    done = act(act_often, **wide)
    # 120 shares are 19.3% of equity, so the fourth would make it 77%.
    assert [o.status for o in done.record.orders] == ["filled"] * 3 + ["rejected"] * 4
    assert done.record.orders[3].reason.startswith("GATE_DAY_NOTIONAL: 82010.58 opened today is above 63840.00")


def test_places_are_counted_with_orders_on_their_way():
    def two(s: Any) -> None:
        s.submit_orders([order(s, 10), order(s, 10, symbol="TSLA")])

    done = act(two, **{"gate.max_open_positions": 1})
    assert [o.status for o in done.record.orders] == ["filled", "rejected"]
    assert done.record.orders[1].reason == "GATE_POSITIONS: 1 of 1 positions are open"


def test_what_fits_is_not_held_up():
    done = act(lambda s: s.submit_order(order(s, 62)))
    assert done.record.orders[0].status == "filled"
    assert done.get_position("PLTR").quantity == 62


def test_exits_pass_whatever_the_limits_say():
    tight = OPEN_GATE.model_copy(
        update={"max_order_notional_frac": 0.2, "max_day_notional_frac": 0.2, "max_open_positions": 1}
    )
    barred = tight.model_copy(update={"restricted": ("X",)})

    def leave(s: Any) -> None:
        s.broker.gate = barred
        send(20, "sell")(s)

    # By the second bar the position is worth half the account, and its symbol is barred.
    done = run(daily_table(X=[QUIET, (500.0, 501.0, 499.0, 500.0), QUIET]), {0: send(20, "buy"), 1: leave}, gate=tight)
    assert [o.status for o in done.record.orders] == ["filled", "filled"]
    assert done.broker.ledger.positions == {}


def test_selling_everything_passes():
    done = act(lambda s: (s.submit_order(order(s, 62)), s.broker.process_pending_orders(), s.sell_all()))
    assert [(o.side, o.status) for o in done.record.orders] == [("buy", "filled"), ("sell", "filled")]
