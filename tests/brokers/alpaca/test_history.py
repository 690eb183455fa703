"""The past of many symbols: read in parts, each kept while a later one is not answered."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from brokers.alpaca.market_data import bars_of
from brokers.alpaca.venue import HISTORY_SYMBOLS, AlpacaVenue
from brokers.venue_errors import VenueUnavailable
from tests.brokers.alpaca.scripted import answer, client_of, serving
from tests.brokers.alpaca.test_client import T0, bar


def test_the_past_of_many_symbols_is_read_in_parts_and_goes_on_after_one_that_is_not_answered() -> None:
    symbols = [f"S{number:04d}" for number in range(2 * HISTORY_SYMBOLS + 50)]
    told = {symbol: [bar(1), bar(2)] for symbol in symbols if symbol != symbols[-1]}
    failing = [False, True, False]

    def script(handler) -> None:
        if failing and failing.pop(0):
            answer({"message": "internal"}, 500)(handler)
        else:
            wanted = handler.asked.query["symbols"].split(",")
            answer({"bars": {symbol: told[symbol] for symbol in wanted if symbol in told}})(handler)

    with serving(script) as server:
        venue, end = AlpacaVenue(client_of(server.url)), T0 + timedelta(hours=1)
        with pytest.raises(VenueUnavailable):
            venue.bars(symbols, 5, T0, end)
        found = venue.bars(symbols, 5, T0, end)
        pd.testing.assert_frame_equal(found, bars_of(told))
        asked = [asked.query["symbols"].split(",") for asked in server.asked]
        first, second = symbols[:HISTORY_SYMBOLS], symbols[HISTORY_SYMBOLS : 2 * HISTORY_SYMBOLS]
        assert asked == [first, second, second, symbols[2 * HISTORY_SYMBOLS :]]
        # Once it is whole it is read anew, and so is what is asked for in other words.
        venue.bars(symbols, 5, T0, end)
        assert len(server.asked) == 4 + 3
        failing[:] = [False, True]
        with pytest.raises(VenueUnavailable):
            venue.bars(symbols, 5, T0, end)
        venue.bars(symbols, 5, T0, end + timedelta(minutes=5))
        assert len(server.asked) == 7 + 2 + 3


def test_what_is_new_is_asked_for_at_once() -> None:
    symbols = [f"S{number:04d}" for number in range(HISTORY_SYMBOLS + 1)]
    with serving(answer({"bars": {symbol: [bar(1)] for symbol in symbols}})) as server:
        assert len(AlpacaVenue(client_of(server.url)).bars(symbols, 5, T0)) == len(symbols)
        assert len(server.asked) == 1


def test_no_bars_are_an_empty_table() -> None:
    with serving(answer({"bars": {}})) as server:
        found = AlpacaVenue(client_of(server.url)).bars(["A"], 5, T0, T0 + timedelta(hours=1))
    pd.testing.assert_frame_equal(found, bars_of({}))
