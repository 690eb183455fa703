"""Lists edited by name, and settings that change nothing told by name."""

from __future__ import annotations

import pytest

from config import Refusal, load
from strategies.idle_settings import settings_without_effect, told_of_idle_cap

BASE = load().risk.chain


def test_a_rule_is_added_before_the_cash_buffer_and_taken_out():
    settings = load(overrides=["risk.chain+=trailing_stop", "risk.chain-=recent_form"])
    chain = [name for name in BASE if name != "recent_form"]
    chain.insert(chain.index("cash_buffer"), "trailing_stop")
    assert list(settings.risk.chain) == chain
    assert settings.source_of("risk.chain") == "--set"


def test_several_at_once_and_from_a_file(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "risk: {chain+: [trailing_stop, partial_profit]}\nsignals: {enabled+: momentum}\n", encoding="utf-8"
    )
    settings = load(files=[mine], overrides={"risk.chain-": "rebalancer"})
    assert set(settings.risk.chain) == {*BASE, "trailing_stop", "partial_profit"} - {"rebalancer"}
    assert settings.signals.enabled == ("mean_reversion", "momentum")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("risk.chain+=sector_cap", "--set: risk.chain+= sector_cap: it is there already"),
        ("risk.chain-=stale_exit", "--set: risk.chain-= stale_exit: it is not there; known here: "),
        ("risk.chain-=sector_cpa", "did you mean sector_cap?"),
        ("sizing.lot+=1", "--set: sizing.lot+= edits no list; known here: "),
    ],
)
def test_an_edit_that_changes_nothing_is_refused(edit, told):
    with pytest.raises(Refusal) as refused:
        load(overrides=[edit])
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([], []),
        (["risk.modules.sector_cap.max_positions=2"], []),
        (
            ["risk.modules.trailing_stop.arm_r=2.0"],
            ["--set: risk.modules.trailing_stop.arm_r changes nothing, as trailing_stop does not run; "
             "risk.chain+=trailing_stop runs it"],
        ),
        (["risk.modules.trailing_stop.arm_r=2.0", "risk.chain+=trailing_stop"], []),
        (
            ["exits.models.atr.target_r=3.0"],
            ["--set: exits.models.atr.target_r changes nothing, as atr does not run; exits.model=atr chooses it"],
        ),
        (
            ["signals.modules.mean_reversion.stop_atr=3.0"],
            ["--set: signals.modules.mean_reversion.stop_atr changes nothing, as exits.model fixed sets the stops; "
             "exits.model=atr takes each signal's own"],
        ),
        (["signals.modules.mean_reversion.stop_atr=3.0", "exits.model=atr"], []),
        (
            ["exits.model=atr", "exits.models.atr.target_atr=3.0", "exits.models.atr.target_by=r"],
            ["--set: exits.models.atr.target_atr changes nothing, as targets are measured by r; "
             "exits.models.atr.target_by=atr takes it"],
        ),
        (
            ["risk.chain-=sector_cap"],
            ["--set: risk.chain leaves out sector_cap, which the profile runs; risk.chain+=NAME runs one again"],
        ),
        (["risk.chain+=trailing_stop"], []),
        (
            ["signals.modules.vwap.stop_atr=3.0"],
            ["--set: signals.modules.vwap.stop_atr changes nothing, as vwap does not run; "
             "signals.enabled+=vwap switches it on"],
        ),
        (
            ["risk.chain=[allocation, cash_buffer]"],
            ["--set: risk.chain leaves out drawdown_halt, peak_halt, streak_halt, recent_form, sector_cap, "
             "correlation_cap, exposure_budget, rebalancer, inverse_hedge, which the profile runs; "
             "risk.chain+=NAME runs one again"],
        ),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_told_by_name(overrides, told):
    assert list(settings_without_effect(load(overrides=overrides))) == told


def test_the_rules_that_are_left_out_are_those_of_the_profile():
    """The chain of intraday is not that of the base."""
    (told,) = settings_without_effect(load("intraday", overrides=["risk.chain-=trend_confirmation"]))
    assert told.startswith("--set: risk.chain leaves out trend_confirmation, which the profile runs")
    assert settings_without_effect(load("intraday", overrides=["risk.chain+=inverse_hedge"])) == ()


def test_a_rule_of_one_s_own_is_told_that_its_stop_is_not_read(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("signals:\n  rules:\n    dip: {when: rsi_14 < 30, stop_atr: 2.0}\n  enabled: [dip]\n")
    (told,) = settings_without_effect(load(files=[mine]))
    assert told.startswith(f"{mine}: signals.rules.dip.stop_atr changes nothing, as exits.model fixed sets the stops")
    assert settings_without_effect(load(files=[mine], overrides=["exits.model=atr"])) == ()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([], ""),
        (["universe.symbols=[AAPL]", "account.budget_usd=5000"], ""),
        (["sizing.max_notional_frac=0.1", "sizing.risk_frac=0.02"], ""),
        (["sizing.risk_frac=0.002"], "; said of the profile as it ships, and set otherwise here: sizing.risk_frac"),
        (
            ["sizing.risk_frac=0.002", "exits.model=atr", "signals.enabled=[trend]", "risk.chain-=sector_cap"],
            "set otherwise here: sizing.risk_frac, exits.model, signals.enabled and 1 more",
        ),
        (["sizing.risk_frac=0.002", "evidence={verdict: not tested, sentence: mine}"], "NOT TESTED FOR AN EDGE; mine"),
    ],
)
def test_what_is_known_of_a_profile_is_told_as_that_of_other_settings(overrides, told):
    said = load(overrides=overrides).told_evidence("active")
    assert said.endswith(told or "see docs/research.md")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([], None),
        (["sizing.risk_frac=0.004"], None),
        (
            ["sizing.risk_frac=0.01"],
            "--set: sizing.risk_frac sets no entry's size, as what sizing.max_notional_frac 0.1 allows loses at most "
            "0.005 of equity at a stop of 0.05, less than sizing.risk_frac 0.01",
        ),
        (
            ["sizing.max_notional_frac=0.09", "sizing.risk_frac=0.004"],
            "--set: sizing.max_notional_frac sets no entry's size, as what sizing.risk_frac 0.004 allows at a stop of "
            "0.05 is at most 0.08 of equity, less than sizing.max_notional_frac 0.09",
        ),
        (["sizing.risk_frac=0.01", "exits.models.fixed.min_stop_atr=1"], None),
        (["sizing.risk_frac=0.01", "exits.model=atr"], None),
    ],
)  # fmt: skip
def test_a_cap_of_the_sizer_that_no_stop_lets_bind_is_told_where_it_was_chosen(overrides, told):
    assert settings_without_effect(load(overrides=overrides)) == (() if told is None else (told,))


def test_a_report_tells_the_idle_cap_of_the_defaults_too():
    (told,) = told_of_idle_cap(load())
    assert "sizing.risk_frac sets no entry's size" in told


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["gate.restricted=[NVDIA, BRK-B, nvda]"],
            ["--set: gate.restricted names NVDIA, which is not traded here; did you mean NVDA?"],
        ),
        (
            ["universe.sectors.TSLAA=autos"],
            ["--set: universe.sectors names TSLAA, which is not traded here; did you mean TSLA?"],
        ),
        (["gate.restricted=[GME]", "universe.sectors.GME=retail"], []),
    ],
)
def test_a_symbol_that_is_likely_misspelt_is_told(overrides, told):
    settings = load(overrides=["universe.symbols=[NVDA, TSLA]", *overrides])
    assert [note for note in settings_without_effect(settings) if "did you mean" in note] == told
