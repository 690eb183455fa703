"""The account whose balance picks the profile is the one that all of the user's settings name."""

from __future__ import annotations

import pytest

import commands.venue_choice as venue_choice
from commands.runs.request import RunArguments, resolved, settled
from config.errors import Refusal

URL = "http://127.0.0.1:8123"


@pytest.mark.parametrize("by", ["--set", "--config"])
def test_the_balance_is_asked_for_where_the_settings_say(monkeypatch, tmp_path, by):
    asked = []
    monkeypatch.setattr(venue_choice, "_balance", lambda settings: asked.append(settings.broker.kraken.url) or 50.0)
    own = tmp_path / "own.yaml"
    own.write_text(f"broker: {{kraken: {{url: '{URL}'}}}}\n", encoding="utf-8")
    settings = {"set_": [f"broker.kraken.url={URL}"]} if by == "--set" else {"config": [own]}
    found = resolved(RunArguments(mode="live", venue="kraken", **settings))
    assert asked == [URL]
    assert found.profile == "micro_cap"


def test_a_rehearsal_asks_nobody(monkeypatch):
    monkeypatch.setattr(venue_choice, "_balance", lambda settings: pytest.fail("asked"))
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
    monkeypatch.setattr(venue_choice, "_balance", lambda settings: 19.97)
    monkeypatch.setattr(venue_choice, "_holds", lambda settings: held)
    arguments = RunArguments(mode="live", venue="kraken")
    if not held:
        with pytest.raises(Refusal, match="below \\$20"):
            resolved(arguments)
        return
    assert resolved(arguments).profile == "micro_cap"
    assert "$19.97 are too little to enter anything" in capsys.readouterr().out
