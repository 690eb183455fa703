"""The values of ``risk/model.py`` as JSON and back, exactly: times keep their zones, numbers every digit."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import numpy as np

PLAIN = (str, int, float, bool)


def encoded(value: Any) -> Any:
    """What ``json.dumps`` can write, of dataclasses, mappings, sequences, sets, times and numbers.

    Raises
    ------
    TypeError
        A value of another type.
    """
    if value is None or isinstance(value, PLAIN):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, datetime):
        # Lumibot's and pandas' zones have the name under another word.
        zone = getattr(value.tzinfo, "key", None) or getattr(value.tzinfo, "zone", None)
        return value.isoformat() if zone is None else f"{value.isoformat()}[{zone}]"
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: encoded(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encoded(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(encoded(item) for item in value)
    if isinstance(value, Sequence):
        return [encoded(item) for item in value]
    raise TypeError(f"{type(value).__name__} is no value of a decision")


def decoded(kind: Any, raw: Any) -> Any:
    """The value of type ``kind`` that was encoded as ``raw``.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is none.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if raw is None or kind is Any or origin is Literal or kind in PLAIN:
        return raw
    if kind is datetime:
        return _moment(raw)
    if kind is date:
        return date.fromisoformat(raw)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return kind(**{name: decoded(hint, raw[name]) for name, hint in _hints(kind).items() if name in raw})
    if origin in (Union, types.UnionType):
        return decoded(next(part for part in arguments if part is not types.NoneType), raw)
    if origin is frozenset:
        return frozenset(decoded(arguments[0], item) for item in raw)
    if origin is not None and issubclass(origin, Mapping):
        return {key: decoded(arguments[1], item) for key, item in raw.items()}
    if origin is not None and issubclass(origin, Sequence):
        return tuple(decoded(arguments[0], item) for item in raw)
    raise TypeError(f"{kind} is no type of a decision")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return {item.name: get_type_hints(kind)[item.name] for item in dataclasses.fields(kind)}


def _moment(text: str) -> datetime:
    stamp, bracket, zone = text.partition("[")
    moment = datetime.fromisoformat(stamp)
    return moment.astimezone(ZoneInfo(zone.removesuffix("]"))) if bracket else moment
