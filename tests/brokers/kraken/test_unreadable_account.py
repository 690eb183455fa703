"""A price or a figure that cannot be read makes equity unknown, not smaller."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.kraken import account_view
from brokers.venue_errors import AccountUnreadable
from tests.brokers.kraken.scripted import scripted

BTC = "BTC/USD"
BALANCES = {"ZUSD": {"balance": "800", "hold_trade": "0"}, "XXBT": {"balance": "0.002", "hold_trade": "0"}}
SOUND = {"a": ["100000.1"], "b": ["100000.0"], "c": ["99990.0", "0.1"]}


def venue_of(folder, ticker: dict[str, Any] | None, balances: dict[str, Any] = BALANCES):
    answer = {} if ticker is None else {"XXBTZUSD": ticker}
    return scripted(folder, {"BalanceEx": balances, "Ticker": answer})


def test_a_sound_ticker_values_the_coin_at_its_bid(tmp_path):
    account = venue_of(tmp_path, SOUND)[0].account()
    assert (account.equity, account.cash) == (1_000, 800)


@pytest.mark.parametrize(
    "prices",
    [{"a": ["99999.9"]}, {"a": ["0"]}, {"b": ["0"]}, {"b": ["x"]}, {"a": []}],
    ids=["crossed", "no asks", "no bids", "bid is no number", "ask is missing"],
)
def test_a_ticker_that_cannot_be_right_values_it_at_the_last_price(tmp_path, prices):
    account = venue_of(tmp_path, {**SOUND, **prices})[0].account()
    assert account.equity == Decimal("800") + Decimal("0.002") * Decimal("99990.0")


@pytest.mark.parametrize("ticker", [None, {"a": ["1"], "b": ["2"]}, {"a": ["0"], "b": ["0"], "c": ["x"]}])
def test_without_any_price_the_account_is_unknown_and_the_position_is_there(tmp_path, ticker):
    venue, _, _ = venue_of(tmp_path, ticker)
    with pytest.raises(AccountUnreadable, match="BTC/USD has no price"):
        venue.account()
    assert venue.positions().by_symbol[BTC].quantity == Decimal("0.002")


def test_the_ticker_of_an_earlier_answer_is_no_price_for_ever(tmp_path, monkeypatch):
    venue, rest, _ = venue_of(tmp_path, SOUND)
    assert venue.account().equity == 1_000
    rest.answers["Ticker"] = {}
    monkeypatch.setattr(account_view, "OLDEST_PRICE", timedelta(0))
    with pytest.raises(AccountUnreadable):
        venue.account()


@pytest.mark.parametrize("row", [{"balance": "x"}, {"hold_trade": "0"}, {"balance": "", "hold_trade": "0"}, None])
def test_a_balance_that_cannot_be_read_makes_the_account_unknown(tmp_path, row):
    with pytest.raises(AccountUnreadable, match="balance"):
        venue_of(tmp_path, SOUND, {**BALANCES, "XETH": row})[0].account()


def test_a_trace_of_a_coin_without_a_price_changes_nothing(tmp_path):
    trace = {**BALANCES, "XXDG": {"balance": "0.39", "hold_trade": "0"}}
    assert venue_of(tmp_path, SOUND, trace)[0].account().equity == 1_000
    with pytest.raises(AccountUnreadable, match="DOGE/USD"):
        venue_of(tmp_path, SOUND, {**trace, "XXDG": {"balance": "40", "hold_trade": "0"}})[0].account()


def test_a_mode_that_kraken_does_not_tell_lets_nothing_be_opened(tmp_path):
    venue, rest, _ = venue_of(tmp_path, SOUND)
    assert not venue.account().blocked
    rest.answers["SystemStatus"] = {}
    assert venue.account().blocked == "Kraken is in an unknown mode"
