"""Each refusal is said in Kraken's words, where Kraken says it, and changes nothing."""

from __future__ import annotations

import pytest

from brokers.rehearsal.kraken.errors import KrakenError
from tests.brokers.rehearsal.kraken.refusals import ERRORS


@pytest.mark.parametrize("text", ERRORS)
def test_what_is_refused(text: str) -> None:
    account, ask = ERRORS[text]()
    cash, orders = account.cash, len(account.exchange.orders)
    with pytest.raises(KrakenError) as caught:
        ask()
    said = str(caught.value)
    assert said == text or said.startswith(f"{text}:"), said
    assert account.cash == cash
    if text != "EOrder:Rate limit exceeded":
        assert len(account.exchange.orders) == orders


def test_a_price_with_too_many_decimals_is_refused_by_name() -> None:
    _, ask = ERRORS["EOrder:Invalid price"]()
    with pytest.raises(KrakenError, match="XBT/USD price can only be specified up to 1 decimals"):
        ask()


def test_a_close_is_checked_like_any_price() -> None:
    account, _ = ERRORS["EOrder:Insufficient funds"]()
    close = {"ordertype": "stop-loss", "price": "88110.04"}
    with pytest.raises(KrakenError, match="Invalid price"):
        account.add("buy", "limit", price="89000", close=close)
    assert account.exchange.orders == {}
