"""A journal of an earlier version is brought to the present one, whole or not at all, and traded on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.desk.reconcile.budget_keeper import FILE
from brokers.journal import Journal, State
from brokers.journal.database import chain, migrations, schema
from brokers.journal.database.address import parse_address
from brokers.journal.snapshot import read_snapshot
from brokers.rehearsal.core.settings import VenueSettings
from config.errors import Refusal
from monitoring import journal_queries, journal_reader
from tests.brokers.desk.scene import ACCOUNT, TUESDAY, Scene
from tests.brokers.journal.databases import KEPT, execute, put
from tests.brokers.journal.told import told

NVDA = "combined-NVDA-20230307T150030-entry-0-bae2129ca1084193"


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a journal as version 1 left it: one position without exits, since the process was killed."""
    if request.param == "sqlite":
        return str(put(tmp_path / "state" / "journal.sqlite"))
    address = request.getfixturevalue("postgres").fresh()
    execute(address, (KEPT / "version_1.postgresql.sql").read_text())
    return address


def test_everything_is_there_after_an_upgrade_and_stays_after_another_start(old):
    before = read_snapshot(old)
    assert before.account_id == ACCOUNT
    assert (len(before.orders), len(before.filled)) == (12, 7)
    assert sum(len(story.steps) for story in told(old, NVDA).stories) == 2
    for _ in range(2):
        with Journal(old, ACCOUNT) as journal:
            assert journal.positions_by_fills() == {"NVDA": Decimal(49)}
            assert journal.halts(TUESDAY.date()) == {"drawdown_halt"}
        assert read_snapshot(old) == before
        assert sum(len(story.steps) for story in told(old, NVDA).stories) == 2


def test_a_journal_of_version_1_is_traded_on(old, tmp_path):
    """The next day: the bare shares get their stop back at the levels of then, another entry is sent and closed."""
    shutil.copy(KEPT / "version_1.weekly_budget.json", tmp_path / FILE)
    scene = Scene.__new__(Scene)
    start = Scene.start
    try:
        Scene.start = lambda self: None
        scene.__init__(tmp_path, journal=old, start=TUESDAY + timedelta(days=1), settings=VenueSettings(seed=1))
    finally:
        Scene.start = start
    state = scene.exchange._state
    state.ledger.book(state.assets["NVDA"], Decimal(49), Decimal(100), TUESDAY)
    scene.start()
    assert len(scene.positions.book.portions) == 2
    scene.settle(4)
    assert scene.held("NVDA") == scene.stopped("NVDA") == scene.positions.book.quantity("NVDA") == 49
    assert {o["stop_price"] for o in scene.open("NVDA") if o["type"] == "stop"} == {"95.01"}
    scene.enter("AAPL", 50)
    scene.settle(3)
    scene.step(1, AAPL=94)
    scene.settle(3)
    assert scene.held("AAPL") == scene.positions.book.quantity("AAPL") == 0
    assert [p.trade.symbol for p in scene.positions.book.portions] == ["AAPL", "MSFT", "AAPL"]
    assert scene.journal.positions_by_fills() == {"NVDA": Decimal(49)}
    scene.stop()
    Journal(old, ACCOUNT).close()


def test_the_file_is_copied_first_and_no_copy_is_replaced(tmp_path, caplog):
    path = put(tmp_path / "journal.sqlite")
    (tmp_path / "journal.sqlite.version-1").write_text("an older copy")
    rows = list(sqlite3.connect(path).iterdump())
    Journal(path, ACCOUNT).close()
    assert "brought from schema version 1 to 4, as it was it is kept as" in caplog.text
    assert (tmp_path / "journal.sqlite.version-1").read_text() == "an older copy"
    assert list(sqlite3.connect(tmp_path / "journal.sqlite.version-1-2").iterdump()) == rows
    (tmp_path / "journal.sqlite").unlink()
    (tmp_path / "journal.sqlite.version-1-2").rename(path)
    with Journal(path, ACCOUNT) as journal:
        assert len(journal.filled_orders()) == 7


@pytest.mark.parametrize("at", range(1, 12, 2))
def test_an_upgrade_that_fails_on_the_way_leaves_the_journal_as_it_was(old, monkeypatch, at):
    link, calls = migrations.chain.link_in, []

    def fails(*args):
        calls.append(args)
        if len(calls) == at:
            raise OSError(28, "No space left on device")
        return link(*args)

    before = read_snapshot(old)
    monkeypatch.setattr(migrations.chain, "link_in", fails)
    with pytest.raises(Refusal, match="No space left"):
        Journal(old, ACCOUNT)
    monkeypatch.undo()
    assert len(calls) == at
    assert read_snapshot(old) == before
    with Journal(old, ACCOUNT) as journal:
        assert journal.order(NVDA).state is State.FILLED


def test_another_account_s_journal_is_not_touched(tmp_path):
    path = put(tmp_path / "journal.sqlite")
    rows = list(sqlite3.connect(path).iterdump())
    with pytest.raises(Refusal, match="give each account a journal of its own"):
        Journal(path, "PA3OTHER")
    assert list(sqlite3.connect(path).iterdump()) == rows
    assert [file.name for file in tmp_path.iterdir() if "version" in file.name] == []


def test_an_upgraded_journal_has_the_tables_of_a_new_one(old, tmp_path, request):
    from sqlalchemy import create_engine, inspect

    new = str(tmp_path / "new.sqlite") if "://" not in old else request.getfixturevalue("postgres").fresh()
    shapes = []
    for address in (old, new):
        Journal(address, ACCOUNT).close()
        engine = create_engine(parse_address(address).url or f"sqlite:///{address}")
        look = inspect(engine)
        shapes.append(
            {
                table: (
                    sorted((c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(table)),
                    sorted((i["name"], tuple(i["column_names"]), bool(i["unique"])) for i in look.get_indexes(table)),
                )
                for table in schema.metadata.tables
            }
        )
        engine.dispose()
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("version", "account"), [(1, ACCOUNT), (2, "test"), (3, "test"), (schema.VERSION, ACCOUNT)])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_next_version_s_columns_leave_every_journal_readable(tmp_path, request, database, version, account):
    """Another process, whose tables have a column more each, reads, upgrades and checks the journal."""
    address = str(tmp_path / "journal.sqlite")
    if database == "postgresql":
        address = request.getfixturevalue("postgres").fresh()
        if version < schema.VERSION:
            execute(address, (KEPT / f"version_{version}.postgresql.sql").read_text())
    elif version < schema.VERSION:
        put(Path(address), version)
    if version == schema.VERSION:
        with Journal(address, account) as journal:
            journal.begin_run("paper", "combined", "active", "hash")
    script = Path(__file__).with_name("next_version.py")
    done = subprocess.run([sys.executable, script, address, account], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"version {schema.VERSION + 1}\n"


def test_a_later_column_that_is_hashed_may_hold_nothing():
    """The rows of before have nothing in it, and were hashed without it."""
    for table in (*chain.CHAINED, schema.verdicts):
        for name in chain.NAMED_IF_THERE[table.name]:
            assert table.c[name].nullable, f"{table.name}.{name}"


def test_who_reads_without_the_tables_knows_their_versions():
    assert set(journal_reader.READABLE) == schema.READABLE
    fees = {schema.came_with(table.c.fees) for table in (schema.orders, schema.fills)}
    assert fees == {journal_queries.FEES_SINCE}
    assert schema.came_with(schema.not_sent) == journal_queries.NOT_SENT_SINCE


def test_every_version_has_its_upgrade():
    assert sorted(migrations.UPGRADES) == list(range(1, schema.VERSION))


def test_a_journal_from_before_there_were_splits_goes_on(old):
    execute(old, "DROP TABLE splits")
    assert read_snapshot(old).splits == ()
    assert told(old, NVDA).orders
    with Journal(old, ACCOUNT) as journal:
        assert journal.splits() == []
        journal.split("NVDA", Decimal(1), Decimal(2), TUESDAY + timedelta(hours=4))
        assert journal.positions_by_fills() == {"NVDA": 98}
