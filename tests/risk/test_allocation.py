from __future__ import annotations

import pytest
from pydantic import ValidationError

from risk.allocation import Allocation, allocation_fraction
from tests.risk.helpers import book, market, module, proposal

MARKET = market({"NVDA": 100.0})


@pytest.mark.parametrize(
    ("count", "fraction"), [(1, 0.10), (2, 0.10), (3, 0.0667), (4, 0.05), (5, 0.05), (6, 0.05), (29, 0.05)]
)
def test_the_table(count, fraction):
    assert allocation_fraction(count) == pytest.approx(fraction, abs=5e-5)


@pytest.mark.parametrize("count", range(1, 12))
def test_what_is_taken_never_exceeds_the_total(count):
    assert min(count, 4) * allocation_fraction(count) <= 0.20 + 1e-12


def test_no_signals_is_nonsense():
    with pytest.raises(ValueError, match="at least 1"):
        allocation_fraction(0)


@pytest.mark.parametrize(
    ("batch", "quantities"),
    [
        (1, [100]),
        (2, [100, 100]),
        (3, [66, 66, 66]),
        (4, [50, 50, 50, 50]),
        (5, [50, 50, 50, 50, 0]),
        (6, [50, 50, 50, 50, 0, 0]),
    ],
)
def test_one_to_six_signals(batch, quantities):
    rule = module(Allocation)
    wishes = [proposal(quantity=100, rank=k + 1, batch=batch) for k in range(batch)]
    assert [rule.review(wish, book(), MARKET).after for wish in wishes] == quantities


def test_codes():
    rule = module(Allocation)
    refused = rule.review(proposal(rank=5, batch=6), book(), MARKET)
    assert refused.code == "ALLOCATION: rank 5 of 6, only 4 taken"
    shrunk = rule.review(proposal(quantity=100, rank=1, batch=3), book(), MARKET)
    assert shrunk.code == "ALLOCATION: 6.67% of equity each, 3 signals"
    assert rule.review(proposal(quantity=10), book(), MARKET).code == "OK"


def test_a_hedge_passes():
    assert module(Allocation).review(proposal("SH", 1_000, role="hedge", rank=9), book(), MARKET).after == 1_000


@pytest.mark.parametrize(
    ("settings", "after"),
    [({"total_frac": 0.25}, 83), ({"max_each_frac": 0.06}, 60), ({"min_each_frac": 0.08}, 0), ({"lot": 10}, 60)],
)
def test_every_setting_has_an_effect(settings, after):
    third_of_three = proposal(quantity=500, rank=3, batch=3)
    assert module(Allocation, **settings).review(third_of_three, book(), MARKET).after == after
    assert module(Allocation).review(third_of_three, book(), MARKET).after == 66


@pytest.mark.parametrize("settings", [{"min_each_frac": 0.15}, {"max_each_frac": 0.3}, {"total_frac": 20}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        module(Allocation, **settings)
