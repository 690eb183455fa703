"""Mishaps and dates from the command line."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from brokers.rehearsal.options import as_of_day, fault_plan
from config.errors import Refusal

NEW_YORK = ZoneInfo("America/New_York")


def test_every_mishap_can_be_asked_for() -> None:
    plan = fault_plan(
        [
            "cancel_delay_frac=0.5", "cancel_delay_s=0.3-2", "late_release=7", "silent_sibling_cancel=true",
            "partial_pause=30",
            "legs_beside_others=reserve", "surplus_stop_goes_short=false", "cancel_race_frac=1",
        ],
        seed=5, partial_fill_frac=0.25,
    )  # fmt: skip
    assert (plan.seed, plan.partial_fill_frac, plan.cancel_race_frac) == (5, 0.25, 1.0)
    assert (plan.cancel_delay_frac, plan.cancel_delay_s) == (0.5, (0.3, 2.0))
    assert (plan.late_release, plan.partial_pause) == (timedelta(seconds=7), timedelta(seconds=30))
    assert (plan.silent_sibling_cancel, plan.surplus_stop_goes_short, plan.legs_beside_others) == (
        True,
        False,
        "reserve",
    )
    assert fault_plan(["partial_fill_frac=0.1"], 0, 0.5).partial_fill_frac == 0.1


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("banana=1", "no mishap"),
        ("cancel_race_frac", "no mishap"),
        ("seed=3", "no mishap"),
        ("cancel_race_frac=2", "a fraction from 0 to 1"),
        ("cancel_race_frac=x", "a fraction from 0 to 1"),
        ("cancel_delay_s=2-1", "two times in seconds"),
        ("cancel_delay_s=1-2-3", "two times in seconds"),
        ("late_release=-1", "give seconds"),
        ("late_release=inf", "give seconds"),
        ("silent_sibling_cancel=yes", "true or false"),
        ("legs_beside_others=banana", "arm or reserve"),
        ("legs_beside_others=", "arm or reserve"),
    ],
)
def test_what_is_no_mishap_is_refused_with_the_way_out(option: str, hint: str) -> None:
    with pytest.raises(Refusal, match="--fault") as caught:
        fault_plan([option], 0)
    assert hint in str(caught.value)


def test_the_day_to_play_as() -> None:
    assert as_of_day(None, NEW_YORK) is None
    assert as_of_day("2026-01-31", NEW_YORK) == date(2026, 1, 31)
    assert as_of_day("today", NEW_YORK) == datetime.now(NEW_YORK).date()
    with pytest.raises(Refusal, match="--as-of banana"):
        as_of_day("banana", NEW_YORK)
