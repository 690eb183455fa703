"""What rules do to a plan: refusals, sizes, hedges, adjustments, and what counts against whom."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from risk.cash_buffer import CashBuffer
from risk.inverse_hedge import InverseHedge
from risk.model import Adjustment
from risk.sector_cap import SectorCap
from strategies.pipeline import strictest
from strategies.registry import RISK_MODULES
from tests.risk.helpers import NOW, book, market, module, position, proposal
from tests.strategies.stated import (
    OPEN_GATE,
    Adjusts,
    Doubles,
    Listens,
    Refuses,
    Says,
    Stated,
    Wants,
    pipeline,
    sell,
    snapshot,
    taken,
    told,
)


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
