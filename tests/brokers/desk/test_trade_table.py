"""The journal's table of trades is what its chain amounts to, after whatever was written last."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from brokers.desk.reconcile.trade_table import TradeTable
from brokers.journal.database.schema import fills
from brokers.journal.database.store import Store
from brokers.operator.track_record import verify
from config.errors import Refusal
from tests.brokers.desk.drills import Babble, scripted_day, troubled_day
from tests.brokers.desk.scene import Scene, held
from tests.brokers.journal.conftest import postgres  # noqa: F401  # a fixture
from tests.brokers.journal.postgres_server import PostgresServer

LATE = timedelta(microseconds=213)
"""By so much a venue's update differs from its listing."""


def later(events: list[Any]) -> list[Any]:
    """The same updates, each with a time of its own."""
    told = json.loads(json.dumps(events))
    for event in told:
        event["timestamp"] = (datetime.fromisoformat(event["timestamp"]) + LATE).isoformat()
    return list(told)


def exit_times(scene: Scene) -> list[datetime]:
    return [datetime.fromisoformat(json.loads(line)["exit_time"]) for line in verify(scene.address).trades]


def told_twice(scene: Scene) -> int:
    """Orders of which a fill was told in two ways with two times."""
    with scene.journal._store.reading() as connection:
        rows = connection.execute(select(fills.c.client_order_id, fills.c.time).distinct()).all()
    return sum(count > 1 for count in Counter(row.client_order_id for row in rows).values())


def a_fill_that_a_look_sees_first(scene: Scene) -> None:
    held(scene)
    scene.told = later
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": scene.prices["AAPL"] - 10})
    scene.desk.look()
    first = exit_times(scene)
    scene.hand_on()
    assert exit_times(scene) == [first[0] + LATE]
    assert [trade.exit_time for trade in scene.desk.record.trades] == exit_times(scene)
    assert told_twice(scene) > 0


def test_a_fill_that_a_look_sees_before_its_update_comes_with_another_time(scene: Scene) -> None:
    a_fill_that_a_look_sees_first(scene)


@pytest.mark.slow
def test_the_same_at_a_server(tmp_path: Path, postgres: PostgresServer) -> None:  # noqa: F811  # the fixture
    scene = Scene(tmp_path, journal=postgres.fresh())
    a_fill_that_a_look_sees_first(scene)
    scene.stop()


@contextmanager
def verified_at_every_commit(told: list[int]) -> Iterator[None]:
    """Whatever is on the disk is what was written: read by another connection after each transaction of a desk."""
    transaction, deep = Store.transaction, [0]

    @contextmanager
    def watched(self: Store, outdates: bool = True) -> Iterator[Any]:
        deep[0] += 1
        try:
            with transaction(self, outdates) as connection:
                before = connection.scalar(select(fills.c.link).order_by(fills.c.link.desc()).limit(1))
                yield connection
                booked = connection.scalar(select(fills.c.link).order_by(fills.c.link.desc()).limit(1)) != before
        finally:
            deep[0] -= 1
        if booked and not deep[0]:
            told.append(len(verify(self.name).trades))

    Store.transaction = watched  # type: ignore[method-assign]  # the class, as desks of a day are made anew
    try:
        yield
    finally:
        Store.transaction = transaction  # type: ignore[method-assign]  # as it was


def test_a_day_is_what_was_written_after_every_report(tmp_path: Path) -> None:
    told = list[int]()
    with verified_at_every_commit(told):
        scene = Scene(tmp_path)
        babble = Babble(Random(5))
        scene.told = lambda events: babble(later(events))
        scripted_day(scene, lambda: None)
        scene.settle(5)
    assert len(told) > 8 and told[-1] > 3
    assert told_twice(scene) > 3
    assert [f"{line['symbol']} {line['quantity']}" for line in map(json.loads, verify(scene.address).trades)] == sorted(
        f"{trade.symbol} {trade.quantity:g}" for trade in scene.desk.record.trades
    )
    scene.stop()


@pytest.mark.parametrize("seed", [3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 15))])
def test_a_troubled_day_is_what_was_written_after_every_report(seed: int, tmp_path: Path) -> None:
    logging.disable(logging.CRITICAL)
    told = list[int]()
    try:
        with verified_at_every_commit(told):
            troubled_day(tmp_path, seed)
    finally:
        logging.disable(logging.NOTSET)
    assert told


def test_a_fill_that_cannot_be_written_leaves_no_trade(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit fails: what was derived in it is forgotten, and booked with the next look."""
    held(scene)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": scene.prices["AAPL"] - 10})
    follow = TradeTable.follow

    def full(self: TradeTable) -> None:
        follow(self)
        raise Refusal("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(TradeTable, "follow", full)
        with pytest.raises(Refusal, match="the disk is full"):
            scene.desk.look()
    assert exit_times(scene) == [] and scene.positions._history.update(scene.exchange.now.date()).portions == []
    scene.desk.look()
    assert len(exit_times(scene)) == 1 == len(scene.desk.record.trades)


def test_a_fill_is_booked_whatever_is_wrong_with_what_follows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held(scene)
    scene.exchange.on_quote(scene.exchange.now, {"AAPL": scene.prices["AAPL"] - 10})
    with monkeypatch.context() as patch:
        patch.setattr(TradeTable, "_change", lambda self, book: 1 / 0)
        scene.observer.look()
    assert scene.journal.positions_by_fills() == {}
    assert "trades do not follow from the fills, the fill itself is booked" in caplog.text
    scene.desk.look()
    assert len(exit_times(scene)) == 1 == len(scene.desk.record.trades)
