"""Symbols whose bars have no volume are told in a run's notes, with what the rules that read it do there."""

from __future__ import annotations

import json

import pytest

from backtests import embedded
from commands.app import main
from strategies.signals.momentum import Momentum

WINDOW = ["--start", "2020-03-02", "--end", "2020-04-30", "--benchmark", "NVDA", "--symbols", "AAPL,NVDA,META"]
QUICK = ["backtest", *WINDOW, "--engine", "replay", "--no-report", "--quiet", "--json", "--overwrite"]
NONE = ("AAPL", "NVDA", "META")
PROFILE = "risk.chain=[volume_profile]"


@pytest.fixture
def told(capsys, tmp_path):
    """The notes about volume of a short run on bars of which these symbols have none."""

    def run(*settings: str, without: tuple[str, ...] = NONE, share: float = 1.0) -> list[str]:
        bars = embedded.daily()
        lacking = bars["symbol"].isin(without) & (bars.groupby("symbol", observed=True).cumcount() % 100 < 100 * share)
        bars.assign(volume=bars["volume"].where(~lacking, 0)).to_parquet(tmp_path / "bars.parquet")
        chosen = [word for setting in settings for word in ("--set", setting)]
        argv = [*QUICK, "--data", str(tmp_path / "bars.parquet"), "--out", str(tmp_path / "run"), *chosen]
        assert main(argv) == 0
        return [note for note in json.loads(capsys.readouterr().out)["notes"] if "volume" in note]

    return run


def test_rules_that_let_everything_pass_are_named_with_the_symbols(told):
    assert told("signals.enabled=[momentum]", PROFILE) == [
        "129 of 129 bars of AAPL, META, NVDA have no volume; there momentum asks for no min_volume_ratio, "
        "volume_profile lets every entry pass"
    ]


def test_only_symbols_without_volume_are_named(told):
    (note,) = told("signals.enabled=[momentum]", without=("NVDA", "GOOG"))
    assert note == "43 of 43 bars of NVDA have no volume; there momentum asks for no min_volume_ratio"
    assert not told("signals.enabled=[momentum]", PROFILE, without=())
    # A single bar without a trade is no lack.
    assert not told("signals.enabled=[momentum]", PROFILE, share=0.05)


def test_a_rule_in_yaml_is_named_with_what_it_reads(told):
    rule = "signals.rules.dip={when: volume > mean_volume_20 and close > 0}"
    assert any(note.endswith("there dip reads volume and mean_volume_20 without one") for note in told(
        "signals.enabled=[dip]", "risk.chain=[]", rule
    ))  # fmt: skip


def test_vwap_keeps_everything_out(told):
    rule = "signals.rules.dip={when: close > vwap}"
    assert any(
        note.endswith("there dip reads vwap without one, nothing is entered, as vwap has no value")
        for note in told("signals.enabled=[dip]", "risk.chain=[]", rule)
    )


@pytest.mark.parametrize("settings", [("signals.enabled=[mean_reversion]", "risk.chain=[]"),
                                      ("signals.enabled=[momentum]", "risk.chain=[]",
                                       f"signals.modules.{Momentum.name}.min_volume_ratio=0")])  # fmt: skip
def test_nothing_is_told_where_no_rule_reads_volume(told, settings):
    assert not told(*settings)
