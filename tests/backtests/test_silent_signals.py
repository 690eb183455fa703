"""A rule in YAML or an own signal that never fired is told at the end of a backtest, with what it read."""

from __future__ import annotations

import json

import pytest

from commands.app import main
from tests.own_parts import install

QUICK = ["backtest", "--engine", "replay", "--no-report", "--quiet", "--json", "--overwrite"]
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


@pytest.mark.parametrize("when", ["rsi_14 < 60", "close > previous(close)"])
def test_a_rule_that_fired_is_not_told_of_even_where_it_entered_nothing(notes, when):
    found = notes(
        "signals.enabled=[dip]",
        f"signals.rules.dip.when={when}",
        "selection.min_confidence=0.99",
        "selection.a_plus_score=99",
    )
    assert not told(found, "dip")


def test_a_signal_of_another_package_is_told_too(notes, tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "return silent")
    (note,) = told(notes("signals.enabled=[mine, momentum]"), "mine")
    assert note.startswith("mine fired on 0 of 43 bars; close was between ")


def test_one_that_gave_a_score_is_not(notes, tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, "return silent if market.row % 7 else np.full(len(market.symbols), 20.0)")
    assert not told(notes("signals.enabled=[mine]"), "mine")


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
