"""A notice, and how it is kept as text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from config.values.markets import NEW_YORK_ZONE


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the owner is to know.

    Parameters
    ----------
    text : str
        Without secrets.
    critical : bool
        Whether it goes first and is repeated until it is delivered.
    time : datetime
        The venue's, when it happened.
    key : str
        The same key within a few minutes is the same notice.
    ends : str
        The key of a condition that is over with this.
    """

    text: str
    critical: bool
    time: datetime
    key: str
    ends: str = ""

    @property
    def line(self) -> str:
        """As it is read: the time in New York and the text."""
        return f"{self.time.astimezone(NEW_YORK_ZONE):%H:%M:%S} {self.text}"


def written(notices: Iterable[Notice]) -> str:
    """Notices as JSON."""
    return json.dumps(
        [{"text": n.text, "critical": n.critical, "time": n.time.astimezone(UTC).isoformat()} for n in notices]
    )


def read(text: str) -> list[Notice]:
    """Notices of an earlier run out of JSON; what cannot be read is left out."""
    try:
        rows = json.loads(text)
        return [
            Notice(str(row["text"]), bool(row["critical"]), datetime.fromisoformat(row["time"]), f"kept {number}")
            for number, row in enumerate(rows)
        ]
    except (ValueError, TypeError, KeyError):
        return []
