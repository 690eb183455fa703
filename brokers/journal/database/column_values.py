"""What a column of the journal may hold: from the driver's own value to the one that is hashed, or what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Integer, String

from brokers.journal.database.schema import Exact, Moment
from brokers.journal.fills import written
from brokers.order_types import State

FIRST_YEAR, LAST_YEAR = 1990, 2100
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STATES = frozenset(str(state) for state in State)
_SIDES = frozenset({"buy", "sell"})
ABOVE_ZERO = {
    ("orders", "quantity"),
    ("fills", "quantity"),
    ("fills", "price"),
    ("splits", "before"),
    ("splits", "after"),
}
NOT_BELOW_ZERO = {
    ("orders", "filled_quantity"),
    ("orders", "filled_notional"),
    ("orders", "fees"),
    ("orders", "limit_price"),
    ("orders", "stop_price"),
    ("fills", "cumulative"),
    ("fills", "fees"),
    ("trades", "quantity"),
}
ONE_OF: Mapping[tuple[str, str], frozenset[str]] = {
    ("orders", "state"): _STATES,
    ("orders", "side"): _SIDES,
    ("order_events", "status"): _STATES,
    ("order_events", "state"): _STATES,
    ("fills", "kind"): frozenset({"execution", "cumulative"}),
    ("decisions", "outcome"): frozenset({"sent", "resized", "refused"}),
    ("decisions", "side"): frozenset({"buy", "sell_short"}),
}


def only_type(column: Column[Any]) -> type | None:
    """The type that is all that is asked of a column's values; None where more is asked."""
    if isinstance(column.type, Integer):
        return int
    plain = isinstance(column.type, String) and not isinstance(column.type, Exact | Moment)
    return str if plain and (column.table.name, column.name) not in ONE_OF else None


def reader_of(column: Column[Any], sqlite: bool) -> Callable[[Any], Any]:
    """From the driver's value to the one that is hashed; ValueError says what is wrong with it."""
    place = (column.table.name, column.name)
    kind = column.type
    reader: Callable[[Any], Any]
    if isinstance(kind, Exact):
        reader = _number_text if sqlite else _number
        if place in ABOVE_ZERO:
            reader = _signed(reader, lambda text: text[0] != "-" and text != "0", "it is a number above 0")
        elif place in NOT_BELOW_ZERO:
            reader = _signed(reader, lambda text: text[0] != "-", "it is not below 0")
    elif isinstance(kind, Moment):
        reader = _moment_text if sqlite else _moment
    elif isinstance(kind, Date):
        reader = _day_text if sqlite else _day
    elif isinstance(kind, Boolean):
        reader = _truth
    elif isinstance(kind, Integer):
        reader = _count
    elif isinstance(kind, JSON):
        reader = _json_text if sqlite else _json
    elif place in ONE_OF:
        return _one_of(ONE_OF[place])
    else:
        reader = _text
    if column.nullable:
        return lambda value: None if value is None else reader(value)
    return reader


def _signed(reader: Callable[[Any], str], right: Callable[[str], bool], problem: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = reader(value)
        if not right(text):
            raise ValueError(problem)
        return text

    return read


def _one_of(values: frozenset[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in values:
            raise ValueError(f"known are {', '.join(sorted(values))}")
        return str(value)

    return read


def _number_text(value: Any) -> str:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise ValueError("it is no number as the journal writes them")
    return value


def _number(value: Any) -> str:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("it is no number")
    return written(value)


def _moment_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 32 or value[10] != "T" or value[26:] != "+00:00":
        raise ValueError("it is no time as the journal writes them")
    if not FIRST_YEAR <= datetime.fromisoformat(value).year <= LAST_YEAR:
        raise ValueError(f"its year is not between {FIRST_YEAR} and {LAST_YEAR}")
    return value


def _moment(value: Any) -> str:
    if not isinstance(value, datetime) or not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"its year is not between {FIRST_YEAR} and {LAST_YEAR}")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _day_text(value: Any) -> str:
    if not isinstance(value, str) or not _DAY.fullmatch(value) or not FIRST_YEAR <= int(value[:4]) <= LAST_YEAR:
        raise ValueError(f"it is no day between {FIRST_YEAR} and {LAST_YEAR}")
    date.fromisoformat(value)
    return value


def _day(value: Any) -> str:
    if not isinstance(value, date) or not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"it is no day between {FIRST_YEAR} and {LAST_YEAR}")
    return value.isoformat()


def _truth(value: Any) -> bool:
    if value not in (0, 1, True, False):
        raise ValueError("it is true or false")
    return bool(value)


def _count(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("it is a whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is text")
    return value


def _json_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("it is text")
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("it is no JSON") from None


def _json(value: Any) -> Any:
    return value


def short(text: str, most: int = 80) -> str:
    """A value as a message may say it."""
    text = text.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    return text if len(text) <= most else f"{text[:most]}…"
