"""Pairs that change while something is held: a least volume that is raised, a pair that is no longer listed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.kraken.answers.pairs import Pairs
from brokers.kraken.reference import FRESH_S
from brokers.order_types import State, VenueReason
from brokers.venue_errors import AccountUnreadable, VenueRefusal
from tests.brokers.kraken.scene import BTC, ETH, KrakenScene
from tests.brokers.kraken.scripted import scripted
from tests.brokers.rehearsal.kraken.market import served

KEY = "XXBTZUSD"


class Changed:
    """Kraken with another least volume of a pair, or without the pair."""

    def __init__(self, scene: KrakenScene) -> None:
        self.scene, self.ordermin, self.unlisted = scene, "", False
        self.refused: list[str] = []
        self.take()

    def take(self) -> None:
        """Stand before the present process's requests."""
        self._before = self.scene.rest._sent
        self.scene.rest._sent = self._sent

    def old(self) -> None:
        """What was read of pairs was read long ago."""
        self.scene.venue.reference._read_at = self.scene.venue.reference._tried_at = -math.inf

    def _sent(self, path: str, api: str, method: str, params: Any) -> Any:
        pair = str((params or {}).get("pair", ""))
        if self.unlisted and KEY in pair.split(","):
            return self._error("EQuery:Unknown asset pair", path)
        if path == "AddOrder" and self.ordermin and pair == KEY and Decimal(params["volume"]) < Decimal(self.ordermin):
            return self._error("EOrder:Order minimum not met", path)
        answer = self._before(path, api, method, params)
        if path == "AssetPairs":
            if self.unlisted:
                answer["result"].pop(KEY, None)
            elif self.ordermin:
                answer["result"][KEY]["ordermin"] = self.ordermin
        return answer

    def _error(self, text: str, path: str) -> Any:
        self.refused.append(path)
        return {"error": [text]}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    with served() as server:
        scene = KrakenScene(server, tmp_path)
        scene.enter(BTC, 100)
        scene.settle(2)
        assert scene.stopped() == scene.held() > 0
        yield scene
        scene.close()


@pytest.mark.parametrize("by", ["target", "close"])
def test_no_stop_is_cancelled_for_a_sale_below_a_minimum_that_was_raised(scene, caplog, by):
    kraken = Changed(scene)
    kraken.ordermin = "0.01"
    # What was read a moment ago is not enough: it is read again before anything is cancelled.
    scene.venue.reference._read_at -= FRESH_S
    cancels = scene.asked["CancelOrder"]
    if by == "target":
        scene.step(1, BTC="94000")
    else:
        scene.adjust("exit", BTC)
    scene.settle(20, 5)
    assert scene.asked["CancelOrder"] == cancels and scene.stopped() == scene.held() > 0
    assert kraken.refused == []
    assert "are below the venue's least quantity of 0.01" in caplog.text
    assert sum("below the venue's least" in record.message for record in caplog.records) < 6, "it backs off"
    scene.step(1, BTC="80000")
    assert scene.held() == 0, "the stop sold, whatever the minimum is now"


def test_a_refusal_that_lasts_is_not_repeated_every_few_seconds(scene):
    """The stop was cancelled by hand when the minimum had gone up: nothing can be sent, so little is tried."""
    kraken = Changed(scene)
    kraken.ordermin = "0.01"
    scene.venue.reference._tried_at = math.inf  # nothing is read again in this test
    (stop,) = scene.open()
    scene.server.by_hand("CancelOrder", txid=stop.id)
    scene.settle(60, 5)
    assert 1 <= len(kraken.refused) <= 12, "in five minutes"


def test_the_least_volume_is_read_again_after_kraken_has_refused_an_order_for_it(scene):
    kraken = Changed(scene)
    kraken.ordermin = "0.01"
    (stop,) = scene.open()
    scene.server.by_hand("CancelOrder", txid=stop.id)
    scene.settle(30, 5)
    assert len(kraken.refused) == 1
    assert BTC in scene.desk.protector.log.present, "coins of a hundred dollars without a stop are told all the same"
    assert not scene.desk.urgent and not scene.desk.uncovered, "no look changes anything, so they come at their pace"
    assert scene.venue.rules.least(BTC, Decimal(90_000)) == Decimal("0.01")


def lowered_again(scene: KrakenScene) -> Changed:
    """The least volume was raised above what is held, which was read, and is lowered before anybody reads it again."""
    kraken = Changed(scene)
    kraken.ordermin = "0.01"
    kraken.old()
    scene.settle(3)
    assert scene.venue.rules.least(BTC, Decimal(90_000)) == Decimal("0.01")
    kraken.ordermin = "0.00005"
    # What was read is older than a second of this machine, and not as old as the hour after which pairs are read again.
    scene.venue.reference._read_at = scene.venue.reference._tried_at = time.monotonic() - 2 * FRESH_S
    return kraken


def test_a_minimum_that_was_lowered_again_lets_the_target_be_sold_at(scene):
    kraken = lowered_again(scene)
    scene.step(1, BTC="94000")
    scene.settle(15, 5)
    assert scene.held() == 0 and kraken.refused == []


def test_a_minimum_that_was_lowered_again_lets_bare_coins_have_their_stop(scene):
    kraken = lowered_again(scene)
    (stop,) = scene.open()
    scene.server.by_hand("CancelOrder", txid=stop.id)
    asked = scene.asked["AssetPairs"]
    scene.settle(15, 5)
    assert scene.stopped() == scene.held() > 0 and kraken.refused == []
    assert scene.asked["AssetPairs"] == asked + 1


def test_while_the_minimum_stays_raised_pairs_are_read_once_a_minute(scene):
    kraken = lowered_again(scene)
    kraken.ordermin = "0.01"
    (stop,) = scene.open()
    scene.server.by_hand("CancelOrder", txid=stop.id)
    asked = scene.asked["AssetPairs"]
    for _ in range(60):
        scene.venue.reference._read_at = scene.venue.reference._tried_at = time.monotonic() - 2 * FRESH_S
        scene.step(5)
    assert 4 <= scene.asked["AssetPairs"] - asked <= 5, "in five minutes"


def test_a_pair_that_is_no_longer_listed_makes_equity_unknown_and_its_stop_is_still_seen(scene, caplog):
    kraken = Changed(scene)
    scene.enter(ETH, 100)
    scene.settle(2)
    before = scene.desk.state.view.account.equity
    kraken.unlisted = True
    kraken.old()
    scene.pass_time(120)
    scene.settle(3)
    view = scene.desk.state.view
    assert "BTC/USD has no price, Kraken no longer lists it" in view.account_unreadable
    assert view.account.equity == before, "no loss that was none"
    assert "account" in scene.halts.passing
    assert not scene.halts.halted(scene.clock.now()) and scene.stopped() == scene.held()
    assert scene.positions.protection(BTC).protected == scene.held()
    assert sum("Kraken no longer lists this pair" in record.message for record in caplog.records) == 1
    # The others go on: the target of ETH is sold at.
    scene.step(1, ETH="3300")
    scene.settle(4)
    assert scene.held(ETH) == 0
    kraken.unlisted = False
    kraken.old()
    scene.settle(2)
    assert not scene.desk.state.view.account_unreadable and "Kraken lists BTC/USD again" in caplog.text


def test_a_process_that_starts_without_the_pair_knows_its_order_and_its_coins(scene, caplog):
    kraken = Changed(scene)
    kraken.unlisted = True
    scene.journal.close()
    scene.start()
    kraken.take()
    scene.settle(3)
    assert scene.positions.book.quantity(BTC) == scene.held() == scene.positions.protection(BTC).protected
    (own,) = scene.journal.open_orders()
    assert own.state is State.WORKING and not scene.desk.state.view.held_back
    assert "is left out" not in caplog.text and "without an order of ours" not in caplog.text
    assert scene.desk.iterations == 0, "nothing is decided by an equity that nobody knows"
    with pytest.raises(AccountUnreadable, match="no longer lists it") as unreadable:
        scene.venue.account()
    assert unreadable.value.account.id == "test"
    scene.settle(3)
    assert not scene.halts.halted(scene.clock.now())
    with pytest.raises(VenueRefusal, match="Kraken no longer lists BTC/USD") as refused:
        scene.venue.reference.required(BTC)
    assert refused.value.reason is VenueReason.LASTING
    kraken.unlisted = False
    kraken.old()
    scene.settle(2)
    assert scene.desk.iterations > 0 and scene.faults() == []


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("XBTUSD", "BTC/USD"), ("XXBTZUSD", "BTC/USD"), ("XTZUSD", "XTZ/USD"), ("XBTEUR", ""), ("NONEUSD", ""), ("", "")],
)
def test_the_symbol_of_a_pair_follows_from_its_name(name, symbol):
    assert Pairs((), {"XXBT": "XBT", "XTZ": "XTZ", "ZUSD": "USD"}).symbol_of(name) == symbol


def test_pairs_that_nobody_asked_for_come_and_go_without_a_word(tmp_path, caplog):
    venue, rest, _ = scripted(tmp_path)
    assert venue.lists(BTC)
    pairs = dict(rest.answers["AssetPairs"])
    rest.answers["AssetPairs"] = {name: row for name, row in pairs.items() if name == KEY}
    venue.reference._tried_at = venue.reference._read_at = -math.inf
    assert venue.trades(BTC) and caplog.text == ""
