"""Money beside USD in an account at Kraken: it counts in equity, and is no position; pairs against it move coins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.kraken.venue import KrakenVenue
from brokers.operator.account import look
from brokers.operator.manual_positions import manual_positions
from commands.venue_choice import Funds, funds_of
from config import load
from monitoring.state import JOURNAL_FILE
from tests.brokers.kraken.scene import BTC, SETTINGS, KrakenScene
from tests.brokers.kraken.scripted import NO_PAUSE
from tests.brokers.kraken.test_below_the_minimum import state
from tests.brokers.kraken.test_empty_answers import hand_cancels
from tests.brokers.rehearsal.kraken.market import served

EUR = "EUR/USD"
RATE = "1.16000"


class WithEuros:
    """What Kraken tells of an account with some EUR, for one that is rehearsed without."""

    def __init__(self, scene: KrakenScene, euros: str) -> None:
        self.client, self.euros, self.renamed = scene.venue.client, euros, set[str]()
        for name in ("assets", "asset_pairs", "balances", "tickers", "closed_orders"):
            setattr(self.client, name, self._around(name, getattr(self.client, name)))

    def _around(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        change = getattr(self, name)
        return lambda *args, **kwargs: change(ask, *args, **kwargs)

    def assets(self, ask: Callable[..., Any]) -> Any:
        return ask() | {"ZEUR": {"altname": "EUR", "decimals": 4}}

    def asset_pairs(self, ask: Callable[..., Any]) -> Any:
        told = ask()
        coin, usd = told["XXBTZUSD"], told["XXBTZUSD"]["quote"]
        money = {"altname": "EURUSD", "base": "ZEUR", "quote": usd, "ordermin": "0.5", "tick_size": "0.00001"}
        return told | {
            "ZEURZUSD": {**coin, **money},
            "XXBTZEUR": {**coin, "altname": "XBTEUR", "quote": "ZEUR"},
        }

    def balances(self, ask: Callable[..., Any]) -> Any:
        return ask() | {"ZEUR": {"balance": self.euros, "hold_trade": "0"}}

    def tickers(self, ask: Callable[..., Any], keys: Any) -> Any:
        wanted = list(keys)
        told = ask([key for key in wanted if key != "ZEURZUSD"]) if set(wanted) - {"ZEURZUSD"} else {}
        side = [RATE, "1", "1.000"]
        return told | ({"ZEURZUSD": {"b": side, "a": side, "c": [RATE, "1"]}} if "ZEURZUSD" in wanted else {})

    def closed_orders(self, ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        told = ask(*args, **kwargs)
        for txid in self.renamed & told.keys():
            told[txid]["descr"]["pair"] = "XBTEUR"
        return told


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[KrakenScene]:
    with served() as server:
        made = KrakenScene(server, tmp_path, journal=str(tmp_path / JOURNAL_FILE))
        yield made
        made.close()


def test_it_is_no_position_and_counts_in_equity(scene: KrakenScene, tmp_path: Path):
    WithEuros(scene, "100.0000")
    scene.settle(4)
    view = scene.desk.state.view
    assert view.positions == {} and view.dust == {} and view.complete
    assert view.account.equity == 1_116 and view.account.cash == 1_000
    assert scene.desk.reconcile().positions == {} and scene.positions.book.symbols == set()
    assert state(scene).positions == () and state(scene).remainders == ()
    settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
    assert manual_positions(look(scene.venue, settings), settings, {}) == []
    scene.enter(BTC, 100)
    scene.settle(2)
    assert scene.held() > 0 and scene.faults() == []


def test_a_profile_is_picked_with_it_named(scene: KrakenScene):
    WithEuros(scene, "100.0000")
    account, held = scene.venue.account(), scene.venue.positions()
    assert funds_of(account, held) == Funds(1_116.0, 1_000.0, foreign=("100 EUR",))


@pytest.mark.parametrize("beside", ["0", "0.002"])
def test_ours_of_it_keeps_its_stop_until_it_is_sold(scene: KrakenScene, monkeypatch, tmp_path: Path, beside: str):
    """It was bought while it counted as a coin; what the owner has of it is no position beside it."""
    scene.enter(BTC, 100)
    scene.settle(3)
    ours = scene.held()
    monkeypatch.setattr("config.values.symbols.OTHER_MONEY", frozenset({"BTC"}))
    scene.restart()
    if beside != "0":
        scene.server.call(lambda exchange: exchange.balances.move("XBT", Decimal(beside)))
    scene.settle(60, 5)
    assert scene.positions.book.quantity(BTC) == scene.stopped() == ours
    assert scene.positions.book.manual == {} and scene.desk.state.view.held(BTC) == ours
    assert scene.venue.positions().other_money == ({"BTC": Decimal(beside)} if beside != "0" else {})
    settings = load("active", overrides=[*SETTINGS, f"live.state_dir={tmp_path}"])
    assert look(KrakenVenue(scene.venue.client, scene.clock, "test", NO_PAUSE), settings).view.held(BTC) == ours
    # What the venue shows is cut to ours, so that nothing tells whether the owner has more: no stop is sent on a guess.
    assert scene.desk.symbol_work._beside(BTC)
    hand_cancels(scene)
    scene.settle(3)
    assert scene.stopped() == ours
    scene.adjust("exit", BTC)
    scene.settle(30, 5)
    assert scene.held() == Decimal(beside) and scene.open() == []
    assert scene.desk.state.view.positions == {} and scene.positions.book.symbols == set()


@pytest.mark.parametrize("ours", [False, True])
def test_coins_that_a_hand_trades_against_it_are_in_one_place(scene: KrakenScene, ours: bool):
    told = WithEuros(scene, "100.0000")
    scene.settle(2)
    if ours:
        scene.enter(BTC, 100)
        scene.settle(3)
    quantity = scene.positions.book.quantity(BTC)
    for side, left in (("buy", Decimal("0.0004")), ("sell", Decimal(0))):
        terms = {"type": side, "ordertype": "market", "volume": "0.0004"}
        told.renamed.add(scene.server.by_hand("AddOrder", pair="XBTUSD", **terms)["txid"][0])
        for _ in range(20):
            scene.step(5)
            book = scene.positions.book
            assert set(book.manual) <= {BTC} and book.quantity(BTC) == quantity
        assert book.manual.get(BTC, 0) == left
    assert not scene.halts.halted(scene.clock.now())
