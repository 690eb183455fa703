"""Who votes for a symbol, who objects, and what of it is told."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backtests.reports.formatting import to_json
from config.errors import Refusal
from config.schema import Gate
from risk.brackets import FixedBracket
from risk.equity_sizer import SizingConfig
from strategies.ensemble import Ensemble, EnsembleConfig
from strategies.pipeline import Pipeline, Selection
from strategies.signals.base import Signal
from strategies.signals.mean_reversion import MeanReversion
from strategies.signals.momentum import Momentum
from strategies.signals.trend import Trend
from tests.risk.helpers import book, market, position

SYMBOLS = tuple("ABCDEF")
SELECTION = Selection(min_score=60, a_plus_score=70, watch_list=2, execute=1)
GATE = Gate(
    max_order_notional_frac=1,
    max_day_notional_frac=4,
    max_order_notional_usd=None,
    max_day_notional_usd=None,
    max_new_positions=100,
    max_open_positions=100,
    min_cash_frac=0,
    restricted=(),
    price_collar_frac=1,
)
nan = np.nan


class Stated(Signal):
    """Scores and opposes as given."""

    name = "stated"

    def __init__(self, against: str = "", **scores: float) -> None:
        super().__init__(self.Config())
        self.stated, self.against = scores, against

    def scores(self, market):
        return np.array([self.stated.get(s, nan) for s in market.symbols])

    def opposes(self, market):
        return np.array([s in self.against for s in market.symbols])

    def needs_to_oppose(self):
        return ("low_20",)

    def reason(self, market, symbol):
        return "stated"


class Other(Stated):
    name = "other"


class Third(Stated):
    name = "third"
    intraday_only = True


class Short(Stated):
    name = "short"
    side = "sell_short"


class ShortToo(Short):
    name = "short_too"


def snapshot(unusable=()):
    return market(
        dict.fromkeys(SYMBOLS, 100.0), {"atr_14": dict.fromkeys(SYMBOLS, 2.0)}, unusable=unusable
    )  # fmt: skip


def candidates(*signals, held=(), **config):
    on = snapshot()
    return Ensemble(signals, EnsembleConfig(**config), 60).candidates(on, on.values("usable"), held.__contains__)


def told(*signals, **config):
    """Symbol to speaker and refusal, in the order of the candidates."""
    return {c.symbol: (c.signal.name, c.refusal) for c in candidates(*signals, **config)}


def pipeline(*signals, gate=GATE, universe=SYMBOLS, **config):
    return Pipeline(
        signals=signals, chain=(), bracket=FixedBracket(FixedBracket.Config()), sizing=SizingConfig(),
        selection=SELECTION, gate=gate, universe=universe, ensemble=EnsembleConfig(**config),
    )  # fmt: skip


# --- the vote


def test_two_votes_make_a_quorum_of_two():
    found = told(Stated(A=80.0, B=90.0, C=65.0), Other(A=70.0, C=95.0), quorum=2)
    assert found == {
        "C": ("other", ""), "B": ("stated", "ENSEMBLE: 1 of 2 votes (stated 90)"), "A": ("stated", "")
    }  # fmt: skip


def test_the_best_score_speaks_and_every_vote_is_told():
    (found,) = candidates(Stated(A=80.0), Other(A=95.0), Third(B=30.0), quorum=2)
    assert (found.signal.name, found.score, dict(found.votes)) == ("other", 95.0, {"stated": 80.0, "other": 95.0})


@pytest.mark.parametrize(("least", "refused"), [(0, False), (40, False), (40.1, True), (60, True)])
def test_a_vote_counts_from_the_least_score_on(least, refused):
    (found,) = candidates(Stated(A=80.0), Other(A=40.0), quorum=2, min_vote_score=float(least))
    assert bool(found.refusal) is refused
    assert set(found.votes) == ({"stated"} if refused else {"stated", "other"})


def test_votes_alone_do_not_reach_the_threshold():
    assert told(Stated(A=59.0), Other(A=59.9), quorum=2) == {}


def test_a_least_score_above_the_threshold_is_a_vote_of_its_own():
    assert told(Stated(A=70.0, B=80.0), min_vote_score=75.0) == {
        "B": ("stated", ""), "A": ("stated", "ENSEMBLE: 0 of 1 votes (none)")
    }  # fmt: skip


def test_a_veto_blocks_whatever_the_votes():
    signals = (Stated(A=95.0, B=70.0), Other(A=90.0, against="AC"), Third(against="AB"))
    assert told(*signals, veto=("other",)) == {"A": ("stated", "ENSEMBLE: vetoed by other"), "B": ("stated", "")}
    assert told(*signals, veto=("third", "other"))["A"] == ("stated", "ENSEMBLE: vetoed by other, third")
    (first, _) = candidates(*signals, veto=("other",), quorum=2)
    assert (first.vetoes, set(first.votes)) == (("other",), {"stated", "other"})


def test_without_its_name_on_the_list_nobody_has_a_veto():
    assert told(Stated(A=95.0), Other(against="A"), quorum=1) == {"A": ("stated", "")}


def test_sides_vote_apart():
    signals = (Stated(A=70.0), Other(A=65.0), Short(A=99.0, B=80.0))
    # The short has the higher score and no quorum, so the longs speak.
    assert told(*signals, quorum=2) == {
        "B": ("short", "ENSEMBLE: 1 of 2 votes (short 80)"), "A": ("stated", "")
    }  # fmt: skip
    assert told(*signals)["A"] == ("short", "")
    assert told(*signals, Third(against="AB"), veto=("third",)) == {"A": ("short", ""), "B": ("short", "")}


def test_held_and_ineligible_symbols_are_left_out():
    assert [c.symbol for c in candidates(Stated(A=80.0, B=70.0), Other(A=80.0, B=70.0), held="A", quorum=2)] == ["B"]
    on = snapshot(unusable="B")
    ensemble = Ensemble([Stated(A=80.0, B=90.0)], EnsembleConfig(), 60)
    assert [c.symbol for c in ensemble.candidates(on, on.values("usable"), "".__contains__)] == ["A"]


SCORES = st.dictionaries(st.sampled_from(SYMBOLS), st.one_of(st.floats(0, 100), st.sampled_from([60.0, 70.0])))


@given(st.lists(SCORES, min_size=1, max_size=4), st.sets(st.sampled_from(SYMBOLS)), st.sets(st.sampled_from(SYMBOLS)))
def test_by_default_the_highest_score_speaks_and_nothing_is_voted_on(stated, held, unusable):
    signals = [kind(**scores) for kind, scores in zip((Stated, Other, Short, Third), stated, strict=False)]
    on = snapshot(unusable)
    ensemble = Ensemble(signals, EnsembleConfig(), 60)
    best: dict[str, tuple[float, Signal]] = {}
    for signal in signals:
        for symbol, score in signal.stated.items():
            free = symbol not in held and symbol not in unusable
            if score >= 60 and free and (symbol not in best or score > best[symbol][0]):
                best[symbol] = (score, signal)
    expected = sorted((-score, symbol, signal.name) for symbol, (score, signal) in best.items())
    found = ensemble.candidates(on, on.values("usable"), held.__contains__)
    assert [(-c.score, c.symbol, c.signal.name) for c in found] == expected
    assert all(ensemble.verdicts(c, 10) == () and not c.refusal for c in found)


@given(st.lists(SCORES, min_size=2, max_size=3), st.integers(1, 2), st.floats(0, 100), st.text("ABCDEF", max_size=3))
def test_a_vote_never_lets_more_through_than_none(stated, quorum, least, against):
    kinds = (Stated, Other, Third)
    signals = [kind(against if kind is Other else "", **scores) for kind, scores in zip(kinds, stated, strict=False)]
    free = {c.symbol: c for c in candidates(*signals)}
    voted = {c.symbol: c for c in candidates(*signals, quorum=quorum, min_vote_score=least, veto=("other",))}
    assert voted.keys() == free.keys()
    for symbol, found in voted.items():
        assert (found.score, found.signal) == (free[symbol].score, free[symbol].signal)
        assert dict(found.votes) == {s.name: s.stated[symbol] for s in signals if s.stated.get(symbol, -1) >= least}
        assert bool(found.refusal) is (len(found.votes) < quorum or symbol in against)


# --- in the pipeline


def test_the_vote_stands_first_in_the_record():
    plan = pipeline(Stated(A=80.0, B=90.0), Other(A=75.0, against="F"), quorum=2, veto=("other",)).decide(
        snapshot(), book()
    )
    refused, sent = plan.decisions
    vote = sent.verdicts[0]
    assert [v.module for v in sent.verdicts] == ["ensemble", "equity_sizer"]
    assert (vote.code, vote.before, vote.after) == ("OK", sent.verdicts[1].before, sent.verdicts[1].before)
    assert (sent.outcome, sent.proposed_quantity, sent.final_quantity) == ("sent", 100, 100)
    assert json.loads(to_json(vote.inputs)) == {"votes": {"stated": 80, "other": 75}, "quorum": 2, "vetoes": []}
    assert [(v.module, v.code) for v in refused.verdicts] == [("ensemble", "ENSEMBLE: 1 of 2 votes (stated 90)")]
    assert (refused.proposal.symbol, refused.outcome, refused.verdicts[0].inputs["votes"]) == (
        "B", "refused", {"stated": 90}
    )  # fmt: skip


def test_a_veto_is_in_the_record():
    plan = pipeline(Stated(A=80.0), Other(against="A"), veto=("other",)).decide(snapshot(), book())
    (refused,) = plan.decisions
    assert plan.entries == ()
    assert (refused.verdicts[-1].code, refused.verdicts[-1].inputs["vetoes"]) == (
        "ENSEMBLE: vetoed by other", ("other",)
    )  # fmt: skip


def test_what_the_vote_refused_takes_no_place_on_the_watch_list():
    first = dict.fromkeys("ABCDEF", 90.0)
    plan = pipeline(Stated(**first), Other(**dict.fromkeys("CDEF", 80.0)), quorum=2).decide(snapshot(), book())
    assert [p.symbol for p in plan.entries] == ["C"]
    assert [(p.rank, p.batch) for p in plan.entries] == [(1, 1)]
    last = {d.proposal.symbol: [v.code for v in d.verdicts] for d in plan.decisions}
    assert last["A"] == last["B"] == ["ENSEMBLE: 1 of 2 votes (stated 90)"]
    assert last["D"] == ["OK", "EXECUTE_LIMIT: 1 of 1 taken in this scan"]
    assert last["E"] == ["OK", "WATCH_LIST: place 3 of 2"]


def test_the_last_verdict_of_a_refusal_is_the_reason_for_it():
    gate = GATE.model_copy(update={"restricted": ("A",)})
    (refused,) = pipeline(Stated(A=80.0), Other(A=80.0), quorum=2, gate=gate).decide(snapshot(), book()).decisions
    assert [v.module for v in refused.verdicts] == ["ensemble", "policy_gate"]
    assert refused.outcome == "refused"
    quantities = [v.after for v in refused.verdicts]
    assert quantities == sorted(quantities, reverse=True)


def test_without_a_vote_the_record_is_as_ever():
    (sent,) = pipeline(Stated(A=80.0), Other(A=70.0)).decide(snapshot(), book()).decisions
    assert [v.module for v in sent.verdicts] == ["equity_sizer"]
    assert pipeline(Stated(A=80.0), quorum=1).decide(snapshot(), book(position("A", 1))).decisions == ()


def test_only_a_vetoing_signal_asks_for_what_it_objects_by():
    assert "low_20" not in pipeline(Stated(), Other()).needs()
    assert "low_20" in pipeline(Stated(), Other(), veto=("other",)).needs()


# --- settings that can't work


@pytest.mark.parametrize(
    ("signals", "config", "message"),
    [
        ((Stated(),), {"quorum": 2}, r"signals\.ensemble\.quorum: 2 votes can never come together, at most 1 .*stated"),
        ((Stated(), Short()), {"quorum": 2}, "at most 1"),
        ((Stated(),), {"veto": ("trend",)}, r"signals\.ensemble\.veto: trend is not among the signals that are on"),
        ((MeanReversion(MeanReversion.Config()),), {"veto": ("mean_reversion",)}, "mean_reversion never opposes"),
    ],
)
def test_what_can_never_work_is_refused(signals, config, message):
    with pytest.raises(Refusal, match=message):
        Ensemble(signals, EnsembleConfig(**config), 60)


@pytest.mark.parametrize("wrong", [{"quorum": 0}, {"min_vote_score": 101.0}, {"votes": 2}, {"quorum": "2"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        EnsembleConfig(**wrong)


def test_on_daily_bars_a_veto_goes_with_its_signal_and_a_quorum_must_still_be_possible():
    rules = pipeline(Stated(A=80.0), Other(A=80.0), Third(against="A"), quorum=2, veto=("third",))
    assert rules.decide(snapshot(), book()).entries == ()
    assert rules.keep_daily_signals() == ["third"]
    assert [p.symbol for p in rules.decide(snapshot(), book()).entries] == ["A"]
    with pytest.raises(Refusal, match="at most 1"):
        pipeline(Stated(), Third(), quorum=2).keep_daily_signals()


# --- what the built-in signals object to


def test_trend_opposes_averages_in_falling_order():
    signal = Trend(Trend.Config())
    on = market(dict.fromkeys("ABC", 1.0), {"bars_aligned_50_21_9": {"A": 7.0, "B": 0.0}})
    assert signal.needs_to_oppose() == ("bars_aligned_50_21_9",)
    assert signal.opposes(on).tolist() == [True, False, False]


@pytest.mark.parametrize(("low", "atr", "opposed"), [(101, 2, True), (100, 2, False), (99, 2, False), (101, 0, False)])
def test_momentum_opposes_a_breakdown(low, atr, opposed):
    signal = Momentum(Momentum.Config())
    on = market({"A": 100.0, "B": 100.0}, {"low_20": {"A": low}, "atr_14": {"A": atr, "B": 2.0}})
    assert set(signal.needs_to_oppose()) == {"low_20", "atr_14"}
    assert signal.opposes(on).tolist() == [opposed, False]


def test_a_breakdown_must_be_as_far_as_a_breakout():
    signal = Momentum(Momentum.Config(min_breakout_atr=0.5))
    on = market(dict.fromkeys("AB", 100.0), {"low_20": {"A": 101.0, "B": 101.01}, "atr_14": dict.fromkeys("AB", 2.0)})
    assert signal.opposes(on).tolist() == [False, True]


def test_a_signal_opposes_nothing_unless_it_says_so():
    signal = MeanReversion(MeanReversion.Config())
    assert signal.needs_to_oppose() == ()
    assert not signal.opposes(snapshot()).any()


def test_a_score_above_a_hundred_is_refused_by_the_signal_s_name():
    said = "signal stated: gives C a score of 250; give 50 where its condition is just met, and 100 at its strongest"
    rules = EnsembleConfig(quorum=1, veto=(), min_vote_score=50)
    on, everywhere = market(dict.fromkeys(SYMBOLS, 10.0)), np.ones(len(SYMBOLS), dtype=bool)
    just = Ensemble([Stated(A=99.0, B=100.0 + 1e-12)], rules, 60)
    assert [c.symbol for c in just.candidates(on, everywhere, lambda _: False)] == ["B", "A"]
    loud = Ensemble([Stated(A=80.0, C=250.0)], rules, 60)
    with pytest.raises(Refusal, match=said):
        loud.candidates(on, everywhere, lambda _: False)
