"""Within a long bar the price winds through the range, a minute at a time; the bar stays the bar of the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.rehearsal.core.bar_playback import BarPlayback, Timeframe, from_ns
from brokers.rehearsal.core.hours import AlwaysOpen
from brokers.rehearsal.core.matching import winding
from brokers.rehearsal.core.model import Asset, Bar
from brokers.rehearsal.core.player import Player
from brokers.rehearsal.core.replay_bars import load_bars
from brokers.rehearsal.core.settings import VenueSettings
from brokers.rehearsal.core.venue import Venue

BTC = Asset("XXBTZUSD", "BTC/USD", "Bitcoin", tick=Decimal("0.1"), half_spread=Decimal("0.1"))
MIDNIGHT = datetime(2026, 3, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROWS = ((90_000.0, 90_400.0, 89_900.0, 90_300.0), (90_300.0, 90_300.0, 90_300.0, 90_300.0),
        (90_350.0, 90_900.0, 89_000.0, 89_000.0), (89_000.0, 89_500.0, 88_600.0, 89_400.0))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    ticks=st.lists(st.integers(1, 5_000), min_size=4, max_size=4),
    steps=st.integers(4, 90),
    low_comes_first=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_path_stays_in_its_bar_and_touches_both_ends(ticks, steps, low_comes_first, seed):
    opening, closing, *others = (Decimal(n) / 10 for n in ticks)
    bar = Bar(opening, max(opening, closing, *others), min(opening, closing, *others), closing)
    extremes = (bar.low, bar.high) if low_comes_first else (bar.high, bar.low)
    path = winding(bar, (*extremes, bar.close), steps, BTC, Random(seed))
    assert len(path) == steps and path[-1] == bar.close
    assert min(path) == bar.low and max(path) == bar.high
    assert path.index(extremes[0]) <= len(path) - 1 - path[::-1].index(extremes[1]), "in the order that was settled"
    assert all(price % BTC.tick == 0 for price in path)
    assert path == winding(bar, (*extremes, bar.close), steps, BTC, Random(seed)), "the same again"


def hours(minutes: int = 60) -> pd.DataFrame:
    times = pd.date_range(MIDNIGHT, periods=len(ROWS), freq=f"{minutes}min")
    return pd.DataFrame(ROWS, columns=["open", "high", "low", "close"]).assign(
        symbol="BTC/USD", datetime=times, volume=6.1
    )


def played(minutes: int = 60, price_every: timedelta = timedelta(minutes=1)) -> Player[Venue]:
    bars = load_bars(hours(minutes), AlwaysOpen(), ticks={"BTC/USD": BTC.tick}, whole_shares=False)
    numbers = VenueSettings(price_every=price_every)
    return Player(
        BarPlayback(bars), MIDNIGHT, None, lambda _, now: Venue([BTC], now, AlwaysOpen(), lambda event: None, numbers)
    )


def minutes_of(player: Player[Venue]) -> Iterator[tuple[datetime, Decimal]]:
    for step in range(4 * 60):
        player.play(MIDNIGHT + timedelta(minutes=step, seconds=30))
        yield player.exchange.now, player.exchange._state.ledger.prices["BTC/USD"]


def test_an_hour_is_the_hour_of_the_file_again():
    player = played()
    moved = sum(
        price != before for (_, price), (_, before) in zip(minutes_of(played()), minutes_of(player), strict=True)
    )
    assert moved == 0, "twice the same"
    end = MIDNIGHT + 4 * HOUR
    player.play(end)
    bars = player.playback.bars("BTC/USD", Timeframe("intraday", HOUR // timedelta(microseconds=1) * 1_000),
                                MIDNIGHT, end, end)  # fmt: skip
    assert [(bar.open, bar.high, bar.low, bar.close) for bar in bars] == list(ROWS)
    assert [bar.trades for bar in bars] == [61] * 4
    assert all(bar.volume == pytest.approx(6.1) for bar in bars)


def test_what_was_traded_is_what_was_told_and_nothing_to_come_is_seen():
    player, told = played(), []
    player.listeners.trades.append(lambda at, prices: told.append((at, float(prices["BTC/USD"]))))
    different = set()
    for now, price in minutes_of(player):
        different.add(price)
        last = player.playback.last("BTC/USD", now)
        assert last is not None and last[1] == float(price) and from_ns(last[0]) <= now
    assert len(different) > 100
    traded = player.playback.trades("BTC/USD", MIDNIGHT, player.exchange.now, player.exchange.now)
    assert [(from_ns(at), price) for at, price, _ in traded][1:] == told


@pytest.mark.parametrize(("minutes", "every", "prices"), [(60, 0, 16), (15, 1, 16), (30, 1, 4 * 31), (60, 5, 4 * 13)])
def test_short_bars_have_their_four_prices(minutes, every, prices):
    player = played(minutes, timedelta(minutes=every))
    end = MIDNIGHT + 4 * HOUR
    player.play(end)
    assert len(player.playback.trades("BTC/USD", MIDNIGHT, end, end)) == prices


def test_the_extreme_that_is_nearer_comes_first_where_nobody_is_hurt():
    def first_extreme(hour: int) -> float:
        player = played()
        player.play(MIDNIGHT + (hour + 1) * HOUR - timedelta(seconds=1))
        low, high = ROWS[hour][2], ROWS[hour][1]
        now = player.exchange.now
        traded = player.playback.trades("BTC/USD", MIDNIGHT + hour * HOUR, now, now)
        return next(price for _, price, _ in traded if price in (low, high))

    assert first_extreme(0) == 89_900.0, "100 USD below the open, 400 above it"
    assert first_extreme(2) == 90_900.0
