from __future__ import annotations

import itertools
import time
import tracemalloc
from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from brokers.desk.execution.surplus import EXACT_GROUPS, fewest

GROUPS = {"a": Decimal(5), "b": Decimal(4), "c": Decimal(4), "d": Decimal(9)}


@pytest.mark.parametrize(
    ("excess", "above", "below"),
    [(8, "bc", "bc"), (9, "d", "d"), (6, "bc", "a"), (3, "b", ""), (22, "abcd", "abcd"), (1, "b", "")],
)
def test_the_nearest_sum_of_the_fewest_groups_is_taken(excess, above, below):
    assert fewest(GROUPS, Decimal(excess), at_most=False) == tuple(above)
    assert fewest(GROUPS, Decimal(excess), at_most=True) == tuple(below)


def coins(random: Random, count: int) -> dict[str, Decimal]:
    return {f"O{i}": Decimal(random.randint(10**5, 10**8)).scaleb(-8) for i in range(count)}


@pytest.mark.parametrize("at_most", [False, True])
def test_few_groups_are_weighed_in_every_way_and_many_come_close(at_most):
    random, seen = Random(1), Counter[str]()
    for count in (3, 8, EXACT_GROUPS, EXACT_GROUPS + 1, 16):
        for _ in range(3):
            groups = coins(random, count)
            excess = sum(groups.values()) * Decimal(random.random())
            taken = fewest(groups, excess, at_most=at_most)
            total = sum(groups[name] for name in taken)
            assert len(set(taken)) == len(taken)
            assert total <= excess if at_most else total >= excess
            sums = [
                sum(groups[name] for name in names)
                for size in range(count + 1)
                for names in itertools.combinations(groups, size)
            ] if count <= EXACT_GROUPS else []  # fmt: skip
            if sums:
                fits = [total for total in sums if (total <= excess if at_most else total >= excess)]
                assert total == min(fits, key=lambda total: abs(total - excess))
                seen["exact"] += 1
            else:
                assert abs(total - excess) < min(groups.values()) + Decimal("0.05")
                seen["near"] += 1
    assert seen == {"exact": 9, "near": 6}


def test_one_that_is_too_large_is_taken_where_nothing_else_is_enough():
    groups = {"large": Decimal(100)} | {f"small{i}": Decimal(1) for i in range(EXACT_GROUPS)}
    assert fewest(groups, Decimal(50), at_most=False) == ("large",)
    assert len(fewest(groups, Decimal(50), at_most=True)) == EXACT_GROUPS


@pytest.mark.parametrize("count", [20, 40, 200])
def test_many_groups_take_no_time_and_no_memory(count):
    groups = coins(Random(2), count)
    began = time.process_time()
    tracemalloc.start()
    fewest(groups, sum(groups.values()) / 3, at_most=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - began < 0.5
    assert most < 10_000_000
