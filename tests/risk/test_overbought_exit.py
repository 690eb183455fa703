from __future__ import annotations

import math

import pytest

from risk.overbought_exit import OverboughtExit
from tests.risk.helpers import book, market, module, position


def exits(held, rsi, *, unusable=(), column="rsi_14", **settings):
    on = market({"NVDA": 100.0}, {column: {"NVDA": rsi}}, unusable=unusable)
    return [(a.kind, a.symbol) for a in module(OverboughtExit, **settings).manage(book(held), on)]


@pytest.mark.parametrize(("rsi", "sold"), [(69.9, 0), (70.0, 0), (70.1, 1), (math.nan, 0)])
def test_the_threshold(rsi, sold):
    assert exits(position("NVDA", 10), rsi) == [("exit", "NVDA")] * sold


def test_only_long_entries_with_a_usable_bar():
    assert exits(position("NVDA", -10), 80) == []
    assert exits(position("NVDA", 10, role="hedge"), 80) == []
    assert exits(position("NVDA", 10), 80, unusable={"NVDA"}) == []


def test_every_setting_has_an_effect():
    assert exits(position("NVDA", 10), 75, rsi_above=80) == []
    assert exits(position("NVDA", 10), 75, rsi_bars=5) == []
    assert exits(position("NVDA", 10), 75, rsi_bars=5, column="rsi_5") == [("exit", "NVDA")]
    assert module(OverboughtExit, rsi_bars=5).needs() == ("rsi_5",)
