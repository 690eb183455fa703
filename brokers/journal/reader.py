"""Reading a journal beside its writer, for tools."""

from __future__ import annotations

from pathlib import Path

from brokers.journal.database.store import Store
from brokers.journal.explain import LATEST, Explanation, explanation
from config.values.symbols import spelled


def read_explanation(address: str | Path, wanted: str, latest: int = LATEST) -> Explanation:
    """``explain.explanation`` of a journal that another process may be writing.

    Raises
    ------
    Refusal
        There is no journal, or it is damaged or of another version.
    """
    store = Store(address, account_id=None, writer=False)
    try:
        with store.transaction() as connection:
            found = explanation(connection, wanted, latest)
            return found if found.rows else explanation(connection, spelled(wanted), latest)
    finally:
        store.close()
