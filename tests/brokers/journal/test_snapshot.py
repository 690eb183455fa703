"""A journal read beside its writer and without a trace."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.journal import Cumulative, OrderIntent, State, snapshot
from brokers.journal.snapshot import read_snapshot
from config.errors import Refusal
from tests.brokers.journal.conftest import ACCOUNT, BEGIN


def planned(journal, symbol: str = "AAPL") -> str:
    return journal.plan_order(OrderIntent("combined", symbol, "buy", Decimal(5), "market", "entry", BEGIN))


def test_it_shows_orders_and_fills_of_this_moment(journal, address):
    empty = read_snapshot(address)
    assert (empty.account_id, empty.orders, empty.filled) == (ACCOUNT, (), ())
    first, second = planned(journal), planned(journal, "MSFT")
    fill = Cumulative(Decimal(5), Decimal(100), BEGIN + timedelta(minutes=1))
    journal.event(first, State.FILLED, fills=[fill])
    found = read_snapshot(address)
    assert [order.client_order_id for order in found.orders] == [first, second]
    assert [order.client_order_id for order in found.open] == [second]
    assert [item.order.average_price for item in found.filled] == [100]
    assert len(empty.orders) == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_a_copy_taken_while_it_was_written_is_taken_again(journal, path, monkeypatch):
    whole, times = snapshot.shutil.copyfile, []

    def copied(source, target):
        whole(source, target)
        times.append(source)
        if len(times) < 4:
            planned(journal, f"S{len(times)}")

    monkeypatch.setattr(snapshot.shutil, "copyfile", copied)
    assert len(read_snapshot(path).orders) == 3
    assert len(times) == 6


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_a_file_that_never_rests_is_refused(journal, path, monkeypatch):
    whole = snapshot.shutil.copyfile

    def copied(source, target):
        whole(source, target)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))

    monkeypatch.setattr(snapshot.shutil, "copyfile", copied)
    with pytest.raises(Refusal, match="without a pause"):
        read_snapshot(path)


def test_no_journal_is_refused(path):
    with pytest.raises(Refusal, match="there is no journal"):
        read_snapshot(path)


@pytest.mark.parametrize("content", [b"", b"nothing like a journal" * 400])
def test_a_damaged_one_is_refused_by_its_own_name(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Refusal, match="damaged") as caught:
        read_snapshot(path)
    assert str(caught.value).startswith(str(path))
