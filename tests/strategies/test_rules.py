"""Signals written in YAML: the grammar, the indicators by name, and the look-ahead check at load."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from config import Refusal, load
from market.bars import FIELDS
from market.feature_registry import forms
from market.features import FeatureTable
from market.indicator_library import Indicator, indicator, known, made_up
from strategies.expressions import PAGE, parsed
from strategies.registry import build_pipeline, build_signals
from strategies.signals.rule import RuleConfig, rule_signal
from tests.brokers.harness import daily_table
from tests.risk.helpers import market

NAN = float("nan")
ON = market(
    {"A": [10.0, 12.0], "B": [10.0, 8.0], "C": [10.0, 10.0]},
    {"rsi_14": {"A": 25.0, "B": 35.0}, "ema_9": {"A": 11.0, "B": 9.0, "C": 10.0}},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rsi_14 < 30", [True, False, False]),
        ("not rsi_14 < 30", [False, True, True]),
        ("close > previous(close)", [True, False, False]),
        ("rsi_14 < 30 and close > ema_9", [True, False, False]),
        ("20 < rsi_14 <= 35", [True, True, False]),
        ("rsi_14 < 30 or (close < ema_9 and volume > 0)", [True, True, False]),
        ("close / ema_9 - 1 > 0.05", [True, False, False]),
        ("close / (volume - 1) > 0", [False, False, False]),  # nothing is divided by zero
        ("50 + (30 - rsi_14) * 2", [60, 40, NAN]),
        ("-close", [-12, -8, -10]),
    ],
)  # fmt: skip
def test_the_grammar(text, value):
    np.testing.assert_array_equal(np.asarray(parsed(text).of(ON), float), value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("__import__('os').system('true')", "is not understood"),
        ("close.__class__ > 1", "there is no price, feature or indicator of that name; did you mean close?"),
        ("close ** 9999 > 1", "is not understood"),
        ("(lambda: 1)() > 0", "is not understood"),
        ("[c for c in close] > 1", "is not understood"),
        ("close > 'x'", "is not understood"),
        ("close == 3", "is not understood"),
        ("close and volume", "is a number where a condition belongs"),
        ("(close > 1) + 1 > 2", "is a condition where a number belongs"),
        ("close >", "cannot be read"),
        ("volum > 1", "did you mean volume?"),
        ("clos > 1", "clos: there is no price, feature or indicator of that name; did you mean close?"),
        ("clos_3 > 1", r"did you mean close\? All names are in docs/writing-a-signal.md"),
        ("smaa_20 > 1", "did you mean sma_20?"),
        ("rsii_14 > 1", "did you mean rsi_14?"),
        ("close > sma200", "sma200: there is no price, .* did you mean sma_200?"),
        ("rsi14 < 30", "did you mean rsi_14?"),
        ("rsii14 < 30", "did you mean rsi_14?"),
        ("macd12_26_9 > 1", "did you mean macd_12_26_9?"),
        ("session_bar3 > 1", "did you mean session_bar?"),
        ("Close > 1", "did you mean close?"),
        ("sesion_bar > 1", "did you mean session_bar?"),
        ("session_bar_3 > 1", "did you mean session_bar?"),
        ("banana > 1", "of that name; all names are in docs/writing-a-signal.md"),
        ("sma_20_20_20_20_20 > 1", "takes fewer numbers"),
        ("previous(close + 1) > 1", "previous takes the name of one feature"),
        ("close > 1 and " * 60 + "close > 1", "longer than 500 characters"),
        ("RSI_14 < 30 AND close > SMA_50", "cannot be read: AND is not understood; write and"),
        ("close > 1 OR close < 3", "cannot be read: OR is not understood; write or"),
        ("rsi_14 < 30%", "cannot be read: 30% is not understood; write the number as the reading has it"),
        ("close = 5", "cannot be read: = is not understood; compare with <, <=, > or >="),
        ("rsi_14.5 < 30", "cannot be read: rsi_14.5 is not understood; the numbers of a feature are whole"),
        ("ema_9 crosses ema_21", "cannot be read: crosses is not understood"),
        ("close > 1 && close < 3", "cannot be read: & is not understood; write and"),
        ("close > 1 and\nvolume = 3", "cannot be read: = is not understood"),
        ("close > 1 and", "something is missing at its end"),
        ("(close > 1", r"'\(' was never closed"),
        ("sma_-5 > 1", "sma_: a whole number from 1 up follows without a sign"),
        ("sma_0 > 1", "sma_0: 0 is no length of sma; write a number from 1 up"),
        ("bbands_0_2.bbl > 1", "0 is no length of bbands"),
        ("high_0 > 1", "high_0: 0 is no number of bars"),
        ("sma_100000 > 1", "sma_100000: 100,000 is too many; all numbers of a name together are 2,000 bars at most"),
        ("rsi_100000000 > 1", "100,000,000 is too many"),
        ("macd_6000_5000_9.macd > 1", "11,009 is too many"),
        ("sma_" + "9" * 400 + " > 1", "sma_9.*999999999999… is too many"),
    ],
)
def test_everything_else_is_refused(text, told):
    with pytest.raises(Refusal, match=told):
        parsed(text)


def test_all_names_are_on_the_page_that_the_refusal_names():
    text = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")
    told = text.partition("### All names")[2].partition("## A class")[0]
    own, _, library = told.partition("Indicators of pandas-ta-classic")
    assert set(re.findall(r"`([^`]+)`", own)) - {"<…>"} == {*FIELDS, *forms().values()}
    assert re.split(r",\s+", library.partition(":")[2].strip(" .\n")) == known()


def test_a_zero_that_is_no_period_is_taken():
    """Of what the library takes for a default of its own, 0 is one for the degrees of freedom."""
    assert indicator("bbands_20_2_0.bbl").numbers == (20, 2, 0)


def test_an_indicator_of_many_bars_is_refused_before_it_is_computed_or_tried_on_few(monkeypatch):
    """One that goes through its whole window at every bar would take half a minute at load."""
    tried, values = [], Indicator.values

    def counted(self, frame):
        tried.append(len(frame))
        return values(self, frame)

    monkeypatch.setattr(Indicator, "values", counted)
    with pytest.raises(Refusal, match="linreg_10000: 10,000 is too many; all numbers of a name together"):
        parsed("linreg_10000 > close")
    with pytest.raises(Refusal, match="linreg_2001: 2,001 is too many"):
        indicator("linreg_2001")
    assert tried == []
    assert parsed("linreg_1777 > close").condition
    assert max(tried) < 1.4 * 1777
    # Three averages of each other have no value yet in so few bars.
    tried.clear()
    assert parsed("tema_1777 > close").condition
    assert max(tried) > 3 * 1777


@pytest.mark.parametrize("name", ["dpo_20", "ichimoku_9_26_52.ics"])
def test_an_indicator_that_looks_ahead_is_refused_by_name(name):
    with pytest.raises(Refusal, match=f"{name}: looks ahead"):
        indicator(name)


class Leaks(Indicator):
    def values(self, frame):
        return frame["close"].rolling(5, center=True).mean().to_numpy()


def test_a_planted_leak_is_found(monkeypatch):
    monkeypatch.setattr("market.indicator_library.Indicator", Leaks)
    indicator.cache_clear()
    with pytest.raises(Refusal, match="sma_7: looks ahead"):
        indicator("sma_7")
    indicator.cache_clear()


@pytest.mark.parametrize(
    "name", [
        "sma_20", "macd_12_26_9.macds", "bbands_20.bbl", "willr_14", "stoch_14_3_3.stochk", "obv",
        "supertrend_7.supertd",
    ],
)  # fmt: skip
def test_an_indicator_says_the_same_of_a_bar_whatever_comes_after_it(name):
    frame, found = made_up(200), indicator(name)
    whole = found.values(frame)
    assert np.isfinite(whole[-50:]).all()
    for rows in (120, 150, 199):
        np.testing.assert_allclose(found.values(frame.head(rows)), whole[:rows], rtol=1e-9)


def test_a_column_has_to_be_named_where_there_are_several():
    with pytest.raises(Refusal, match=r"name one of macd_12_26_9.macd, macd_12_26_9.macdh, macd_12_26_9.macds"):
        indicator("macd_12_26_9")


def test_a_feature_of_the_library_is_computed_over_a_symbol_s_own_bars():
    bars = [(100.0 + n, 101.0 + n, 99.0 + n, 100.0 + n) for n in range(10)]
    table = daily_table(A=bars, B=[None, *bars[:4], None, *bars[4:8]])
    columns = FeatureTable(table, ["ta.sma_3"], {}).columns
    np.testing.assert_allclose(columns["ta.sma_3"][:, 0], [NAN, NAN, *range(101, 109)])
    np.testing.assert_allclose(columns["ta.sma_3"][:, 1], [NAN, NAN, NAN, 101, 102, NAN, 103, 104, 105, 106])
    assert columns["usable"][0].tolist() == [True, False], "a value that is not there yet makes no symbol unusable"


def test_a_rule_scores_between_just_met_and_strongest():
    rule = rule_signal("dip", RuleConfig(when="close > 5", score="rsi_14 * 2"))
    scores = rule.scores(ON)
    np.testing.assert_array_equal(scores, [50, 70, NAN])
    assert rule.reason(ON, "A") == "close > 5 (close 12, rsi_14 25)"
    assert (rule.name, rule.side, rule.config.stop_atr) == ("dip", "buy", 2.5)


RULE = {"signals.rules": {"dip": {"when": "rsi_14 < 30 and close > sma_50", "score": "50 + (30 - rsi_14) * 2.5"}}}


def test_a_rule_is_a_signal_like_any_other():
    settings = load(overrides=RULE | {"signals.enabled+": "dip"})
    assert [s.name for s in build_signals(settings)] == ["mean_reversion", "dip"]
    assert {"rsi_14", "ta.sma_50"} <= set(build_pipeline(settings).needs())


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"when": "dpo_20 > 0"}, "--set: signals.rules.dip.when: dpo_20: looks ahead"),
        ({"when": "close + 1"}, "--set: signals.rules.dip.when: close + 1 is a number; write a condition"),
        ({"when": "close > 1", "score": "close > 2"}, "--set: signals.rules.dip.score: close > 2 is a condition"),
        (
            {"when": "close > 1", "score": 0.7},
            "--set: signals.rules.dip.score: 0.7 is not between 50, a condition that is just met, and 100, its "
            "strongest reading; write e.g. 70",
        ),
        ({"when": "close > 1", "score": "-2 * 20"}, "dip.score: -40 is not between 50"),
        ({"when": "close > 1", "score": 49.9}, "dip.score: 49.9 is not between 50"),
        ({"when": "close > 1", "score": 101}, "dip.score: 101 is not between 50"),
        ({"when": "close > 1", "score": "1 / 0"}, "dip.score: nan is not between 50"),
        ({"when": "close > 1", "scor": 3}, "signals.rules.dip.scor is not a setting; did you mean"),
        ({"score": 70.0}, "signals.rules.dip.when is missing"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_at_load(section, told):
    with pytest.raises(Refusal) as refused:
        build_signals(load(overrides={"signals.rules": {"dip": section}}))
    assert told in str(refused.value)


def test_a_rule_cannot_take_a_signal_s_name():
    with pytest.raises(Refusal, match="a signal has that name already"):
        build_signals(load(overrides={"signals.rules": {"momentum": {"when": "close > 1"}}}))
