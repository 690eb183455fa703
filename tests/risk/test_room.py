"""An entry may use at the quote what every cap leaves it, so that whole lots cost a small account no share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from brokers.desk_rules import entry_at
from risk.allocation import Allocation
from risk.cash_buffer import CashBuffer
from risk.equity_sizer import SizingConfig, size
from risk.exposure_budget import ExposureBudget
from risk.model import ABOVE_DECIDED_FRAC, Book, Proposal
from risk.weekly_budget import WeeklyBudget
from tests.risk.helpers import NOW, book, module, proposal

EACH, DAY, WEEK, KEPT, RISK = 0.10, 0.20, 0.40, 0.60, 0.02
SIZING = SizingConfig(risk_frac=RISK, max_notional_frac=EACH)


def test_a_proposal_without_room_costs_at_most_what_it_was_decided_at():
    assert proposal("X", 2, 170).approved_usd == 340


@pytest.mark.parametrize(
    ("quantity", "room", "approved"), [(2, 500, 357), (2, 345, 345), (2, 340, 340), (2, 300, 340), (0, 500, 0)]
)
def test_room_is_used_up_to_the_bound(quantity, room, approved):
    assert proposal("X", quantity, 170, room_usd=room).approved_usd == pytest.approx(approved)


def test_a_small_account_gets_its_whole_shares_at_a_higher_quote():
    wish = proposal("QQQ", 0, 310, room_usd=np.inf)
    sized = wish.judged(size(wish, book(equity=5_000), SIZING))
    assert (sized.quantity, sized.room_usd) == (1, 500)
    assert entry_at(sized, 313.0, 313.5, 1).quantity == 1
    assert not entry_at(sized, 327.0, 327.2, 1).possible, "more than 5% above the decision"
    dear = proposal("QQQ", 0, 490, room_usd=np.inf)
    dear = dear.judged(size(dear, book(equity=5_000), SIZING))
    assert entry_at(dear, 499.0, 499.9, 1).quantity == 1
    assert not entry_at(dear, 500.0, 500.3, 1).possible, "more than the cap"


def test_the_risk_cap_limits_the_room_too():
    wish = proposal("X", 0, 100, stop=60, room_usd=np.inf)
    sized = wish.judged(size(wish, book(equity=5_000), SizingConfig(risk_frac=RISK, max_notional_frac=0.5)))
    assert sized.quantity == 2 and sized.room_usd == pytest.approx(250)


def test_whatever_comes_together_at_whatever_quote_no_cap_is_passed():
    """Scans of random proposals through sizer and rules; each is then bought at a quote up to 8% away."""
    rng, used, shares_kept = np.random.default_rng(7), 0, 0
    rules = [
        module(Allocation, total_frac=DAY, max_each_frac=EACH, min_each_frac=0.05, lot=1),
        module(ExposureBudget, day_frac=DAY, week_frac=WEEK, day_positions=9, week_positions_max=9,
               week_positions_warn=9, min_position_frac=0.0, lot=1),
        module(CashBuffer, buffer_frac=KEPT, min_position_frac=0.0, lot=1),
    ]  # fmt: skip
    for _ in range(400):
        equity = float(rng.choice([4_000, 5_000, 20_000, 105_000]))
        before = float(rng.uniform(0, WEEK)) * equity
        day = NOW.date()
        spent = WeeklyBudget(day).opened("OLD", before, day) if rng.random() < 0.5 else WeeklyBudget(day)
        cash = equity - spent.day_usd
        accepted: list[Proposal] = []
        for place in range(1, 4):
            price = float(np.exp(rng.uniform(np.log(5), np.log(600))))
            wish = proposal(f"S{place}", 0, price, rank=place, batch=3, room_usd=np.inf)
            now: Book = replace(book(equity=equity, cash=cash, pending=accepted), budget=spent.deployed(day))
            wish = wish.judged(size(wish, now, SIZING))
            for rule in rules:
                if wish.quantity > 0:
                    wish = wish.judged(rule.review(wish, now, None))
            if wish.quantity > 0:
                accepted.append(wish)
        costs = []
        for wish in accepted:
            quote = wish.price * float(1 + rng.uniform(-0.03, 0.08))
            entry = entry_at(wish, quote, quote * 1.0005, 1)
            assert entry.quantity <= wish.quantity
            cost = entry.quantity * quote * 1.0005
            assert cost <= EACH * equity + 1e-6
            assert entry.quantity * (quote - entry.stop) <= RISK * equity + 0.01 * entry.quantity
            assert cost <= wish.notional * (1 + ABOVE_DECIDED_FRAC) + 1e-6
            used += cost > wish.notional
            shares_kept += entry.quantity == wish.quantity and quote > wish.price
            costs.append(cost)
        assert spent.day_usd + sum(costs) <= max(DAY * equity, spent.day_usd) + 1e-6
        assert cash - sum(costs) >= min(KEPT * equity, cash) - 1e-6
    assert used > 100 and shares_kept > 100
