"""Where the things of a trader are, by the settings alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config import Settings


def journal_of(settings: Settings) -> str | Path:
    """Where the journal is: ``DATABASE_URL`` where that is set, else a file in the state folder.

    Read without the libraries that write one.
    """
    from monitoring.state import JOURNAL_FILE

    url = settings.secrets.DATABASE_URL
    return Path(settings.live.state_dir) / JOURNAL_FILE if url is None else url.get_secret_value()
