"""The account whose balance picks the profile is the one that all of the user's settings name."""

from __future__ import annotations

from dataclasses import replace

import pytest

import commands.venue_choice as venue_choice
from commands.runs.request import RunArguments, resolved, settled
from commands.venue_choice import Funds
from config.errors import NoAnswer, Refusal, exit_status

URL = "http://127.0.0.1:8123"


@pytest.mark.parametrize("by", ["--set", "--config"])
def test_the_balance_is_asked_for_where_the_settings_say(monkeypatch, tmp_path, by):
    asked = []

    def funds(settings):
        asked.append(settings.broker.kraken.url)
        return Funds(50.0, 50.0)

    monkeypatch.setattr(venue_choice, "_funds", funds)
    own = tmp_path / "own.yaml"
    own.write_text(f"broker: {{kraken: {{url: '{URL}'}}}}\n", encoding="utf-8")
    settings = {"set_": [f"broker.kraken.url={URL}"]} if by == "--set" else {"config": [own]}
    found = resolved(RunArguments(mode="live", venue="kraken", **settings))
    assert asked == [URL]
    assert found.profile == "micro_cap"


def test_a_rehearsal_asks_nobody(monkeypatch):
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: pytest.fail("asked"))
    assert resolved(RunArguments(mode="rehearse", venue="kraken", budget=600.0)).profile == "standard"


def test_an_address_given_as_an_argument_counts_when_the_settings_are_judged(monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY", "PKTEST")
    monkeypatch.setenv("ALPACA_API_SECRET", "secret")
    arguments = RunArguments(mode="paper", alpaca_url="http://127.0.0.1:8123", set_=["pace.speed=30"])
    mode, settings = settled(arguments)
    assert (mode, settings.pace.speed) == ("paper", 30)


@pytest.mark.parametrize("held", [True, False])
def test_what_is_held_is_looked_after_below_the_smallest_profile(monkeypatch, capsys, held):
    """A position whose loss takes the account below the bound, and a process that is started again."""
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: Funds(19.97, 5.0, coins=held))
    arguments = RunArguments(mode="live", venue="kraken")
    if not held:
        with pytest.raises(Refusal, match="below \\$20"):
            resolved(arguments)
        return
    assert resolved(arguments).profile == "micro_cap"
    assert "$19.97 are too little to enter anything" in capsys.readouterr().out


@pytest.mark.parametrize(("equity", "cash"), [(0.0, 0.0), (108.0, 0.0)])
def test_money_that_is_not_usd_is_named_and_refused_where_no_coin_is_held(monkeypatch, capsys, equity, cash):
    funds = Funds(equity, cash, foreign=("100 EUR",))
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: funds)
    arguments = RunArguments(mode="live", venue="kraken")
    with pytest.raises(Refusal, match=r"the account holds 100 EUR and \$0.00; only USD is traded"):
        resolved(arguments)
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: replace(funds, coins=True))
    assert resolved(arguments).profile in ("micro_cap", "low_capital")


def test_pairs_against_other_money_are_refused_by_name():
    with pytest.raises(Refusal, match="BTC/EUR: only pairs against USD are traded at Kraken; write BTC/USD"):
        settled(RunArguments(mode="rehearse", venue="kraken", budget=50.0, symbols="BTC/EUR,ETH/USD"))
    with pytest.raises(Refusal, match="EUR/USD: what the account has in other money is no position at Kraken"):
        settled(RunArguments(mode="rehearse", venue="kraken", budget=50.0, symbols="EUR/USD,ETH/USD"))


def test_what_suits_the_profile_that_the_balance_picks_is_not_judged_by_another(monkeypatch):
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: Funds(500.0, 500.0))
    monkeypatch.setenv("KRAKEN_API_KEY", "key")
    monkeypatch.setenv("KRAKEN_API_SECRET", "c2VjcmV0")
    chosen = RunArguments(mode="live", venue="kraken", set_=["sizing.notional_usd=25"])
    assert resolved(chosen).profile == "standard"
    assert settled(chosen)[1].sizing.notional_usd == 25
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: Funds(50.0, 50.0))
    with pytest.raises(Refusal, match="max_order_notional_usd"):
        settled(chosen)


def test_an_account_that_cannot_be_valued_is_looked_after(monkeypatch, capsys):
    unreadable = "the account cannot be read: BTC/USD has no price, Kraken no longer lists it"
    monkeypatch.setattr(venue_choice, "_funds", lambda settings: Funds(0.0, 0.0, coins=True, unreadable=unreadable))
    assert resolved(RunArguments(mode="live", venue="kraken")).profile == "micro_cap"
    assert "Kraken no longer lists it; nothing is entered" in capsys.readouterr().out


def test_a_venue_that_does_not_answer_is_a_failure_and_no_refusal(capsys):
    def run():
        raise NoAnswer("http://127.0.0.1:9: the venue does not answer")

    assert exit_status(run) == 1
    assert capsys.readouterr().err == "http://127.0.0.1:9: the venue does not answer\n"


def test_an_address_of_the_right_venue_is_asked_for():
    with pytest.raises(Refusal, match=r"give its address with broker\.kraken\.url"):
        settled(RunArguments(mode="rehearse", venue="kraken", budget=50.0, set_=["pace.speed=10"]))
