"""A journal whose rows cannot be believed is refused in one sentence that names file, table and row."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from brokers.journal import Cumulative, Execution, Journal, OrderIntent, State
from brokers.journal.snapshot import read_snapshot
from brokers.operator.track_record import verify
from config.errors import Refusal
from tests.brokers.desk.scene import ACCOUNT, TUESDAY
from tests.brokers.journal.conftest import BEGIN
from tests.brokers.journal.databases import KEPT, execute, put

ENTRY = "combined-AAPL-20230307T150000-entry-0-68f9061191350963"


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of the present version with some of everything, closed."""
    path = put(tmp_path_factory.mktemp("journal") / "journal.sqlite")
    with Journal(path, ACCOUNT) as journal:
        journal.begin_run("paper", "combined", "active", "hash")
        name = journal.plan_order(OrderIntent("combined", "AAPL", "buy", 10, "market", "entry", BEGIN))
        journal.event(name, State.PARTIALLY_FILLED, venue_id="v9", fills=[Execution(4, 100, BEGIN, "x1")])
        journal.event(name, State.PARTIALLY_FILLED, fills=[Execution(4, 100, BEGIN, "x1", 4)], reason="told again")
        journal.event(name, State.FILLED, fills=[Cumulative(10, 101, BEGIN)])
    return path


@pytest.fixture
def path(upgraded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(upgraded, tmp_path / "journal.sqlite"))


DAMAGES = {
    "UPDATE orders SET quantity = 'NaN' WHERE client_order_id = '{entry}'": "row {entry}: quantity is 'NaN'",
    "UPDATE orders SET limit_price = -1 WHERE client_order_id = '{entry}'": "table orders, row {entry}: limit_price is",
    "UPDATE orders SET state = 'fillee' WHERE client_order_id = '{entry}'": "state is 'fillee', known are cancelled, ",
    "UPDATE orders SET state = 'working' WHERE client_order_id = '{entry}'": "state is working, events and fills say",
    "UPDATE orders SET filled_quantity = '48' WHERE client_order_id = '{entry}'": "filled_quantity is 48, events and",
    "UPDATE orders SET symbol = 'AAPM' WHERE client_order_id = '{entry}'": "of the chain has changed",
    "UPDATE orders SET venue_id = 'v' WHERE client_order_id = '{entry}'": "venue_id is v, events and fills say",
    "UPDATE orders SET parent_id = 'nobody' WHERE role = 'stop'": "parent_id nobody is in no row of orders",
    "UPDATE orders SET decision_time = '3023' || substr(decision_time, 5)": "its year is not between 1990 and 2100",
    "UPDATE orders SET journaled_at = NULL": "NOT NULL",
    "UPDATE fills SET quantity = '-3' WHERE client_order_id = '{entry}'": "quantity is '-3', it is a number above 0",
    "UPDATE fills SET price = '1' WHERE client_order_id = '{entry}'": "table fills, row {entry}",
    "UPDATE fills SET client_order_id = 'nobody' WHERE client_order_id = '{entry}'": "nobody is in no row",
    "UPDATE fills SET time = '2023-02-31T00:00:00.000000+00:00'": "table fills, row",
    "DELETE FROM fills WHERE client_order_id = '{entry}'": "filled_quantity is 49, events and fills say 0",
    "DELETE FROM equity WHERE time = (SELECT max(time) FROM equity)": "is not there or new",
    "UPDATE equity SET equity = '1' WHERE time = (SELECT max(time) FROM equity)": "table equity: row",
    "UPDATE halts SET module = 'x'": "table halts: row",
    "DELETE FROM halts": "is not there or new",
    "UPDATE sessions SET equity = '9'": "table sessions: row",
    "INSERT INTO splits VALUES ('A', '2023-03-07T00:00:00.000000+00:00', '1', '2', NULL, NULL)": "link is None",
    "UPDATE order_events SET reason = 'other' WHERE id = 3": "of the chain has changed",
    "DELETE FROM order_events WHERE id = 5": "is not there or new",
    "UPDATE decisions SET final_quantity = '51' WHERE id = 1": "final_quantity is 51, verdicts say 50",
    "UPDATE decisions SET outcome = 'refused' WHERE id = 1": "its quantities say resized",
    "UPDATE verdicts SET code = 'KO' WHERE decision_id = 1": "table decisions: row",
    "UPDATE verdicts SET inputs = '{{' WHERE decision_id = 1": "it is no JSON",
    "UPDATE runs SET config_hash = 'other'": "table runs: row",
    "UPDATE trades SET pnl = 'inf'": "table trades, row",
    "UPDATE meta SET value = '7 ' || substr(value, 4) WHERE key = 'chain'": "table meta, row chain",
    "CREATE INDEX more ON orders (reason)": "the tables are not those that were made",
}


@pytest.mark.parametrize("statement", DAMAGES)
def test_a_damaged_row_is_refused_by_table_and_row(path, statement):
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(statement.format(entry=ENTRY))
    except sqlite3.IntegrityError as error:
        assert DAMAGES[statement] in str(error)
        return
    finally:
        connection.close()
    for opened in (lambda: Journal(path, ACCOUNT).close(), lambda: read_snapshot(path)):
        with pytest.raises(Refusal) as caught:
            opened()
        told = str(caught.value)
        assert re.search(DAMAGES[statement].format(entry=ENTRY), told), told
        assert told.startswith(f"{path}: is damaged, ")
        assert told.endswith("; restore the journal from a copy, no orders until then")
        assert "\n" not in told


def test_a_damaged_row_is_refused_at_a_server_too(postgres):
    url = postgres.fresh()
    with Journal(url, ACCOUNT) as journal:
        name = journal.plan_order(OrderIntent("s", "AMD", "buy", 1, "market", "entry", BEGIN))
        journal.event(name, State.FILLED, fills=[Cumulative(1, 100, BEGIN)])
    Journal(url, ACCOUNT).close()
    for statement, told in {
        "UPDATE fills SET price = 'NaN'": "price is Decimal('NaN'), it is no number",
        "UPDATE fills SET price = 99": f"table fills, row {name}, sum:1@100: its fill is sum:1@99",
    }.items():
        execute(url, statement)
        with pytest.raises(Refusal, match=re.escape(told)):
            Journal(url, ACCOUNT)


def test_a_damaged_journal_of_version_1_is_not_upgraded(tmp_path):
    path = put(tmp_path / "journal.sqlite")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE fills SET price = 'NaN'")
    connection.close()
    with pytest.raises(Refusal, match=r"table fills, row .*: price is 'NaN'"):
        Journal(path, ACCOUNT)
    assert [file.name for file in tmp_path.iterdir() if "version" in file.name] == []


def told_by(path: Path) -> tuple[object, ...]:
    """Everything of a journal that trading goes by."""
    snapshot = read_snapshot(path)
    with Journal(path, ACCOUNT) as journal:
        halts = journal.halts(TUESDAY.date())
        opened = journal.session_open_equity(TUESDAY.date())
        figures = journal.all_figures()
        last = journal.last_exit_price("NVDA", "stop", BEGIN.replace(year=2020))
        waiting = journal.open_orders(), journal.unresolved(), journal.venue_ids(), journal.without_venue_id()
        number = journal.next_sequence("NVDA", "entry", snapshot.orders[-1].decision_time)
        held = journal.positions_by_fills(), journal.cash_by_fills()
    return snapshot, halts, opened, figures, last, waiting, number, held


def flip(seed: int, count: int, whole: Path, folder: Path) -> Counter[str]:
    chance, data = Random(seed), whole.read_bytes()
    right, results = told_by(Path(shutil.copyfile(whole, folder / "right.sqlite"))), Counter[str]()
    path = folder / "journal.sqlite"
    for _ in range(count):
        for left in folder.glob("journal.sqlite*"):
            left.unlink()
        place = chance.randrange(len(data))
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            found = told_by(path)
        except Refusal as refusal:
            assert "\n" not in str(refusal), (place, refusal)
            assert str(refusal).startswith(str(path)), (place, refusal)
            results["refused"] += 1
            continue
        assert found == right, place
        try:
            verify(path)
            results["no effect"] += 1
        except Refusal:
            results["found by verify"] += 1
    return results


def test_flipped_bits_are_refused_or_without_effect(upgraded, tmp_path):
    results = flip(1, 100, upgraded, tmp_path)
    assert results["refused"] > 10, results
    assert results["no effect"] > 5, results


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_flipped_bits_are_refused_or_without_effect(upgraded, tmp_path):
    results = flip(2, 2000, upgraded, tmp_path)
    assert results["refused"] > 300, results
    assert results["found by verify"] > 0, results


def test_the_kept_journal_is_sound():
    assert (KEPT / "version_1.sqlite").stat().st_size < 200_000
