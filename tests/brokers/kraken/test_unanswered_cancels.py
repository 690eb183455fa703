"""A stop's cancel is carried out, its answer is lost, and no look tells: it is said, and the stop is tried again."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.kraken.connection.errors import LOCKOUT_URGENT_S
from brokers.live_state.snapshot import held_now
from brokers.venue_errors import OutcomeUnknown
from tests.brokers.kraken.scene import BTC, KrakenScene
from tests.brokers.kraken.test_lockout import LOCKED, begin
from tests.brokers.kraken.turned_away import TurnedAway
from tests.brokers.rehearsal.kraken.market import served, set_price

LOOKS = ("OpenOrders", "BalanceEx", "QueryOrders", "ClosedOrders")
DOUBT = "may have no stop, the cancel of theirs has no answer"


class Lost(TurnedAway):
    """The first cancel has no answer, whether or not it ``arrives``; from it on requests are answered with an error."""

    arrives = True

    def _answer(self, path: str, api: str, method: str, params: Any) -> Any:
        first = path == "CancelOrder" and self.began is None
        if first and not self.arrives:
            self.began = self.scene.clock.time
        answer = None if first and not self.arrives else super()._answer(path, api, method, params)
        if first:
            raise OutcomeUnknown("no answer")
        return answer


def ours(scene: KrakenScene) -> tuple[float, int]:
    """Of what is ours on the screens: how much is protected, and by how many stops."""
    ((position, stops),) = (item for item in held_now(scene.desk, None) if item[0].signal != "manual")
    return position.protected_quantity, len(stops)


@pytest.mark.parametrize("kind", ["target", "exit"])
def test_it_is_told_while_looks_fail(tmp_path: Path, caplog, kind: str):
    caplog.set_level(logging.INFO)
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        away = Lost(scene, LOCKED[0], 100.0)
        begin(scene, kind)
        away.watch(10)
        assert ours(scene) == (0, 0)
        assert DOUBT in scene.desk.protector.log.waiting[BTC]
        told = [r.getMessage() for r in caplog.records if DOUBT in r.getMessage()]
        assert len(told) == 1 and told[0].endswith("may have ended: its cancel has no answer")
        scene.close()


@pytest.mark.parametrize("arrives", [True, False])
def test_after_two_minutes_of_a_lockout_the_stop_is_tried(tmp_path: Path, monkeypatch, arrives: bool):
    monkeypatch.setattr(Lost, "arrives", arrives)
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        away = Lost(scene, LOCKED[0], 100.0)
        begin(scene, "target")
        away.watch(110)
        assert len(away.asked) == 1, "nothing is sent while the lockout lasts"
        while len(away.asked) == 1 and away.passed_s < LOCKOUT_URGENT_S + 20:
            away.watch(2)
        assert away.passed_s < LOCKOUT_URGENT_S + 10 and scene.stopped() == scene.held() > 0
        scene.settle(6)
        away.watch(30)
        assert scene.held() == 0 and scene.faults() == []
        scene.close()


@pytest.mark.parametrize("arrives", [True, False])
def test_while_looks_alone_fail_a_stop_is_tried_that_kraken_refuses_beside_the_old_one(
    tmp_path: Path, monkeypatch, arrives: bool
):
    monkeypatch.setattr(Lost, "arrives", arrives)
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        away = Lost(scene, "EService:Unavailable", 60.0, LOOKS)
        begin(scene, "target")
        away.watch(40)
        assert [path for _, path in away.asked].count("AddOrder") == 1
        assert scene.stopped() == scene.held() > 0 and ours(scene)[0] == float(scene.held())
        assert not scene.desk.protector.log.present and not scene.desk.closer.tasks
        scene.pass_time(1, BTC="91000")
        away.watch(40)
        scene.settle(4)
        assert scene.stopped() == scene.held() > 0 and scene.faults() == []
        scene.close()


def offered_below(scene: KrakenScene) -> None:
    """An exit's sale rests, as the market has fallen below its limit before it arrived."""
    send = scene.rest._sent

    def falls(path: str, api: str, method: str, params: Any) -> Any:
        if path == "AddOrder":
            set_price(scene.server, "89000", "BTC/USD")
        return send(path, api, method, params)

    scene.rest._sent = falls  # type: ignore[method-assign]  # in the place of the wire
    scene.adjust("exit", BTC)
    scene.settle(1)
    scene.rest._sent = send  # type: ignore[method-assign]  # the wire again


@pytest.mark.parametrize("arrives", [True, False])
def test_the_cancel_of_a_sale_is_asked_for_again_while_looks_fail_and_what_is_left_is_sold(
    tmp_path: Path, monkeypatch, arrives: bool
):
    monkeypatch.setattr(Lost, "arrives", arrives)
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        offered_below(scene)
        (sale,) = scene.open()
        assert sale.type == "limit"
        away = Lost(scene, "EService:Unavailable", 90.0, tuple(path for path in LOOKS if path != "QueryOrders"))
        away.watch(40)
        sent = [path for _, path in away.asked if path.endswith("Order")]
        assert sent == ["CancelOrder", "AddOrder"] and scene.held() == 0
        away.watch(70)
        scene.settle(4)
        assert scene.faults() == [] and not scene.desk.closer.tasks
        scene.close()


def test_beside_coins_of_a_hand_nothing_is_sent(tmp_path: Path):
    with served(account={"balances": {"XBT": "0.002"}}) as server:
        scene = KrakenScene(server, tmp_path)
        scene.settle(2)
        scene.enter(BTC, 100)
        scene.settle(2)
        quantity = scene.positions.book.quantity(BTC)
        away = Lost(scene, "EService:Unavailable", 60.0, LOOKS)
        begin(scene, "target")
        away.watch(40)
        assert "AddOrder" not in [path for _, path in away.asked]
        assert ours(scene) == (0, 0)
        scene.pass_time(1, BTC="91000")
        away.watch(40)
        scene.settle(4)
        assert scene.stopped() == quantity and scene.held() == quantity + Decimal("0.002")
        scene.close()
