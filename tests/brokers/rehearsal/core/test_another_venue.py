"""The core without Alpaca: always open, lots of 1e-8, own ticks, fees, closing orders per fill, holds or none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from brokers.rehearsal.core.bar_playback import BarPlayback
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.core.hours import AlwaysOpen, Phase
from brokers.rehearsal.core.model import Asset, Closing, Order, OrderEvent
from brokers.rehearsal.core.player import Player
from brokers.rehearsal.core.replay_bars import load_bars
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.core.venue import Venue

SATURDAY = datetime(2026, 3, 7, 23, 0, tzinfo=UTC)
BTC = Asset("b", "BTC/USD", "Bitcoin", "KRAKEN", lot=Decimal("1e-8"), tick=Decimal("0.1"))
DOGE = Asset("d", "DOGE/USD", "Dogecoin", "KRAKEN", lot=Decimal("1e-8"), tick=Decimal("1e-7"))
FEES = VenueSettings(
    half_spread_frac=Decimal("0.0001"), maker_fee_frac=Decimal("0.0025"), taker_fee_frac=Decimal("0.004"),
    multiplier=Decimal(1), release_delay=timedelta(seconds=2),
)  # fmt: skip


class Coins(Venue):
    """A venue with orders put in by hand."""

    def __init__(self, settings: VenueSettings = FEES, faults: FaultPlan | None = None) -> None:
        self.told: list[OrderEvent] = []
        super().__init__([BTC, DOGE], SATURDAY, AlwaysOpen(), self.told.append, settings, faults)
        self.price("90000")

    def price(self, last: str, symbol: str = "BTC/USD") -> None:
        self.on_quote(self.now + timedelta(seconds=1), {symbol: Decimal(last)})

    def send(self, side: str, kind: str, qty: str, asset: Asset = BTC, **terms: Any) -> Order:
        number = len(self._state.orders)
        order = Order(
            f"o{number}",
            f"c{number}",
            number,
            asset,
            side,
            kind,
            "gtc",
            Decimal(qty),
            None,
            self.now,
            self.now,
            None,
            **terms,
        )
        self._life.accept(order)
        self.advance(self.now + timedelta(seconds=1))
        return order


def test_it_trades_through_the_weekend_and_no_order_grows_old() -> None:
    venue = Coins()
    order = venue.send("buy", "limit", "0.00012345", limit_price=Decimal("80000"))
    venue.advance(SATURDAY + timedelta(days=400))
    assert order.status == "new"
    assert venue._state.phase is Phase.REGULAR
    venue.price("79990")
    assert order.status == "filled"
    assert venue._state.ledger.quantity("BTC/USD") == Decimal("0.00012345")


def test_who_makes_pays_less_than_who_takes() -> None:
    venue = Coins()
    taken = venue.send("buy", "market", "0.1")
    assert taken.fee == taken.filled_value * Decimal("0.004")
    crossing = venue.send("buy", "limit", "0.1", limit_price=Decimal("95000"))
    assert crossing.fee == crossing.filled_value * Decimal("0.004")
    resting = venue.send("buy", "limit", "0.1", limit_price=Decimal("89000"))
    venue.price("88000")
    assert resting.fee == resting.filled_value * Decimal("0.0025")
    spent = sum(order.filled_value + order.fee for order in (taken, crossing, resting))
    assert venue._state.ledger.cash == 100_000 - spent
    assert [event.execution.fee for event in venue.told if event.execution] == [taken.fee, crossing.fee, resting.fee]


def test_the_spread_is_a_share_of_the_price() -> None:
    venue = Coins()
    venue.price("0.00001", "DOGE/USD")
    bid, ask = venue._state.ledger.bid_ask(Decimal("0.00001"))
    assert 0 < bid < Decimal("0.00001") < ask
    assert venue.send("buy", "market", "40", DOGE).filled_value == 40 * ask


def test_each_fill_brings_a_stop_of_its_own() -> None:
    faults = FaultPlan(seed=3, partial_fill_frac=1.0)
    venue = Coins(faults=faults)
    entry = venue.send("buy", "limit", "0.5", limit_price=Decimal("90100"), closing=Closing("stop", Decimal("85000")))
    for _ in range(3):
        venue.price("90000")
    faults.partial_fill_frac = 0.0
    venue.price("90000")
    fills = [event.execution.qty for event in venue.told if event.order is entry and event.execution]
    stops = [order for order in venue._state.orders.values() if order.parent == entry.id]
    assert len(fills) > 1
    assert [stop.qty for stop in stops] == fills
    assert sum(fills) == Decimal("0.5") == venue._state.held("BTC/USD")
    assert {(stop.side, stop.type, stop.stop_price, stop.expires) for stop in stops} == {
        ("sell", "stop", Decimal("85000"), None)
    }
    venue.price("84000")
    assert {stop.status for stop in stops} == {"filled"}
    assert venue._state.ledger.quantity("BTC/USD") == 0
    assert not [order for order in venue._state.orders.values() if order.parent in {stop.id for stop in stops}]


@pytest.mark.parametrize(("stops_hold", "held"), [(True, "0.2"), (False, "0")])
def test_a_waiting_stop_holds_coins_or_does_not(stops_hold: bool, held: str) -> None:
    venue = Coins(replace(FEES, stops_hold=stops_hold))
    venue.send("buy", "market", "0.2")
    venue.send("sell", "stop", "0.2", stop_price=Decimal("85000"))
    assert venue._state.held("BTC/USD") == Decimal(held)
    venue.send("sell", "limit", "0.1", limit_price=Decimal("99000"))
    assert venue._state.held("BTC/USD") == min(Decimal(held) + Decimal("0.1"), Decimal("0.2"))


def test_parts_are_lots_and_trailing_stops_keep_to_the_tick() -> None:
    venue = Coins(faults=FaultPlan(seed=3, partial_fill_frac=1.0))
    order = venue.send("buy", "market", "0.12345678")
    assert 0 < order.filled_qty < Decimal("0.12345678")
    assert order.filled_qty % Decimal("1e-8") == 0
    trailing = venue.send("sell", "trailing_stop", "0.1", trail_percent=Decimal("1.23"))
    assert trailing.stop_price is not None
    assert trailing.stop_price % Decimal("0.1") == 0
    assert trailing.stop_price == Decimal("88893.0")


def test_bars_of_coins_are_played_over_midnight() -> None:
    times = pd.date_range("2026-03-07 22:00", periods=6, freq="h", tz="UTC")
    frame = pd.DataFrame(
        {"symbol": "DOGE/USD", "datetime": times, "open": 0.1000001, "high": 0.20000004, "low": 0.05, "close": 0.15}
    ).assign(volume=10.5)
    ticks = {"DOGE/USD": Decimal("1e-7")}
    loaded = load_bars(frame, AlwaysOpen(), ticks=ticks, whole_shares=False)
    playback = BarPlayback(loaded)
    told: list[OrderEvent] = []
    player = Player(
        playback, datetime(2026, 3, 7, 22, tzinfo=UTC), None,
        lambda known, now: Venue([DOGE], now, AlwaysOpen(), told.append, FEES),
    )  # fmt: skip
    closes: list[datetime] = []
    player.listeners.close.append(closes.append)
    player.play(datetime(2026, 3, 8, 3, tzinfo=UTC))
    prices = player.exchange._state.ledger.prices
    assert prices["DOGE/USD"] == Decimal("0.1000001")
    assert closes == [datetime(2026, 3, 8, tzinfo=UTC)]
    _, price, shares, _ = playback.last("DOGE/USD", datetime(2026, 3, 8, 3, tzinfo=UTC)) or (0, 0.0, 0.0, False)
    assert (price, shares) == (0.1000001, 10.5 / 61), "the open, and a price for each minute after it"
    assert loaded.frame["high"].iloc[0] == 0.2


@pytest.mark.parametrize(("side", "untouched", "touched"), [("sell", "94999.9", "95000"), ("buy", "85000.1", "85000")])
def test_a_take_profit_waits_for_the_price_that_pleases(side: str, untouched: str, touched: str) -> None:
    venue = Coins()
    venue.send("buy", "market", "0.2")
    level = Decimal("95000") if side == "sell" else Decimal("85000")
    order = venue.send(side, "take_profit", "0.1", stop_price=level)
    venue.price(untouched)
    assert order.status == "new"
    venue.price(touched)
    assert (order.status, order.triggered) == ("filled", True)


def test_a_take_profit_with_a_limit_rests_once_it_is_triggered() -> None:
    venue = Coins()
    venue.send("buy", "market", "0.1")
    order = venue.send("sell", "take_profit_limit", "0.1", stop_price=Decimal("95000"), limit_price=Decimal("95500"))
    venue.price("95000")
    assert (order.status, order.triggered) == ("new", True)
    venue.price("96000")
    assert order.status == "filled"
    assert order.fee == order.filled_value * FEES.maker_fee_frac


def test_spread_and_rounding_of_an_asset_of_its_own() -> None:
    asset = replace(BTC, half_spread=Decimal("0.5"), money_step=Decimal("0.01"))
    venue = Coins()
    order = venue.send("buy", "market", "0.00012345", asset)
    assert order.filled_value == Decimal("11.11")
    assert order.fee == Decimal("0.04")
    assert venue._state.ledger.cash == Decimal(100_000) - Decimal("11.15")
    assert venue._state.ledger.bid_ask(Decimal("90000"), asset) == (Decimal("89999.5"), Decimal("90000.5"))


def test_a_fee_can_be_taken_in_units() -> None:
    venue = Coins()
    order = venue.send("buy", "market", "0.1", fee_in_units=True)
    assert venue._state.ledger.cash == 100_000 - order.filled_value
    assert venue._state.ledger.quantity("BTC/USD") == Decimal("0.0996")


def test_the_rest_of_an_order_can_wait() -> None:
    venue = Coins(faults=FaultPlan(seed=3, partial_fill_frac=1.0, partial_pause=timedelta(seconds=10)))
    order = venue.send("buy", "limit", "0.5", limit_price=Decimal("90100"))
    first = order.filled_qty
    assert 0 < first < Decimal("0.5")
    for _ in range(8):
        venue.price("90000")
    assert order.filled_qty == first
    venue.advance(venue.now + timedelta(seconds=2))
    assert order.filled_qty > first
