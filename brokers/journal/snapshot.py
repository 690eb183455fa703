"""A journal as it is at one moment, for tools that must not change anything, not even beside a writer."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, select

from brokers.journal import history, order_statements
from brokers.journal.database.address import parse_address
from brokers.journal.database.schema import meta, rows_of, splits
from brokers.journal.database.schema import orders as orders_table
from brokers.journal.database.sqlite_file import require_whole
from brokers.journal.database.store import Store
from brokers.journal.history import FilledOrder, Split
from brokers.journal.journal_order import JournalOrder
from brokers.journal.states import OPEN
from config.errors import Refusal

TRIES = 20


@dataclass(frozen=True, slots=True)
class JournalSnapshot:
    """Every order, oldest first, those with fills, by the time of their first fill, and splits."""

    account_id: str
    orders: tuple[JournalOrder, ...]
    filled: tuple[FilledOrder, ...]
    splits: tuple[Split, ...]

    @property
    def open(self) -> list[JournalOrder]:
        """Orders that are not over."""
        return [order for order in self.orders if order.state in OPEN]


def read_snapshot(address: str | Path) -> JournalSnapshot:
    """What the journal holds now; another process may be writing it.

    A file is read from a copy: a reader of SQLite's write-ahead log leaves files of its own beside the journal.

    Raises
    ------
    Refusal
        There is no journal, or it is damaged, of another version or cannot be reached.
    """
    path = parse_address(address).path
    if path is None:
        return _read(address)
    if not path.is_file():
        raise Refusal(f"{path}: there is no journal; start the trader, or name its folder with --state-dir")
    require_whole(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        try:
            _copy(path, copy)
            return _read(copy)
        except OSError as error:
            raise Refusal(f"{path}: cannot be read ({error.strerror}); make it readable") from error
        except Refusal as refusal:
            raise Refusal(str(refusal).replace(str(copy), str(path))) from refusal


def _read(address: str | Path) -> JournalSnapshot:
    store = Store(address, account_id=None, writer=False)
    try:
        with store.reading() as connection:
            account = connection.scalar(select(meta.c.value).where(meta.c.key == "account_id"))
            return JournalSnapshot(
                str(account),
                tuple(order_statements.many(connection, rows_of(orders_table, store.version))),
                tuple(history.filled_orders(connection, version=store.version)),
                tuple(history.all_splits(connection)) if inspect(connection).has_table(splits.name) else (),
            )
    finally:
        store.close()


def _copy(path: Path, copy: Path) -> None:
    """Copy file and write-ahead log of one moment: again if either changed meanwhile."""
    log = path.with_name(f"{path.name}-wal")
    for _ in range(TRIES):
        before = _marks(path, log)
        shutil.copyfile(path, copy)
        copied_log = copy.with_name(f"{copy.name}-wal")
        copied_log.unlink(missing_ok=True)
        if before[1] is not None:
            try:
                shutil.copyfile(log, copied_log)
            except FileNotFoundError:
                continue
        if _marks(path, log) == before:
            return
    raise Refusal(f"{path}: is being written without a pause; try again")


def _marks(*paths: Path) -> list[tuple[int, int, int] | None]:
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found
