"""A signal that never fired, or never with a score that is enough, is told at the end of a backtest."""

from __future__ import annotations

import json
import re

import pytest

from commands.app import main
from tests.own_parts import install

QUICK = ["backtest", "--engine", "replay", "--no-report", "--quiet", "--json", "--overwrite"]
NEEDED = "selection.min_confidence"
WINDOW = ["--start", "2020-03-02", "--end", "2020-04-30"]


@pytest.fixture
def notes(capsys, tmp_path):
    """The notes of a short run with these settings."""

    def run(*settings: str, engine: str = "replay") -> list[str]:
        chosen = [word for setting in settings for word in ("--set", setting)]
        assert main([*QUICK, *WINDOW, "--engine", engine, "--out", str(tmp_path / "run"), *chosen]) == 0
        return json.loads(capsys.readouterr().out)["notes"]

    return run


def told(notes: list[str], name: str) -> list[str]:
    return [note for note in notes if note.startswith(f"{name} ")]


@pytest.mark.parametrize("engine", ["replay", "lumibot"])
def test_a_rule_whose_unit_cannot_work_is_told_with_what_it_read(notes, engine):
    rule = "signals.rules.dip.when=rsi_14 < 0.3 and previous(rsi_14) > 0 and 5 > 3"
    (note,) = told(notes("signals.enabled=[dip]", rule, engine=engine), "dip")
    begin, _, end = note.partition("; rsi_14 was between ")
    assert begin == "dip fired on 0 of 43 bars"
    low, high = map(float, end.split(" and "))
    assert 0.3 < low < 30 < 50 < high < 100


HARD = ["selection.min_confidence=0.9", "selection.a_plus_score=95"]


@pytest.mark.parametrize("when", ["rsi_14 < 60", "close > previous(close)"])
def test_a_rule_whose_score_is_enough_is_not_told_of_even_where_it_entered_nothing(notes, when):
    rule = f"signals.rules.dip={{when: {when}, score: 90}}"
    assert not told(notes("signals.enabled=[dip]", rule, *HARD, "sizing.max_notional_frac=0.000001"), "dip")


@pytest.mark.parametrize(
    ("score", "most", "end"),
    [
        ("rsi_14", "50", r"; rsi_14 was \d\d\.\d* at most, and a rule's score is held at 50 or more"),
        ("85", "85", ""),
        ("100 - rsi_14 / 2", r"\d\d\.?\d*", ""),
    ],
)
def test_a_rule_whose_score_is_never_enough_is_told(notes, score, most, end):
    rule = f"signals.rules.dip={{when: 25 < rsi_14 < 49, score: {score}}}"
    (note,) = told(notes("signals.enabled=[dip]", rule, *HARD), "dip")
    text = rf"dip fired on \d+ of 43 bars, but its score was {most} at most, and an entry needs 90 \({NEEDED}\){end}"
    assert re.fullmatch(text, note)


def test_a_rule_whose_score_has_no_value_is_told(notes):
    rule = "signals.rules.dip={when: rsi_14 < 60, score: 50 / (close - close)}"
    (note,) = told(notes("signals.enabled=[dip]", rule), "dip")
    assert note.endswith(" of 43 bars, but its score, 50 / (close - close), had no value at any of them")


def test_a_signal_of_this_package_whose_score_is_never_enough_is_told(notes):
    settings = ("signals.enabled=[mean_reversion]", "signals.modules.mean_reversion.oversold_rsi=49", *HARD)
    (note,) = told(notes(*settings, "signals.modules.mean_reversion.full_score_rsi=0.1"), "mean_reversion")
    assert re.fullmatch(rf"mean_reversion fired, but .* at most, and an entry needs 90 \({NEEDED}\)", note)


def test_what_is_strong_enough_for_a_vote_has_an_effect(notes):
    rules = [f"signals.rules.{name}={{when: rsi_14 < 60, score: 70}}" for name in ("dip", "low")]
    vote = ["signals.ensemble.quorum=2", "signals.ensemble.min_vote_score=65"]
    found = notes("signals.enabled=[dip, low]", *rules, *vote, *HARD)
    assert not told(found, "dip") and not told(found, "low")


def test_a_signal_of_another_package_is_told_too(notes, tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "return silent")
    (note,) = told(notes("signals.enabled=[mine, momentum]"), "mine")
    assert note.startswith("mine fired on 0 of 43 bars; close was between ")


def test_one_whose_scores_are_too_low_is_told_of_that(notes, tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "return silent if market.row % 7 else np.full(len(market.symbols), 20.0)")
    assert told(notes("signals.enabled=[mine]"), "mine") == [
        f"mine fired, but its score was 20 at most, and an entry needs 60 ({NEEDED})"
    ]
    assert not told(notes("signals.enabled=[mine]", "selection.min_confidence=0.2"), "mine")


def test_a_stop_below_zero_of_every_symbol_is_told(notes):
    found = notes("signals.enabled=[dip]", "signals.rules.dip={when: rsi_14 < 60, stop_atr: 1000}", "exits.model=atr")
    assert found and told(found, "dip") == [
        "dip enters nothing: its stop of 1000 ATR lies below zero for every symbol; lower its stop_atr"
    ]


AT_R = "risk.modules.partial_profit.at_r"


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        (["exits.model=atr", "exits.models.atr.target_by=r"], "2 R"),
        (["exits.models.fixed.target_frac=0.1"], "2 R"),
        (["exits.model=atr", "exits.models.atr.target_atr=3"], "2 R"),
        (["exits.model=adaptive_atr", f"{AT_R}=2.5"], "2.5 R"),
        (["exits.model=atr", "exits.models.atr.target_by=r", f"{AT_R}=1.5"], ""),
        (["exits.models.fixed.target_frac=0.15"], ""),
        (["exits.model=adaptive_atr"], ""),
    ],
)
def test_a_partial_profit_at_or_beyond_the_target_is_told_at_the_start(notes, settings, target):
    found = notes("risk.chain+=partial_profit", *settings)
    said = [note for note in found if f"{AT_R} " in note]
    assert len(said) == bool(target)
    if target:
        assert f"sells no part of any entry, as the target rests at {target} and closes the position before" in said[0]
