"""What a pipeline is told of the bars it decides on, and what is refused there."""

from __future__ import annotations

import pytest

from config import Refusal, load
from market.bars import BarTable
from strategies.adapt_to_bars import fit
from strategies.pipeline import Pipeline
from strategies.registry import build_pipeline
from tests.strategies.tables import walk


def fitted(bars: BarTable, **overrides: object) -> tuple[Pipeline, tuple[str, ...]]:
    settings = load(overrides={key.replace("__", "."): value for key, value in overrides.items()})
    pipeline = build_pipeline(settings)
    return pipeline, fit(pipeline, bars, settings)


def test_daily_bars_know_no_windows_and_no_intraday_signals():
    pipeline, notes = fitted(walk(30), signals__enabled=["trend", "vwap"], pace__windows=["15:55"])
    assert notes == (
        "Signals that need intraday bars were off: vwap.",
        "--set: pace.windows changes nothing on bars of a day: each is decided on once, when it is over",
    )
    assert [signal.name for signal in pipeline.signals] == ["trend"] and pipeline.window_minutes == 0


@pytest.mark.parametrize(
    ("windows", "missed"),
    [
        ([], ""),
        (["09:30"], ""),
        (["09:51"], ""),
        (["09:41", "09:56"], "09:56"),
        (["09:41", "10:00", "15:55"], "10:00, 15:55"),
    ],
)
def test_windows_are_held_against_the_openings_of_intraday_bars(windows, missed):
    """Six bars of five minutes from 09:30 on, the last of which opens at 09:55."""
    bars = walk(12, session_bars=6)
    pipeline, notes = fitted(bars, pace__windows=windows)
    assert pipeline.window_minutes == 5
    expected = (
        f"scan windows in which no bar opens, so that nothing is entered: {missed}; the bars of 5 minutes open from "
        "09:30 to 09:55 New York"
    )
    assert notes == ((expected,) if missed else ())


def test_windows_of_which_no_bar_reaches_any_are_refused():
    with pytest.raises(Refusal, match=r"pace\.windows: no bar opens at 09:56, 15:55 or soon after"):
        fitted(walk(12, session_bars=6), pace__windows=["09:56", "15:55"])


def test_a_single_session_that_may_go_on_is_noted_only():
    (note,) = fitted(walk(4, session_bars=6), pace__windows=["15:55"])[1]
    assert "nothing is entered: 15:55" in note
