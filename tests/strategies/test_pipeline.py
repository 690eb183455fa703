"""From snapshot and book to plan: who is looked at, who is taken, in which order, and what counts against whom."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import Refusal
from config.schema import Gate
from config.values.markets import NEW_YORK_ZONE
from risk.brackets import AtrBracket, FixedBracket
from risk.cash_buffer import CashBuffer
from risk.equity_sizer import SizingConfig
from risk.interface import RiskModule
from risk.inverse_hedge import InverseHedge
from risk.model import Adjustment, Barred, Proposal
from risk.sector_cap import SectorCap
from strategies.pipeline import Pipeline, Selection, strictest
from strategies.registry import RISK_MODULES
from strategies.signals.base import Signal
from tests.risk.helpers import NOW, book, market, module, position, proposal

SYMBOLS = tuple("ABCDEFGH")
OPEN_GATE = Gate(
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
SELECTION = Selection(min_score=60, a_plus_score=70, watch_list=5, execute=2)


class Stated(Signal):
    """Scores as given; NaN for everything else."""

    name = "stated"

    def __init__(self, **scores: float) -> None:
        super().__init__(self.Config())
        self.stated = scores

    def scores(self, market):
        return np.array([self.stated.get(s, np.nan) for s in market.symbols])

    def reason(self, market, symbol):
        return f"stated {self.stated[symbol]}"


class Other(Stated):
    name = "other"


class Intraday(Stated):
    name = "intraday"
    intraday_only = True


class Refuses(RiskModule):
    """Refuses what it is told to."""

    name = "refuses"

    def __init__(self, *symbols: str) -> None:
        super().__init__(self.Config())
        self.refused = symbols

    def review(self, proposal, book, market):
        refused = proposal.symbol in self.refused
        return self.refuse(proposal, "REFUSES: told to") if refused else self.keep(proposal)


class Listens(RiskModule):
    """Keeps everything and remembers what it was asked and what was pending then."""

    name = "listens"

    def __init__(self) -> None:
        super().__init__(self.Config())
        self.asked: list[tuple[str, float, int, tuple[str, ...]]] = []

    def review(self, proposal, book, market):
        self.asked.append((proposal.symbol, proposal.quantity, proposal.rank, tuple(book.pending)))
        return self.keep(proposal)


class Doubles(RiskModule):
    """Breaks the promise that a verdict never raises a quantity."""

    name = "doubles"

    def review(self, proposal, book, market):
        kept = self.keep(proposal)
        return type(kept)(self.name, "OK", kept.before, 2 * kept.before)


class Says(RiskModule):
    """Leaves whatever quantity it is told to."""

    name = "says"

    def __init__(self, after: float) -> None:
        super().__init__(self.Config())
        self.after = after

    def review(self, proposal, book, market):
        return self.shrink(proposal, self.after, "SAYS: told to")


class Wants(RiskModule):
    """Proposes what it is told to."""

    name = "wants"

    def __init__(self, *proposals: Proposal) -> None:
        super().__init__(self.Config())
        self.proposals = proposals

    def propose(self, book, market):
        return list(self.proposals)


class Adjusts(RiskModule):
    name = "adjusts"

    def __init__(self, *adjustments: Adjustment) -> None:
        super().__init__(self.Config())
        self.adjustments = adjustments

    def manage(self, book, market):
        return list(self.adjustments)


def snapshot(symbols=SYMBOLS, price=100.0, **more):
    return market(dict.fromkeys(symbols, price), {"atr_14": dict.fromkeys(symbols, 2.0)}, **more)


def pipeline(*signals, chain=(), selection=SELECTION, gate=OPEN_GATE, universe=SYMBOLS, bracket=FixedBracket, **more):
    more.setdefault("sizing", SizingConfig())
    return Pipeline(
        signals=signals, chain=chain, bracket=bracket(bracket.Config()), selection=selection, gate=gate,
        universe=universe, **more,
    )  # fmt: skip


def taken(plan):
    return [p.symbol for p in plan.entries]


def told(plan):
    return {d.proposal.symbol: d.verdicts[-1].code for d in plan.decisions}


def test_the_threshold_is_reached_at_sixty():
    plan = pipeline(Stated(A=60.0, B=59.99)).decide(snapshot(), book())
    assert taken(plan) == ["A"]
    assert [d.proposal.symbol for d in plan.decisions] == ["A"]


def test_what_the_desk_bars_takes_no_place_from_others():
    scores = dict(zip("ABCDEFG", (71.0, 72.0, 73.0, 74.0, 75.0, 76.0, 77.0), strict=True))
    close = snapshot().value("close", "G")
    known = replace(book(), barred=(Barred("G", "its bar is wrong", close), Barred("F", "ours were sold")))
    plan = pipeline(Stated(**scores)).decide(snapshot(), known)
    assert taken(plan) == ["E", "D"]
    codes = told(plan)
    assert (codes["G"], codes["F"]) == ("DESK_BARRED: its bar is wrong", "DESK_BARRED: ours were sold")
    # The five that are watched are those that may be entered, and another close is another bar.
    assert all("WATCH_LIST" not in code for code in codes.values())
    other = replace(known, barred=(Barred("G", "its bar is wrong", close + 1),))
    assert taken(pipeline(Stated(**scores)).decide(snapshot(), other)) == ["G", "F"]


def test_five_are_watched_and_the_best_two_taken():
    scores = dict(zip("ABCDEFG", (71.0, 72.0, 73.0, 74.0, 75.0, 76.0, 77.0), strict=True))
    plan = pipeline(Stated(**scores)).decide(snapshot(), book())
    assert taken(plan) == ["G", "F"]
    assert [d.proposal.symbol for d in plan.decisions] == list("GFEDCBA")
    codes = told(plan)
    assert all(codes[s] == "EXECUTE_LIMIT: 2 of 2 taken in this scan" for s in "EDC")
    assert (codes["B"], codes["A"]) == ("WATCH_LIST: place 6 of 5", "WATCH_LIST: place 7 of 5")
    assert [d.outcome for d in plan.decisions[2:]] == ["refused"] * 5


def test_ties_are_broken_by_symbol():
    plan = pipeline(Stated(C=80.0, A=80.0, B=80.0)).decide(snapshot(tuple("CBA")), book())
    assert taken(plan) == ["A", "B"]


def test_the_highest_score_speaks_for_a_symbol():
    plan = pipeline(Stated(A=70.0, B=90.0), Other(A=80.0, B=85.0)).decide(snapshot(), book())
    assert [(p.symbol, p.signal, p.score) for p in plan.entries] == [("B", "stated", 90.0), ("A", "other", 80.0)]


def test_what_is_held_or_on_its_way_is_not_proposed():
    state = book(position("A", 10), pending=[proposal("B")])
    plan = pipeline(Stated(A=90.0, B=90.0, C=80.0)).decide(snapshot(), state)
    assert taken(plan) == ["C"]
    assert told(plan).keys() == {"C"}


def test_gauges_funds_and_the_benchmark_are_not_entered():
    hedge = module(InverseHedge)
    rules = pipeline(Stated(A=80.0, SPY=95.0, AAPL=95.0, SH=95.0), chain=(hedge,), universe=("A",))
    seen = snapshot(("A", "SPY", "AAPL", "SH"))
    assert taken(rules.decide(seen, book())) == ["A"]
    assert set(rules.symbols()) == {"A", *hedge.symbols()}


def test_a_symbol_without_a_sane_newest_bar_is_not_entered_whatever_its_signal_says():
    plan = pipeline(Stated(A=90.0, B=80.0)).decide(snapshot(unusable=("A",)), book())
    assert told(plan).keys() == {"B"}


def test_nothing_is_decided_before_the_first_bar_has_closed():
    plan = pipeline(Stated(A=90.0)).decide(snapshot(row=-1), book())
    assert (plan.entries, plan.decisions, plan.adjustments) == ((), (), ())


def test_an_entry_that_no_bracket_can_protect_is_not_made():
    on = market({"A": 100.0, "B": 100.0}, {"atr_14": {"A": 60.0, "B": 2.0}})
    assert taken(pipeline(Stated(A=90.0, B=80.0), bracket=AtrBracket).decide(on, book())) == ["B"]


def test_a_refusal_ends_the_chain():
    last = Listens()
    plan = pipeline(Stated(A=90.0), chain=(Refuses("A"), last)).decide(snapshot(), book())
    assert last.asked == []
    assert [v.module for v in plan.decisions[0].verdicts] == ["equity_sizer", "refuses"]
    assert (plan.decisions[0].outcome, plan.entries) == ("refused", ())


def test_what_sizing_refuses_is_shown_to_no_module():
    last = Listens()
    pipeline(Stated(A=90.0), chain=(last,)).decide(snapshot(price=50_000.0), book())
    assert last.asked == []


def test_the_next_candidate_moves_up():
    last = Listens()
    plan = pipeline(Stated(A=95.0, B=90.0, C=85.0, D=80.0), chain=(Refuses("A", "C"), last)).decide(snapshot(), book())
    assert taken(plan) == ["B", "D"]
    # The place in the batch counts what was taken, so that a refused rival takes no share away.
    assert [(p.symbol, p.rank, p.batch) for p in plan.entries] == [("B", 1, 2), ("D", 2, 2)]


def test_a_batch_counts_a_plus_signals_only():
    plan = pipeline(Stated(A=75.0, B=65.0)).decide(snapshot(), book())
    assert [(p.symbol, p.rank, p.batch) for p in plan.entries] == [("A", 1, 1), ("B", 2, 1)]


def test_what_was_accepted_is_pending_for_the_next():
    last = Listens()
    pipeline(Stated(A=95.0, B=90.0), chain=(last,)).decide(snapshot(), book())
    assert [(symbol, pending) for symbol, _, _, pending in last.asked] == [("A", ()), ("B", ("A",))]


def test_an_accepted_entry_counts_in_its_sector():
    cap = module(SectorCap, max_positions=1)
    on = snapshot(sectors={"A": "tech", "B": "tech", "C": "energy"})
    plan = pipeline(Stated(A=95.0, B=90.0, C=85.0), chain=(cap,)).decide(on, book())
    assert taken(plan) == ["A", "C"]
    assert told(plan)["B"] == "SECTOR_CAP: tech 1/1"


def test_an_accepted_entry_counts_as_spent():
    buffer = module(CashBuffer, buffer_frac=0.85)
    plan = pipeline(Stated(A=95.0, B=90.0, C=85.0), chain=(buffer,)).decide(snapshot(), book())
    assert [(p.symbol, p.quantity) for p in plan.entries] == [("A", 100), ("B", 50)]
    assert [d.outcome for d in plan.decisions] == ["sent", "resized", "refused"]


def test_a_module_cannot_raise_a_quantity():
    plan = pipeline(Stated(A=90.0), chain=(module(Doubles),)).decide(snapshot(), book())
    assert plan.entries[0].quantity == 100
    assert (plan.decisions[0].final_quantity, plan.decisions[0].outcome) == (100, "sent")


@pytest.mark.parametrize(
    ("said", "after"), [(math.nan, 0), (-math.inf, 0), (-3.0, 0), (math.inf, 100), (33.37, 33), (100, 100), (0.9, 0)]
)
def test_what_a_rule_says_becomes_whole_lots_and_nothing_where_it_is_no_number(said, after):
    plan = pipeline(Stated(A=90.0), chain=(Says(said), Listens())).decide(snapshot(), book())
    assert [p.quantity for p in plan.entries] == [after] * (after > 0)
    assert plan.decisions[0].final_quantity == after


@pytest.mark.parametrize("quantity", [0, -20, math.nan, math.inf])
def test_a_module_that_wants_no_quantity_gets_none(quantity):
    plan = pipeline(Stated(), chain=(Wants(proposal("A", quantity)),)).decide(snapshot(), book())
    assert plan.entries == ()
    assert told(plan)["A"].startswith("PIPELINE_QUANTITY: ") and plan.decisions[0].outcome == "refused"


def test_what_is_held_or_on_its_way_is_not_proposed_by_modules_either():
    wants = Wants(proposal("A", 10), proposal("A", 10), proposal("B", 10), proposal("C", 10))
    state = book(position("B", 5), pending=[proposal("C", 5)])
    plan = pipeline(Stated(), chain=(wants, wants)).decide(snapshot(), state)
    assert [(p.symbol, p.quantity) for p in plan.entries] == [("A", 10)]
    assert [d.verdicts[-1].code for d in plan.decisions[1:3]] == [
        "PIPELINE_HELD: A is held or on its way",
        "PIPELINE_HELD: B is held or on its way",
    ]


def test_the_stop_that_gives_the_size_is_the_one_that_is_sent():
    near = proposal("A", 10, stop=99.9)
    assert told(pipeline(Stated(), chain=(Wants(near),)).decide(snapshot(), book())) == {
        "A": "PIPELINE_STOP: stop 99.9 is not 95, what its terms give at 100"
    }


class Falls(Stated):
    name = "falls"
    side = "sell_short"


def test_a_rule_s_own_sale_opens_only_where_a_signal_that_sells_short_is_on():
    wants = Wants(proposal("A", 10, side="sell_short", role="hedge"))
    plan = pipeline(Stated(), chain=(wants,)).decide(snapshot(), book())
    assert told(plan) == {"A": "GATE_SHORT: no signal that sells short is on, so A is not sold"} and not plan.entries
    plan = pipeline(Stated(), Falls(), chain=(wants,)).decide(snapshot(), book())
    assert [(p.symbol, p.side) for p in plan.entries] == [("A", "sell_short")]
    assert taken(pipeline(Falls(B=90.0)).decide(snapshot(), book())) == ["B"]


def test_what_the_gate_would_refuse_is_told_and_the_next_moves_up():
    gate = OPEN_GATE.model_copy(update={"restricted": ("A",)})
    plan = pipeline(Stated(A=95.0, B=90.0), gate=gate).decide(snapshot(), book())
    assert taken(plan) == ["B"]
    assert told(plan)["A"] == "GATE_RESTRICTED: A is on the restricted list"


def overbought(*more: str):
    symbols = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA", "SPY", "QQQ", "SH", *more)
    rsi = dict.fromkeys(symbols[:3], 75.0) | dict.fromkeys(symbols[3:], 50.0)
    return market(dict.fromkeys(symbols, 100.0), {"rsi_14": rsi, "atr_14": dict.fromkeys(symbols, 2.0)})


def test_a_hedge_is_sized_and_judged_before_any_entry():
    last = Listens()
    hedge, buffer = module(InverseHedge, size_frac=0.2), module(CashBuffer, buffer_frac=0.83)
    rules = pipeline(Stated(A=90.0), chain=(hedge, buffer, last), universe=("A",))
    plan = rules.decide(overbought("A"), book())
    first, second = plan.decisions
    # Wanted 20% of equity, sized to 10%, all of it free above the buffer; the entry gets what is left.
    assert (first.proposal.symbol, first.proposal.role, first.final_quantity) == ("SH", "hedge", 100)
    assert [v.module for v in first.verdicts] == ["equity_sizer", "inverse_hedge", "cash_buffer", "listens"]
    assert (first.verdicts[0].before, first.verdicts[0].after) == (200, 100)
    assert (second.proposal.symbol, second.final_quantity) == ("A", 70)
    assert [symbol for symbol, *_ in last.asked] == ["SH", "A"]


def test_a_refused_hedge_is_not_sent():
    plan = pipeline(Stated(), chain=(module(InverseHedge), Refuses("SH")), universe=("A",)).decide(overbought(), book())
    assert plan.entries == ()
    assert told(plan) == {"SH": "REFUSES: told to"}


def sell(kind, symbol="A", quantity=0.0):
    return Adjustment("m", kind, symbol, kind, quantity=quantity)


def tighten(stop, short=False, symbol="A"):
    return Adjustment("m", "tighten", symbol, "tighten", stop=stop, short=short)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([], []),
        ([sell("trim", quantity=5), sell("exit")], [sell("exit")]),
        ([sell("exit"), sell("trim", quantity=5)], [sell("exit")]),
        ([sell("exit"), tighten(95.0)], [sell("exit")]),
        ([sell("trim", quantity=5), sell("trim", quantity=8)], [sell("trim", quantity=8)]),
        ([sell("partial", quantity=9), sell("trim", quantity=8)], [sell("partial", quantity=9)]),
        ([tighten(95.0), tighten(97.0), tighten(96.0)], [tighten(97.0)]),
        ([tighten(105.0, short=True), tighten(103.0, short=True)], [tighten(103.0, short=True)]),
        ([sell("trim", quantity=5), tighten(95.0)], [sell("trim", quantity=5), tighten(95.0)]),
        ([sell("exit", "A"), sell("trim", "B", 5)], [sell("exit", "A"), sell("trim", "B", 5)]),
    ],
)
def test_the_strictest_adjustment_wins(given, left):
    assert strictest(given) == left


def test_a_plan_carries_one_sale_per_symbol():
    chain = (Adjusts(sell("trim", quantity=5)), Adjusts(sell("exit")))
    assert pipeline(Stated(), chain=chain).decide(snapshot(), book(position("A", 10))).adjustments == (sell("exit"),)


def test_daily_bars_switch_intraday_signals_off():
    rules = pipeline(Intraday(A=95.0), Stated(B=80.0))
    assert rules.keep_daily_signals() == ["intraday"]
    assert taken(rules.decide(snapshot(), book())) == ["B"]
    assert pipeline(Stated(B=80.0)).keep_daily_signals() == []


def test_daily_bars_and_nothing_but_intraday_signals_are_refused():
    with pytest.raises(Refusal, match=r"signals\.enabled: intraday needs intraday bars"):
        pipeline(Intraday(A=95.0)).keep_daily_signals()


@pytest.mark.parametrize(
    ("utc", "enters"),
    [("14:25", False), ("14:30", True), ("14:31", True), ("14:35", False), ("19:55", True)],
)
def test_entries_wait_for_a_scan_window_and_exits_do_not(utc, enters):
    rules = pipeline(Stated(A=90.0), chain=(Adjusts(sell("exit", "B")),), windows=("10:30", "15:55"))
    # July: New York is four hours behind, so these are 10:25 to 15:55 there.
    state = replace(book(position("B", 10)), time=datetime.fromisoformat(f"2024-07-01T{utc}+00:00").astimezone(UTC))
    rules.window_minutes = 5
    plan = rules.decide(snapshot(), state)
    assert bool(plan.entries) is enters
    assert plan.adjustments == (sell("exit", "B"),)


@pytest.mark.parametrize(("window", "reached"), [("23:50", (0, 12)), ("23:42", (23, 42)), ("00:05", (0, 12))])
def test_a_window_near_midnight_is_reached_on_either_side_of_it(window, reached):
    rules = pipeline(Stated(A=90.0), windows=(window,))
    rules.window_minutes = 30
    times = [(hour, minute) for hour in range(24) for minute in (12, 42)]
    assert [t for t in times if rules.entries_now(datetime(2026, 3, 4, *t, tzinfo=NEW_YORK_ZONE))] == [reached]


def test_windows_mean_nothing_on_daily_bars():
    assert taken(pipeline(Stated(A=90.0), windows=("03:00",)).decide(snapshot(), book())) == ["A"]


def test_the_snapshot_must_hold_what_every_part_reads():
    rules = pipeline(Stated(), chain=(module(InverseHedge, rsi_bars=7),))
    assert rules.needs() == ["atr_14", "rsi_7"]


@given(
    st.dictionaries(st.sampled_from(SYMBOLS), st.floats(0, 100)),
    st.sets(st.sampled_from(SYMBOLS), max_size=3),
    st.floats(1, 2_000),
    st.floats(5_000, 1e6),
    st.integers(1, 5),
)
@settings(deadline=None)
def test_no_plan_takes_more_than_it_may(scores, held, price, equity, execute):
    selection = Selection(min_score=60, a_plus_score=70, watch_list=5, execute=execute)
    rules = pipeline(
        Stated(**scores), chain=(module(CashBuffer), module(SectorCap)), selection=selection
    )  # fmt: skip
    on = snapshot(price=price, sectors=dict.fromkeys("ABCD", "one") | dict.fromkeys("EFGH", "two"))

    def state():
        return book(*(position(s, 1, price) for s in held), equity=equity)

    used = state()
    plan = rules.decide(on, used)
    assert repr(plan) == repr(rules.decide(on, state()))
    assert len(plan.entries) <= execute
    assert not held & set(taken(plan))
    order = [(-p.score, p.symbol) for p in plan.entries]
    assert order == sorted(order)
    assert all(p.score >= 60 and 0 < p.notional <= 0.10 * equity * (1 + 1e-9) for p in plan.entries)
    assert sum(p.notional for p in plan.entries) <= 0.85 * equity * (1 + 1e-9)
    assert used.time == NOW and used.cash == equity
    for decision in plan.decisions:
        sizes = [v.after for v in decision.verdicts]
        assert sizes == sorted(sizes, reverse=True)
        assert (decision.proposal in plan.entries) is (decision.final_quantity > 0)


def early(name, **settings):
    return module(RISK_MODULES.get(name, "test"), **settings)


JUDGES = {
    "partial_profit": early("partial_profit"),
    "rebalancer": early("rebalancer"),
    "stale_exit": early("stale_exit", max_minutes=1.0),
    "percent_trailing": early("percent_trailing"),
    "trailing_stop": early("trailing_stop"),
    "overbought_exit": early("overbought_exit"),
    "adjusts": Adjusts(sell("exit", "A")),
}


@pytest.mark.parametrize("name", JUDGES)
def test_a_bar_that_closed_before_the_entry_says_nothing_about_the_position(name):
    """Bought five seconds after a bar had closed far above: at that close nothing is sold and no stop is moved."""
    close = 100.05 if name == "stale_exit" else 140.0
    on = market({"A": [close]}, {"rsi_14": {"A": 90.0}, "atr_14": {"A": 2.0}}, closes=[NOW])
    rules = pipeline(Stated(), chain=(JUDGES[name],))

    def judged(seconds):
        entered = NOW + timedelta(seconds=seconds)
        held = position("A", 300, 100.0, entry_time=entered, best_price=140.0, initial_quantity=300)
        return rules.decide(on, book(held)).adjustments

    assert judged(+5) == ()
    assert [a.symbol for a in judged(-200)] == ["A"]
