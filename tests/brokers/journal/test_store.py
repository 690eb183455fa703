"""A journal that cannot be trusted is refused in one sentence that names it and the way out, and left as it is."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from brokers.journal import Journal, JournalConflict, JournalTaken, OrderIntent
from brokers.journal.database.address import journal_address, parse_address
from brokers.journal.database.server import Server, away
from brokers.journal.database.store import NoJournalYet
from brokers.journal.snapshot import read_snapshot
from config.errors import EXIT_FAILED, EXIT_REFUSED, Refusal, exit_status
from config.values.secrets import Secrets
from tests.brokers.journal.conftest import ACCOUNT, BEGIN
from tests.brokers.journal.databases import end_sessions, execute
from tests.brokers.journal.postgres_server import PASSWORD
from tests.brokers.journal.told import told

ROOT = Path(__file__).parents[3]
INTENT = OrderIntent("s", "AMD", "buy", 1, "market", "entry", BEGIN)
HOLD = """
import sys
from brokers.journal import Journal
journal = Journal(sys.argv[1], "PA3ACCOUNT")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "state" / "journal.sqlite3"
    with Journal(file, ACCOUNT) as journal:
        journal.plan_order(INTENT)
    return file


def refusal(address: str | Path, account: str = ACCOUNT) -> str:
    with pytest.raises(Refusal) as caught:
        Journal(address, account)
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def test_another_process_is_refused_until_the_first_ends(address):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, address], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        message = refusal(address)
        assert "writes this journal; stop it first, no orders until then" in message
        if "://" not in address:
            assert message.startswith(f"{address}: process {holder.pid} on {socket.gethostname()} since 20")
        else:
            assert f"process {holder.pid} on {socket.gethostname()}, session " in message
        assert told(address, "AMD").empty
    finally:
        holder.kill()
        holder.communicate(timeout=30)
    Journal(address, ACCOUNT).close()


def test_a_second_journal_in_this_process_is_refused_too(journal, address):
    assert "stop it first" in refusal(address)
    journal.plan_order(INTENT)


def test_another_account_and_another_version(address):
    Journal(address, ACCOUNT).close()
    message = refusal(address, "PA3OTHER")
    assert "account_id is 'PA3ACCOUNT', this is 'PA3OTHER'; give each account a journal of its own" in message
    execute(address, "UPDATE meta SET value = '5' WHERE key = 'schema_version'")
    assert "schema_version is 5, known here is 4; use the program that wrote it" in refusal(address)
    with pytest.raises(Refusal, match="schema_version"):
        told(address, "AMD")


def test_a_missing_table_is_damage(address):
    Journal(address, ACCOUNT).close()
    execute(address, "DROP TABLE fills")
    assert "is damaged, table fills is gone; restore it from a copy" in refusal(address)


def test_a_database_of_something_else_is_left_alone(address):
    if "://" not in address:
        Path(address).parent.mkdir()
    execute(address, "CREATE TABLE customers (id integer)")
    assert "holds no journal; give the journal a place of its own" in refusal(address)


@pytest.mark.parametrize("damage", ["empty", "text", "header", "half", "page"])
def test_a_damaged_file(path, damage):
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:16] = bytes(16)
    if damage == "page":
        data[4096:] = os.urandom(len(data) - 4096)
    whole = {"empty": b"", "text": b"not a database, " * 500, "half": data[: len(data) // 2 // 4096 * 4096]}
    left = bytes(whole.get(damage, data))
    path.write_bytes(left)
    message = refusal(path)
    assert message.startswith(f"{path}: is damaged")
    assert "restore it from a copy, no orders until then" in message
    assert path.read_bytes() == left


def test_a_log_without_its_journal(path):
    with Journal(path, ACCOUNT) as journal:
        journal.plan_order(OrderIntent("s", "MU", "buy", 1, "market", "entry", BEGIN))
        shutil.copy(f"{path}-wal", path.parent / "keep")
    path.unlink()
    (path.parent / "keep").rename(f"{path}-wal")
    assert refusal(path) == f"{path}: is gone but {path.name}-wal is there; put the journal back, no orders until then"


def test_a_half_made_journal_of_a_crash_is_made_again(tmp_path):
    (tmp_path / ".journal.sqlite3.new").write_bytes(b"half")
    (tmp_path / ".journal.sqlite3.new-journal").write_bytes(b"half")
    Journal(tmp_path / "journal.sqlite3", ACCOUNT).close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["journal.sqlite3", "journal.sqlite3-lock"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "state").write_text("a file")
    message = refusal(tmp_path / "state" / "journal.sqlite3")
    assert "its folder cannot be written" in message
    (tmp_path / "folder").mkdir()
    assert "is a folder; name a file" in refusal(tmp_path / "folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(path):
    path.parent.chmod(0o500)
    try:
        assert "make it writable" in refusal(path)
    finally:
        path.parent.chmod(0o700)


def test_a_full_disk_stops_orders_and_loses_nothing(path):
    with Journal(path, ACCOUNT) as journal:
        with journal._store.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        kept = len(journal.unresolved())
        with pytest.raises(Refusal) as caught:
            for sequence in range(1, 1000):
                journal.plan_order(
                    OrderIntent("s", "AMD", "buy", 1, "market", "entry", BEGIN, sequence, reason="x" * 900)
                )
                kept += 1
        assert str(caught.value) == f"{path}: the disk is full; make room, no orders until then"
        assert len(journal.unresolved()) == kept
    with Journal(path, ACCOUNT) as later:
        assert len(later.unresolved()) == kept


def test_a_journal_that_is_moved_away_in_use(path):
    with Journal(path, ACCOUNT) as journal:
        path.rename(path.with_name("elsewhere"))
        with pytest.raises(Refusal, match="was moved or replaced while in use"):
            journal.plan_order(OrderIntent("s", "MU", "buy", 1, "market", "entry", BEGIN))


def test_a_closed_journal_takes_nothing(journal):
    journal.close()
    journal.close()
    with pytest.raises(Refusal, match="connection is lost"):
        journal.plan_order(INTENT)


def test_a_lost_server_connection_is_got_back_with_nothing_lost_or_doubled(postgres):
    url = postgres.fresh()
    with Journal(url, ACCOUNT) as journal:
        name = journal.plan_order(INTENT)
        end_sessions(url)
        with pytest.raises(Refusal, match="the database refused"):
            journal.sent(name)
        journal.sent(name, "v-1")
        assert journal.order(name).venue_id == "v-1"
        # The lock came back with it.
        assert "stop it first" in refusal(url)
    with Journal(url, ACCOUNT) as later:
        assert [order.state for order in later.unresolved()] == ["sent"]


@pytest.mark.parametrize("stays", [True, False])
def test_a_journal_that_another_process_has_taken_is_not_written_again(postgres, stays):
    url = postgres.fresh()
    with Journal(url, ACCOUNT) as journal:
        name = journal.plan_order(INTENT)
        end_sessions(url)
        other = Journal(url, ACCOUNT)
        if not stays:
            other.close()
        with pytest.raises(Refusal):
            journal.sent(name)
        for _ in range(2):
            with pytest.raises(JournalTaken, match=r"another process has (taken|written) the journal; this one ends"):
                journal.sent(name)
            other.close()
    with Journal(url, ACCOUNT) as later:
        assert [order.state for order in later.unresolved()] == ["journaled"]


def test_a_session_that_the_server_has_not_given_up_makes_way(postgres):
    with Journal(postgres.fresh(), ACCOUNT) as journal:
        forgotten, journal._store._connection = journal._store._connection, None
        journal.plan_order(INTENT)
        with pytest.raises(OperationalError):
            forgotten.exec_driver_sql("SELECT 1")


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_commit_without_an_answer_is_looked_up(postgres, carried_out):
    url = postgres.fresh()
    with Journal(url, ACCOUNT) as journal:
        dialect = journal._store._connection.engine.dialect
        commit = dialect.do_commit

        def lose(connection):
            if carried_out:
                commit(connection)
            dialect.do_commit = commit
            end_sessions(url)
            connection.cursor().execute("SELECT 1")

        dialect.do_commit = lose
        if carried_out:
            name = journal.plan_order(INTENT)
            assert [order.client_order_id for order in journal.unresolved()] == [name]
        else:
            with pytest.raises(Refusal, match="the database refused"):
                journal.plan_order(INTENT)
            assert journal.unresolved() == []


def test_a_server_that_is_away_is_not_asked_all_the_time(postgres, monkeypatch):
    with Journal(postgres.fresh(), ACCOUNT) as journal:
        journal._store._connection.invalidate()
        tries = []

        def away(server):
            tries.append(1)
            raise OperationalError("connect", {}, Exception("connection refused"))

        monkeypatch.setattr(Server, "connect_again", away)
        for match in ("connection refused", "being tried again", "being tried again"):
            with pytest.raises(Refusal, match=match):
                journal.unresolved()
        assert len(tries) == 1
        monkeypatch.undo()
        monkeypatch.setattr("brokers.journal.database.store.REOPEN_PAUSE_S", 0.0)
        assert journal.unresolved() == []


def test_a_writer_that_fails_half_way_writes_nothing(journal):
    with pytest.raises(JournalConflict), journal._store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM meta")
        raise JournalConflict("half way")
    journal.plan_order(INTENT)
    assert len(journal.unresolved()) == 1


def test_the_tables_keep_their_promises(journal, address):
    name = journal.plan_order(INTENT)
    journal.close()
    if "://" not in address:
        connection = sqlite3.connect(address)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
    with Journal(address, ACCOUNT) as later, pytest.raises(Refusal), later._store.transaction() as open_connection:
        if "://" not in address:
            settings = [
                open_connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("synchronous", "foreign_keys")
            ]
            assert settings == [2, 1]
        open_connection.exec_driver_sql(f"UPDATE orders SET parent_id = 'nobody' WHERE client_order_id = '{name}'")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://trader:s3cret@no such host/db",
        "postgresql://trader:s3/cret@host:x/db",
        "postgresql://trader:half@s3cret@127.0.0.1:1/db",
        "postgresql://trader:s3cret@127.0.0.1/",
        "postgresql://trader@127.0.0.1:1/db?password=s3cret",
        "mysql://trader:s3cret@127.0.0.1/db",
        "s3cret://",
        "sqlite:///:memory:",
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(address):
    message = refusal(address)
    assert message.startswith("journal address (DATABASE_URL): ")
    assert "s3cret" not in message


def test_a_server_that_is_not_there():
    message = refusal("postgresql://trader:s3cret@127.0.0.1:1/db")
    assert message.startswith("postgresql://127.0.0.1:1/db: the database refused (")
    assert message.endswith("check DATABASE_URL and the server, no orders until then")
    assert "s3cret" not in message


@pytest.mark.parametrize(
    "said",
    [
        'connection to server at "127.0.0.1", port 1 failed: Connection refused',
        'could not translate host name "db" to address: Temporary failure in name resolution',
        'connection to server at "db" failed: FATAL:  the database system is starting up',
        'connection to server on socket "/run/.s.PGSQL.5432" failed: x\n\tIs the server running?',
        "timeout expired",
    ],
)
def test_a_server_that_may_be_there_later_is_known_by_what_it_says(said):
    assert away(OperationalError("", None, Exception(said)))


@pytest.mark.parametrize(
    "said",
    ['FATAL:  password authentication failed for user "trader"', 'FATAL:  database "x" does not exist', "SSL error"],
)
def test_what_only_another_address_mends_is_no_such_thing(said):
    assert not away(OperationalError("", None, Exception(said)))


def test_a_start_without_the_server_has_the_status_that_is_started_again():
    """A service manager starts status 1 again, and leaves status 2 to somebody who looks."""
    address = "postgresql://trader:s3cret@127.0.0.1:1/db"
    assert exit_status(lambda: len(str(Journal(address, ACCOUNT)))) == EXIT_FAILED
    assert exit_status(lambda: len(str(read_snapshot(address)))) == EXIT_REFUSED, (
        "of a command that reads 1 is an answer"
    )


def test_an_empty_database_waits_for_its_first_start(postgres):
    """What a trader takes is no trouble to whoever only looks."""
    address = postgres.fresh()
    with pytest.raises(NoJournalYet, match="is empty, no trader has begun a journal in it"):
        read_snapshot(address)
    Journal(address, ACCOUNT).close()
    assert not read_snapshot(address).open


def test_a_wrong_password_is_refused_for_good(postgres):
    address = postgres.url("postgres", "wr0ng-w0rd")
    assert exit_status(lambda: len(str(Journal(address, ACCOUNT)))) == EXIT_REFUSED


def test_a_wrong_password_is_not_repeated(postgres):
    with pytest.raises(Refusal) as caught:
        Journal(postgres.url("postgres", "wr0ng-w0rd"), ACCOUNT)
    assert "password authentication failed" in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert "wr0ng-w0rd" not in str(error)
        error = error.__cause__


def test_where_the_journal_is():
    assert journal_address(Secrets()) == "state/journal.sqlite3"
    url = "postgresql://u:p@host:5433/db"
    address = parse_address(journal_address(Secrets.from_environment({"DATABASE_URL": url})))
    assert address.name == "postgresql://host:5433/db"
    assert parse_address("postgres://u:p@host/db").url.drivername == "postgresql+psycopg2"
    assert parse_address("sqlite:////var/j.sqlite3").path == Path("/var/j.sqlite3")
