"""The trader's log: JSON lines in the state folder, rotated by size, readable by the owner alone, without secrets."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from brokers.reporting.events import event_of
from config.process.private_files import OWNER_ONLY, private_folder
from config.values.masker import Masker
from config.values.printable import printable

FOLDER, FILE = "log", "trader.jsonl"


class JsonLines(logging.Formatter):
    """A record as one line of JSON.

    Keys: ``time`` (UTC), ``venue_time`` (the venue's, where it is known), ``level``, ``logger``, ``message``, and of an
    event ``event``, ``symbol``, ``over`` and its ``fields``; ``error`` holds a traceback.

    Parameters
    ----------
    masker : Masker
    now : callable
        The venue's time, None before it is known.
    """

    def __init__(self, masker: Masker, now: Callable[[], datetime | None]) -> None:
        super().__init__()
        self._masker, self._now = masker, now

    def format(self, record: logging.LogRecord) -> str:
        venue = getattr(record, "venue_time", None) or self._now()
        row: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "venue_time": None if venue is None else venue.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._masker.line(record.getMessage()),
        }
        if (event := event_of(record)) is not None:
            row |= {"event": str(event.kind), "symbol": self._masker.line(event.symbol) or None, "over": event.over}
            row |= {"fields": self._masker.plain(event.fields)} if event.fields else {}
        if record.exc_info:
            row["error"] = printable(self._masker(self.formatException(record.exc_info)))
        return json.dumps(row, ensure_ascii=False)


class LogFile(RotatingFileHandler):
    """A rotating file of JSON lines.

    Parameters
    ----------
    folder : Path
        The state folder; the file lies in ``log/`` in it.
    formatter : JsonLines
    max_bytes : int
        Size at which a new file is begun.
    kept : int
        Number of earlier files.
    """

    def __init__(self, folder: Path, formatter: JsonLines, max_bytes: int, kept: int) -> None:
        private_folder(folder / FOLDER)
        super().__init__(folder / FOLDER / FILE, maxBytes=max_bytes, backupCount=kept, encoding="utf-8")
        self.setFormatter(formatter)

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, OWNER_ONLY)
        return os.fdopen(handle, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """A full disk costs the line, not the trader; the screen and the notifications have it."""
