"""Every refusal of the gate once, and: whatever passes keeps every limit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Gate
from risk.lots import EPSILON
from risk.model import DeployedBudget
from risk.policy_gate import (
    AccountState,
    GateCode,
    OrderRequest,
    check,
    review,
    round_to_tick,
    tick_down,
    tick_of,
    tick_up,
)
from tests.risk.helpers import NOW, book, position, proposal

GATE = Gate(
    max_order_notional_frac=0.20,
    max_day_notional_frac=1.0,
    max_order_notional_usd=None,
    max_day_notional_usd=None,
    max_new_positions=5,
    max_open_positions=20,
    min_cash_frac=0.15,
    restricted=("GME",),
    price_collar_frac=0.10,
)
FREE = {"equity": 100_000, "cash": 100_000, "day_notional": 0, "new_positions": 0, "open_positions": 0}
ACCOUNT = AccountState(**FREE, holds_symbol=False)


def request(quantity=10.0, quote=100.0, *, symbol="X", opens=True, **more) -> OrderRequest:
    return OrderRequest(symbol, opens, quantity, quote, **more)


def account(**changes) -> AccountState:
    return AccountState(**FREE | {"holds_symbol": False} | changes)


REFUSED = {
    "nothing": (request(0), {}, "GATE_QUANTITY: 0 is not a positive quantity"),
    "negative": (request(-5), {}, "GATE_QUANTITY: -5"),
    "not a number": (request(math.nan), {}, "GATE_QUANTITY: nan"),
    "endless": (request(math.inf), {}, "GATE_QUANTITY: inf"),
    "fraction of a share": (request(10.5), {}, "GATE_LOT: 10.5 is not a multiple of 1"),
    "limit between ticks": (request(limit_price=100.005), {}, "GATE_TICK: limit 100.005 is not a multiple of 0.01"),
    "stop between ticks": (request(stop_price=95.001), {}, "GATE_TICK: stop 95.001 is not a multiple of 0.01"),
    "below a dollar": (
        request(quote=0.5, limit_price=0.50005),
        {},
        "GATE_TICK: limit 0.50005 is not a multiple of 0.0",
    ),
    "limit that is no price": (request(limit_price=math.nan), {}, "GATE_PRICE: limit nan is not a price"),
    "stop below zero": (request(stop_price=-1.0), {}, "GATE_PRICE: stop -1.0 is not a price"),
    "no quote": (request(quote=math.nan), {}, "GATE_QUOTE: no usable price for X"),
    "zero quote": (request(quote=0.0), {}, "GATE_QUOTE: no usable price for X"),
    "restricted": (request(symbol="GME"), {}, "GATE_RESTRICTED: GME is on the restricted list"),
    "gap up": (
        request(quote=110.01, reference=100.0),
        {},
        "GATE_COLLAR: quote 110.0100 is more than 10% off the decision's price 100.0000",
    ),
    "gap down": (request(quote=89.99, reference=100.0), {}, "GATE_COLLAR: quote 89.9900"),
    "reference that is no number": (request(reference=math.nan), {}, "GATE_COLLAR: quote 100.0000"),
    "limit through the market": (
        request(limit_price=110.01),
        {},
        "GATE_COLLAR: limit 110.0100 is more than 10% through the quote 100.0000",
    ),
    "short limit through the market": (request(limit_price=89.99, buy=False), {}, "GATE_COLLAR: limit 89.9900"),
    "order": (request(201), {}, "GATE_ORDER_NOTIONAL: 20100.00 is above 20000.00; at most 200 X would be right"),
    "order at its limit price": (request(190, limit_price=106.0), {}, "GATE_ORDER_NOTIONAL: 20140.00"),
    "order at its stop": (request(190, stop_price=106.0), {}, "GATE_ORDER_NOTIONAL: 20140.00"),
    "short at its limit": (request(190, limit_price=106.0, buy=False), {}, "GATE_ORDER_NOTIONAL: 20140.00"),
    "broke": (request(1), {"equity": -1.0}, "GATE_ORDER_NOTIONAL: 100.00 is above -0.20; at most 0 X would be right"),
    "unknown equity": (request(1), {"equity": math.nan}, "GATE_ORDER_NOTIONAL: 100.00 is above nan"),
    "day": (request(101), {"day_notional": 90_000}, "GATE_DAY_NOTIONAL: 100100.00 opened today is above 100000.00"),
    "symbol": (
        request(101),
        {"symbol_notional": 10_000, "holds_symbol": True},
        "GATE_SYMBOL_NOTIONAL: 20100.00 held and ordered of X is above 20000.00",
    ),
    "cash": (request(101), {"cash": 25_000}, "GATE_CASH: 14900.00 in cash would be left, below 15000.00"),
    "unknown cash": (request(1), {"cash": math.nan}, "GATE_CASH: nan in cash would be left"),
    "new positions": (
        request(),
        {"new_positions": 5},
        "GATE_NEW_POSITIONS: 5 of 5 new positions were opened or ordered today",
    ),
    "what a stop may slip": (request(199, stop_price=100.0, beyond_frac=0.1), {}, "GATE_ORDER_NOTIONAL: 21890.00"),
    "positions": (request(), {"open_positions": 20}, "GATE_POSITIONS: 20 of 20 positions are open"),
}


@pytest.mark.parametrize(("order", "state", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(order, state, code):
    assert str(check(order, account(**state), GATE)).startswith(code)


PASSED = {
    "order at the limit": (request(200), {}),
    "day at the limit": (request(100), {"day_notional": 90_000}),
    "symbol at the limit": (request(100), {"symbol_notional": 10_000, "holds_symbol": True}),
    "cash at the buffer": (request(100), {"cash": 25_000}),
    "more of a symbol that was opened today": (request(), {"new_positions": 5, "holds_symbol": True}),
    "a limit is not slipped through": (request(199, limit_price=100.0, beyond_frac=0.1), {}),
    "quote at the collar": (request(quote=110.0, reference=100.0), {}),
    "limit at the collar": (request(limit_price=110.0), {}),
    "limit far below the market waits": (request(limit_price=50.0), {}),
    "short limit far above the market waits": (request(limit_price=150.0, buy=False), {}),
    "a low limit may buy more": (request(390, limit_price=51.0), {}),
    "more of a held symbol when all places are taken": (request(), {"open_positions": 20, "holds_symbol": True}),
    "a tenth of a cent below a dollar": (request(quote=0.5, limit_price=0.5001), {}),
}


@pytest.mark.parametrize(("order", "state"), PASSED.values(), ids=PASSED.keys())
def test_what_keeps_the_limits_passes(order, state):
    assert check(order, account(**state), GATE) is None


@pytest.mark.parametrize(
    ("quantity", "quote", "right"), [(291, 170.77, "62 PLTR"), (76, 443.18, "24 PLTR")], ids=["PLTR", "TSLA"]
)
def test_an_order_beyond_the_limit_is_told_the_size_that_sizing_gives(quantity, quote, right):
    order = request(quantity, quote, symbol="PLTR")
    refusal = check(order, account(equity=106_400), GATE, position_frac=0.10)
    assert refusal.code == GateCode.ORDER_NOTIONAL and refusal.detail.endswith(f"at most {right} would be right")


def test_amounts_in_money_stand_beside_the_fractions_and_the_stricter_counts():
    money = GATE.model_copy(update={"max_order_notional_usd": 11_000, "max_day_notional_usd": 22_000})
    assert check(request(111), account(), money, position_frac=0.10).detail.endswith("at most 100 X would be right")
    assert check(request(110), account(day_notional=11_000), money) is None
    assert check(request(110), account(day_notional=11_001), money).code == GateCode.DAY_NOTIONAL
    # Of a small account the fraction is the stricter one.
    assert check(request(100), account(equity=40_000), money).detail.startswith("10000.00 is above 8000.00")
    assert check(request(1), account(equity=math.nan), money).code == GateCode.ORDER_NOTIONAL


def test_coins_come_in_lots_of_their_own():
    assert check(request(0.123), account(), GATE, lot=0.001) is None
    assert check(request(0.3), account(), GATE, lot=0.1) is None
    assert check(request(0.1234), account(), GATE, lot=0.001).code == GateCode.LOT
    assert check(request(1e306), account(), GATE, lot=0.001).code == GateCode.LOT


PRICES = st.floats(0.01, 5_000).map(round_to_tick)
ANY_PRICE = st.one_of(PRICES, st.sampled_from([0.0, -1.0, math.nan, math.inf]), st.floats(0.01, 5_000))
MONEY = st.one_of(st.floats(0, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, -1e5]))
FRACTIONS = st.floats(0.01, 1)
GATES = st.builds(
    Gate,
    max_order_notional_frac=FRACTIONS,
    max_day_notional_frac=st.floats(0.01, 4),
    max_order_notional_usd=st.none() | st.floats(1, 1e6),
    max_day_notional_usd=st.none() | st.floats(1, 1e6),
    max_new_positions=st.integers(1, 10),
    min_cash_frac=st.floats(0, 1),
    max_open_positions=st.integers(1, 30),
    restricted=st.sampled_from([(), ("GME",)]),
    price_collar_frac=FRACTIONS,
)
ACCOUNTS = st.builds(
    AccountState,
    equity=MONEY,
    cash=MONEY,
    day_notional=st.floats(0, 1e6),
    new_positions=st.integers(0, 12),
    symbol_notional=st.floats(0, 1e6),
    open_positions=st.integers(0, 40),
    holds_symbol=st.booleans(),
)
REQUESTS = st.builds(
    OrderRequest,
    symbol=st.sampled_from(["X", "GME"]),
    opens=st.booleans(),
    quantity=st.one_of(st.integers(1, 10_000).map(float), st.floats(allow_nan=True)),
    quote=ANY_PRICE,
    reference=st.none() | ANY_PRICE,
    limit_price=st.none() | ANY_PRICE,
    stop_price=st.none() | ANY_PRICE,
    buy=st.booleans(),
)


@given(REQUESTS, ACCOUNTS, GATES, st.sampled_from([1, 10, 0.001]))
def test_nothing_that_opens_passes_above_any_limit(order, state, gate, lot):
    if check(order, state, gate, lot) is not None:
        return
    assert order.quantity > 0
    if order.opens or not state.holds_symbol:
        assert math.isclose(order.quantity / lot, round(order.quantity / lot), abs_tol=1e-6)
    for price in (order.limit_price, order.stop_price):
        assert price is None or price == pytest.approx(round_to_tick(price), abs=1e-9)
    if not order.opens:
        return
    # A buy limit is the most that is paid; anything else may fill at the worst price it names.
    prices = [p for p in (order.quote, order.limit_price, order.stop_price) if p is not None]
    worst = order.limit_price if order.buy and order.limit_price is not None else max(prices)
    notional, slack = order.quantity * worst, 1 + EPSILON
    for most, limits in (
        (notional + state.symbol_notional, (gate.max_order_notional_frac, gate.max_order_notional_usd)),
        (notional + state.day_notional, (gate.max_day_notional_frac, gate.max_day_notional_usd)),
    ):
        assert most <= limits[0] * state.equity * slack
        assert limits[1] is None or most <= limits[1] * slack
    assert state.cash - notional >= gate.min_cash_frac * state.equity * (1 - EPSILON) - EPSILON
    assert state.holds_symbol or state.new_positions < gate.max_new_positions
    assert state.holds_symbol or state.open_positions < gate.max_open_positions
    assert order.symbol not in gate.restricted
    assert order.reference is None or abs(order.quote / order.reference - 1) <= gate.price_collar_frac + EPSILON


@given(REQUESTS, ACCOUNTS, GATES)
def test_nothing_but_its_quantity_and_ticks_can_hold_up_an_exit(order, state, gate):
    held = replace(state, holds_symbol=True)
    refusal = check(OrderRequest(order.symbol, False, order.quantity, math.nan), held, gate)
    assert refusal is None or refusal.code == GateCode.QUANTITY


def test_a_fraction_may_be_left_and_not_opened_or_sold_from_nothing():
    sale = OrderRequest("PLTR", False, 0.5, math.nan)
    assert check(sale, account(holds_symbol=True), GATE) is None
    assert check(sale, account(), GATE).code == GateCode.LOT
    assert check(request(0.5), account(holds_symbol=True), GATE).code == GateCode.LOT


@given(PRICES)
def test_a_price_on_a_tick_stays(price):
    assert round_to_tick(price) == price
    assert tick_of(price) == (0.01 if price >= 1 else 0.0001)


@given(st.floats(0.01, 5_000))
def test_rounding_lands_on_a_tick_that_the_gate_takes(price):
    assert check(request(1, opens=False, stop_price=round_to_tick(price)), ACCOUNT, GATE) is None


def test_review_tells_before_sizing_what_the_gate_would_refuse():
    assert review(proposal("NVDA"), book(), GATE) is None
    assert review(proposal("X", side="sell_short"), book(), GATE) is None
    told = review(proposal("X", side="sell_short"), book(), GATE, may_short=False).code
    assert told == "GATE_SHORT: no signal that sells short is on, so X is not sold"
    assert review(proposal("X"), book(), GATE, may_short=False) is None
    assert review(proposal("GME"), book(), GATE).code == "GATE_RESTRICTED: GME is on the restricted list"
    full = book(*(position(f"S{k}", 1) for k in range(20)))
    verdict = review(proposal("NVDA"), full, GATE)
    assert (verdict.module, verdict.code) == ("policy_gate", "GATE_POSITIONS: 20 of 20 positions are open")
    assert verdict.refused
    today = DeployedBudget(NOW.date(), day_positions=4)
    busy = replace(book(pending=[proposal("AAPL", 60)]), budget=today)
    assert review(proposal("NVDA"), busy, GATE).word == GateCode.NEW_POSITIONS
    spent = book(pending=[proposal("AAPL", 60)])
    spent = replace(spent, opened_today_usd=94_000)
    assert review(proposal("NVDA"), spent, GATE).code.startswith("GATE_DAY_NOTIONAL: 100000.00 opened today")


@pytest.mark.parametrize("price", [1.006609e-05, 9.87654e-04, 4.321e-09])
def test_prices_that_no_venue_quotes_keep_four_digits(price):
    assert round_to_tick(price) == pytest.approx(price, rel=1e-3) != 0
    assert 0 < tick_of(price) <= price / 1_000
    down, up = tick_down(price), tick_up(price)
    assert price * 0.999 < down <= price <= up < price * 1.001
