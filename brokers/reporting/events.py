"""What a log record is about, for those who act on records: the screen, the log file, the notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from logging import LogRecord
from typing import Any


class EventKind(StrEnum):
    """The kinds of events; anything else in the log is only a line."""

    START = "start"
    ORDER = "order"
    FILL = "fill"
    REFUSAL = "refusal"
    READING = "reading"
    RISK = "risk"
    ITERATION = "iteration"
    HEARTBEAT = "heartbeat"
    HALT = "halt"
    UNPROTECTED = "unprotected"
    STREAM_DOWN = "stream_down"
    VENUE_DOWN = "venue_down"
    VENUE_UNSEEN = "venue_unseen"
    NO_ITERATION = "no_iteration"
    CRASH = "crash"
    ERROR = "error"
    SUMMARY = "summary"
    LEAVING = "leaving"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Parameters
    ----------
    kind : EventKind
    symbol : str
        Empty where it concerns none, or several.
    fields : mapping
        Figures for programs; plain numbers and texts.
    over : bool
        Whether a condition that was told of earlier has ended.
    """

    kind: EventKind
    symbol: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    over: bool = False


def about(kind: EventKind, symbol: str = "", *, over: bool = False, **fields: Any) -> dict[str, Event]:
    """For the argument ``extra`` of a log call."""
    return {"event": Event(kind, symbol, fields, over)}


def event_of(record: LogRecord) -> Event | None:
    """The event of a record, None where it is only a line."""
    found = getattr(record, "event", None)
    return found if isinstance(found, Event) else None
