"""Options of rehearsals as they are written on a command line: mishaps, and the date that is played as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from brokers.rehearsal.core.faults import FaultPlan
from config.errors import Refusal

SWITCHES = {"true": True, "false": False}
CHOICES = {"legs_beside_others": ("arm", "reserve")}


def fault_plan(given: Sequence[str], seed: int, partial_fill_frac: float = 0.0) -> FaultPlan:
    """The mishaps inside the venue that were asked for.

    Parameters
    ----------
    given : sequence of str
        Each a name and a value, ``partial_fill_frac=0.1`` or ``cancel_delay_s=0.3-2``; the names are those of
        :class:`~brokers.rehearsal.core.faults.FaultPlan`. Fractions lie between 0 and 1, times are seconds, a range
        of times is two of them with a hyphen.
    seed : int
    partial_fill_frac : float
        Unless ``given`` says otherwise.

    Raises
    ------
    Refusal
        An unknown name or a value that it can't have.
    """
    plan = FaultPlan(seed=seed, partial_fill_frac=partial_fill_frac)
    known = {field.name for field in fields(plan) if field.init} - {"seed"}
    for option in given:
        name, equals, text = option.partition("=")
        if not equals or name not in known:
            raise Refusal(f"--fault {option} is no mishap; write NAME=VALUE with one of {', '.join(sorted(known))}")
        value = _read(name, getattr(plan, name), text)
        if value is None:
            raise Refusal(f"--fault {option}: {text or 'nothing'} is no value for {name}; {_hint(name, plan)}")
        setattr(plan, name, value)
    return plan


def as_of_day(text: str | None, zone: ZoneInfo) -> date | None:
    """The day that a file's first day is played as, from ``today`` or a date; None where its own dates count.

    Parameters
    ----------
    text : str, optional
    zone : ZoneInfo
        Of the venue, whose today counts.

    Raises
    ------
    Refusal
        It is neither.
    """
    if text is None:
        return None
    if text == "today":
        return datetime.now(zone).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--as-of {text} is no date; write today or 2026-01-31") from None


def _read(name: str, default: object, text: str) -> object:
    if isinstance(default, bool):
        return SWITCHES.get(text)
    if isinstance(default, str):
        return text if text in CHOICES[name] else None
    numbers = [_seconds(part) for part in text.split("-")]
    if any(number is None for number in numbers):
        return None
    low, high = numbers[0] or 0.0, numbers[-1] or 0.0
    if isinstance(default, tuple):
        return (low, high) if len(numbers) <= 2 and low <= high else None
    if len(numbers) != 1:
        return None
    if isinstance(default, timedelta):
        return timedelta(seconds=low)
    return low if low <= 1 else None


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    # A day is more than any mishap lasts.
    return value if 0 <= value <= 86_400 else None


def _hint(name: str, plan: FaultPlan) -> str:
    default = getattr(plan, name)
    if isinstance(default, bool):
        return "give true or false"
    if isinstance(default, str):
        return f"give {' or '.join(CHOICES[name])}"
    if isinstance(default, tuple):
        return "give two times in seconds, such as 0.3-2"
    return "give seconds" if isinstance(default, timedelta) else "give a fraction from 0 to 1"
