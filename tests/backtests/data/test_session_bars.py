"""The bars that a rehearsal and a backtest both read."""

from __future__ import annotations

import pandas as pd
import pytest

from backtests.data.session_bars import SYNTHETIC, session_bars, with_inverse

HALF_DAY, FULL_DAY = "2022-11-25", "2022-12-02"


def frame(*rows: tuple[str, str, float, float, float, float]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["symbol", "datetime", "open", "high", "low", "close"])
    times = pd.to_datetime(made["datetime"], format="ISO8601").dt.tz_localize("America/New_York")
    return made.assign(datetime=times, volume=100.0)


def test_what_no_venue_would_have_served_is_left_out():
    flat = (10.0, 10.0, 10.0, 10.0)
    kept = session_bars(
        frame(
            ("SPY", f"{HALF_DAY} 09:25", *flat),
            ("SPY", f"{HALF_DAY} 09:30", *flat),
            ("SPY", f"{HALF_DAY} 12:55", *flat),
            ("SPY", f"{HALF_DAY} 13:00", *flat),
            ("SPY", f"{FULL_DAY} 11:53:20", *flat),
            ("SPY", f"{FULL_DAY} 13:00", *flat),
            ("SPY", f"{FULL_DAY} 16:00", *flat),
        ),
        5,
    )
    assert [f"{t:%m-%d %H:%M}" for t in kept["datetime"]] == ["11-25 09:30", "11-25 12:55", "12-02 13:00"]


def test_prices_are_cents_and_high_and_low_still_hold_them():
    row = session_bars(frame(("SPY", f"{FULL_DAY} 09:30", 10.006, 10.0061, 9.994, 9.9939)), 5).iloc[0]
    assert list(row[["open", "high", "low", "close"]]) == [10.01, 10.01, 9.99, 9.99]


def test_the_synthetic_inverse_moves_the_other_way():
    bars = with_inverse(
        frame(
            ("SPY", f"{FULL_DAY} 09:30", 400.0, 404.0, 396.0, 400.0),
            ("SPY", f"{FULL_DAY} 09:35", 402.0, 408.0, 400.0, 404.0),
        )
    )
    made = bars[bars["symbol"] == SYNTHETIC].set_index("datetime")[["open", "high", "low", "close"]]
    assert made.iloc[0].tolist() == pytest.approx([100.0, 101.0, 99.0, 100.0])
    assert made.iloc[1].tolist() == pytest.approx([99.5, 100.0, 98.0, 99.0])
