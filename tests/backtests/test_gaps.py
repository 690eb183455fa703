"""Sessions without a bar and jumps like those of splits, told of what they hit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from backtests.gaps import Span, gap_notes, jump_warnings
from backtests.reports.metrics import max_drawdown
from backtests.run_description import fall_at_bars
from market.bars import PRICES, BarTable
from tests.backtests.sample import sample_table


def with_gap(symbol: str, first: int, last: int) -> BarTable:
    table = sample_table(bars=60)
    arrays = {name: getattr(table, name).copy() for name in (*PRICES, "volume")}
    for array in arrays.values():
        array[first:last, table.symbols.index(symbol)] = np.nan
    return replace(table, **arrays)


def notes(table: BarTable, positions: list[Span], benchmark: str = "SPY") -> tuple[str, ...]:
    return gap_notes(table, ["AAPL", "AMD"], benchmark, positions, table.opens_at[0], table.opens_at[-1])


def test_a_gap_in_a_traded_symbol_is_told_once() -> None:
    table = with_gap("AMD", 10, 13)
    days = table.opens_at[10:13]
    found = notes(table, [])
    assert found[-1].startswith("gaps: ") and f"AMD {days[0]:%Y-%m-%d}" in found[-1] and len(found) == 1


def test_a_session_that_several_symbols_lack_is_one() -> None:
    table = with_gap("AMD", 10, 13)
    arrays = {name: getattr(table, name).copy() for name in (*PRICES, "volume")}
    for array in arrays.values():
        array[10:13, table.symbols.index("AAPL")] = np.nan
    (told,) = notes(replace(table, **arrays), [])
    assert told == f"gaps: 3 sessions without a bar of AAPL, AMD, first AAPL {table.opens_at[10]:%Y-%m-%d}"


def test_a_position_and_the_benchmark_in_a_gap_are_told_first() -> None:
    table = with_gap("AMD", 10, 13)
    held = Span("AMD", 10.0, table.opens_at[5], table.opens_at[20])
    before = Span("AMD", 10.0, table.opens_at[2], table.opens_at[9])
    told = f"AMD (3 sessions from {table.opens_at[10]:%Y-%m-%d} to {table.opens_at[12]:%Y-%m-%d})"
    assert notes(table, [held])[0].endswith(f"stood still: {told}")
    assert not any("positions" in note for note in notes(table, [before]))
    assert notes(table, [], "AMD")[0].startswith("the benchmark AMD has no bar in 3 sessions from ")


def test_what_begins_late_or_ends_early_has_no_gap() -> None:
    assert notes(with_gap("AMD", 0, 13), []) == notes(with_gap("AMD", 40, 60), []) == notes(sample_table(bars=60), [])


def test_a_position_held_through_a_jump_is_told_with_what_it_made() -> None:
    table = sample_table(bars=30)
    arrays = {name: getattr(table, name).copy() for name in PRICES}
    k = table.symbols.index("AMD")
    for array in arrays.values():
        array[15:, k] = 20 * array[14, k]
    arrays["open"][15, k] = 20 * arrays["close"][14, k]
    table = replace(table, **arrays)
    day, usd = table.opens_at[15], 19 * arrays["close"][14, k]
    (told,) = jump_warnings(table, [Span("AMD", 10.0, table.opens_at[3], table.opens_at[20])])
    assert told.startswith(f"{10 * usd:+,.2f} USD of the result are one jump of AMD on {day:%Y-%m-%d}, from ")
    (short,) = jump_warnings(table, [Span("AMD", -10.0, table.opens_at[3], table.opens_at[20])])
    assert short.startswith(f"{-10 * usd:+,.2f} USD")
    assert jump_warnings(table, [Span("AMD", 10.0, day + pd.Timedelta(hours=1), table.opens_at[20])]) == ()


def test_the_benchmark_s_drawdown_is_that_of_its_bars() -> None:
    table = sample_table(bars=30)
    k = table.symbols.index("SPY")
    expected = max_drawdown(np.array([table.open[4, k], *table.close[4:21, k]]))
    assert fall_at_bars(table, "SPY", table.opens_at[4], table.opens_at[20]) == expected
