"""Makes notices out of what is logged: whatever is an error, and the events that the owner wants to hear of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from brokers.notifications.notice import Notice
from brokers.reporting.events import Event, EventKind, event_of
from config.values.masker import Masker

CRITICAL = frozenset(
    {
        EventKind.CRASH,
        EventKind.UNPROTECTED,
        EventKind.STREAM_DOWN,
        EventKind.VENUE_DOWN,
        EventKind.VENUE_UNSEEN,
        EventKind.NO_ITERATION,
    }
)
TOLD = frozenset({EventKind.START, EventKind.FILL, EventKind.HALT, EventKind.SUMMARY, EventKind.LEAVING})
_CONDITIONS = CRITICAL | {EventKind.HALT}
_OWN = "brokers.notifications"


class NoticeHandler(logging.Handler):
    """Hands records on as notices; it never waits and never raises.

    Parameters
    ----------
    put : callable
        ``Notifier.put``.
    masker : Masker
    now : callable
        The venue's time, None before it is known.
    """

    def __init__(self, put: Callable[[Notice], None], masker: Masker, now: Callable[[], datetime | None]) -> None:
        super().__init__(logging.INFO)
        self._put, self._masker, self._now = put, masker, now

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(_OWN):
            return
        try:
            notice = self._notice(record)
        except Exception:
            # A record that cannot be formatted is logging's trouble, not the order's whose thread this is.
            return
        if notice is not None:
            self._put(notice)

    def _notice(self, record: logging.LogRecord) -> Notice | None:
        event = event_of(record)
        loud = record.levelno >= logging.ERROR
        if not loud and (event is None or not _told(event, record.levelno)):
            return None
        critical = loud or (event is not None and event.kind in CRITICAL and not event.over)
        moment = self._now() or datetime.fromtimestamp(record.created, UTC)
        text = self._masker.line(record.getMessage())
        if event is None or event.kind not in _CONDITIONS or "reasons" in event.fields:
            # Errors of one place in the code differ in their figures only.
            key = f"{record.name}:{record.lineno}:{event.symbol if event else ''}" if loud else text
            return Notice(text, critical, moment, key)
        subject = f"{event.kind}:{event.symbol}:{event.fields.get('halt', '')}"
        ended = f"{subject}:{not event.over}"
        return Notice(text, critical, moment, f"{subject}:{event.over}", ends=ended)


def _told(event: Event, level: int) -> bool:
    return event.kind in TOLD or (event.kind in CRITICAL and level >= logging.WARNING)
