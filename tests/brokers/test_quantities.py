from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.desk.execution.order_requests import single
from brokers.ledger import Fill, Ledger
from brokers.quantities import plain, whole_lots
from brokers.record import RunRecord
from config import load
from risk.lots import trim_quantity
from risk.model import MANY_LOTS, floor_lot, is_whole_lots
from risk.policy_gate import AccountState, GateCode, OrderRequest, check

LOTS = (1, 0.1, 0.0001, 1e-8)
MOST = 10**9


def sizes(lot: float) -> st.SearchStrategy[Decimal]:
    """Quantities as a venue writes them, from a lot to a billion coins, whole lots and in between."""
    digits = -Decimal(repr(lot)).normalize().as_tuple().exponent
    sizes = st.sampled_from([10**power for power in range(1, 9 + digits)])
    counts = st.builds(lambda size, share: size * share // 10**9, sizes, st.integers(10**9, 10**10))
    parts = st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.5"), Decimal("0.99")])
    return st.builds(lambda count, part: (Decimal(count) + part).scaleb(-digits), counts, parts)


@pytest.mark.parametrize("lot", LOTS)
def test_a_quantity_is_rounded_down_and_by_less_than_a_lot(lot):
    seen: Counter[str] = Counter()

    @settings(max_examples=400, derandomize=True)
    @given(sizes(lot))
    def holds(quantity):
        step = Decimal(repr(lot))
        whole = whole_lots(quantity, lot)
        assert 0 <= whole <= quantity < whole + step
        assert whole % step == 0
        assert whole_lots(whole, lot) == whole > 0
        seen["whole"] += whole == quantity
        seen["rounded"] += 0 < whole < quantity
        seen["many"] += quantity / step >= MANY_LOTS

    holds()
    assert seen["whole"] > 20 and seen["rounded"] > 20, seen
    assert seen["many"] > (20 if lot < 0.1 else -1), seen


@pytest.mark.parametrize("lot", LOTS)
def test_a_number_is_rounded_down_to_what_the_gate_takes(lot):
    seen: Counter[str] = Counter()

    @settings(max_examples=400, derandomize=True)
    @given(
        st.builds(lambda power, share: lot * (MOST / lot) ** power * (1 + share), st.floats(0, 0.9), st.floats(0, 1))
    )
    def holds(quantity):
        whole = floor_lot(quantity, lot)
        slack = max(1e-9, min(quantity / lot * 1e-12, 1e-3)) * lot
        assert 0 < whole <= quantity + slack
        assert quantity - whole < lot * 1.001 + quantity * 1e-15
        assert is_whole_lots(whole, lot)
        assert floor_lot(whole, lot) == pytest.approx(whole, abs=1e-12)
        seen["rounded"] += whole < quantity
        seen["many"] += quantity / lot >= MANY_LOTS

    holds()
    assert seen["rounded"] > 20, seen
    assert seen["many"] > (20 if lot < 0.1 else -1), seen


@pytest.mark.parametrize("quantity", ["12345.12345678", "13894.12345678", "999999.99999999", "1000000000.12345678"])
def test_many_coins_are_not_rounded_up(quantity):
    quantity = Decimal(quantity)
    assert whole_lots(quantity, 1e-8) == quantity
    assert whole_lots(quantity + Decimal("9e-9"), 1e-8) == quantity
    assert floor_lot(float(quantity), 1e-8) == float(quantity)


def test_what_is_no_quantity_is_no_lot():
    assert [whole_lots(Decimal(text), 1) for text in ("-3", "0", "NaN", "Infinity")] == [0, 0, 0, 0]
    assert not is_whole_lots(1e308, 1e-8)
    assert floor_lot(1e300, 1e-8) == pytest.approx(1e300)


def test_lots_are_written_in_plain_digits():
    assert [str(whole_lots(Decimal(text), lot)) for text, lot in (("50.5", 1), ("50", 1.0), ("0.30", 1e-8))] == [
        "50", "50", "0.3",
    ]  # fmt: skip


def test_the_gate_refuses_a_part_of_a_lot_of_many():
    gate = load("aggressive").policy_gate
    account = AccountState(1e6, 1e6, 0, 0, 0, holds_symbol=False)

    def refusal(quantity):
        request = OrderRequest("DOGE/USD", True, quantity, 0.15, limit_price=0.15)
        return check(request, account, gate, lot=1e-8, tick=lambda price: 1e-7)

    assert refusal(12345.12345678) is None
    assert refusal(12345.123456789).code == GateCode.LOT


def test_what_is_sold_of_many_lots_is_a_multiple_of_the_lot():
    for held in (13894.12345678, 1234567.12345678):
        sold = trim_quantity(held, held / 3, 1e-8)
        assert sold == pytest.approx(held * 2 / 3, abs=1.1e-8)
        assert is_whole_lots(sold, 1e-8)


def test_an_order_of_many_lots_is_in_whole_ones():
    quantity = floor_lot(4096.0025, 0.0001)
    assert single("PENNY", "buy", quantity, 1.0).quantity == Decimal("4096.0025") == plain(quantity)


def test_a_position_of_many_coins_that_was_sold_is_gone():
    ledger, now = Ledger(1e6, RunRecord()), datetime(2026, 3, 3, tzinfo=UTC)
    for bought in (12345678.12345678, 23456789.23456789, 34567891.34567891):
        ledger.apply(Fill("SHIB/USD", bought, 1e-5, 0.0, now, "entry"), None, 0.9e-5, 2e-5)
    for part in (34567891.34567891, 23456789.23456789, 12345678.12345678):
        ledger.apply(Fill("SHIB/USD", -part, 1e-5, 0.0, now, "exit"), None, 0.0, 0.0)
    assert not ledger.positions
    assert len(ledger.closed) == 1
