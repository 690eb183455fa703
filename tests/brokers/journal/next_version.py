"""A journal under a program of the version after this one, in which the tables have got a column.

``next_version.py ADDRESS ACCOUNT`` reads the journal as it is, brings it to that version, writes rows with and without
a value in the new column, and checks all of them. Prints the version at the end.
"""

# ruff: noqa: E402  # the table has got its column before anything reads the schema

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from sqlalchemy import Column, Text, text

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

# The tables come first, as other modules take them in when they are imported: the package would import those.
package = sys.modules["brokers.journal"] = ModuleType("brokers.journal")
package.__path__ = [str(ROOT / "brokers" / "journal")]
from brokers.journal.database import schema

NEXT = schema.VERSION + 1
TABLES = [table for table in schema.metadata.sorted_tables if table not in (schema.meta, schema.trades)]
"""Of ``meta`` keys alone are read, and a column of ``trades`` would be derived by the program."""
for table in TABLES:
    table.append_column(Column("later", Text, info={"since": NEXT}))
schema.VERSION, schema.READABLE = NEXT, schema.READABLE | {str(NEXT)}
del sys.modules["brokers.journal"]

from brokers.journal import Journal
from brokers.journal.database import chain, migrations
from brokers.journal.snapshot import read_snapshot
from brokers.operator.track_record import verify


def to_next_version(connection, account_id):
    for table in TABLES:
        connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN later TEXT"))


migrations.UPGRADES = {**migrations.UPGRADES, NEXT - 1: to_next_version}
address, account = sys.argv[1:]
before = read_snapshot(address)
with Journal(address, account) as journal:
    held = journal.positions_by_fills()
    journal.begin_run("paper", "combined", "active", "of before")
    link_in = chain.link_in
    chain.link_in = lambda connection, table, row, more=None: link_in(connection, table, row | {"later": "x"}, more)
    journal.begin_run("paper", "combined", "active", "of later")
with Journal(address, account) as journal:
    assert journal.positions_by_fills() == held
assert read_snapshot(address) == before
assert verify(address).head
sys.stdout.write(f"version {NEXT}\n")
