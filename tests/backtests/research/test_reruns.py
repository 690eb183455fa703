"""Random strategies, runs without a rule, runs under other fills, and refusals followed on paper."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from backtests.research.monte_carlo import monte_carlo, run_random
from backtests.research.rerun_pages import risk_bill_page
from backtests.research.reruns import band, risk_bill, spread
from backtests.research.search.executors import InProcess
from backtests.research.search.registry import VARIABLE, TrialRegistry
from backtests.research.search.space import grid_space
from backtests.research.search.study import Plan, Study
from backtests.research.search.trials import run_trial
from backtests.research.shadow import Followed, bill, follow
from commands.app import main
from config import load
from config.errors import Refusal
from config.schema import Fills
from risk.model import BracketTerms, Decision, Verdict
from tests.backtests.research.lab import RSI, context, market
from tests.brokers.harness import daily_table
from tests.risk.helpers import proposal

QUIET = (100.0, 101.0, 99.0, 100.0)
FREE = Fills(
    market_slippage_bps=0, stop_slippage_bps=0, limit_slippage_bps=0, fee_per_share_usd=0, fee_frac=0,
    cash_interest_frac=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def shared():
    return context()


def test_random_strategies_trade_about_as_often_and_repeat_with_the_seed():
    # Without the rule that sells on the signals' own reading, which would undo entries at other times at once.
    shared = context(**{"risk.chain": ["rebalancer"]})
    done = monte_carlo(shared, 8, 3, InProcess())
    assert done.run.trades > 10 and 0 < done.better <= 1
    assert 0.7 < np.median([o.trades for o in done.random]) / done.run.trades < 1.4
    assert len({o.total_return for o in done.random}) == 8
    assert run_random(shared, (3, 2)) == done.random[2]
    assert done.run.sharpe == run_trial(shared, {}).sharpe
    assert done.better == (sum(o.sharpe >= done.run.sharpe for o in done.random) + 1) / 9
    assert (done.shuffled_drawdowns >= 0).all() and done.drawdown_usd > 0


def test_the_bill_of_a_rule_is_the_difference_of_two_runs(shared):
    whole, lines = risk_bill(shared, InProcess())
    assert [line.module for line in lines] == ["rebalancer", "overbought_exit"]
    without = run_trial(shared, {"risk.chain": ["rebalancer"]})
    found = lines[1].document(whole)
    assert found["return_cost"] == without.total_return - whole.total_return != 0
    assert found["drawdown_saved"] == without.max_drawdown - whole.max_drawdown
    with pytest.raises(Refusal, match="there is no rule to leave out"):
        risk_bill(context(**{"risk.chain": []}), InProcess())


def test_dearer_fills_leave_less(shared):
    cells = band(shared, (0.0, 50.0), (0.0, 0.002), InProcess())
    found = {(c.slippage_bps, c.fee_frac): c.trial.total_return for c in cells}
    assert found[0.0, 0.0] > found[50.0, 0.0] > found[50.0, 0.002]
    assert found[0.0, 0.0] > found[0.0, 0.002]


def test_fees_vary_where_resting_orders_have_one_of_their_own():
    fills = {"maker_fee_frac": 0.001, "entry_rests": True}
    rests = context(**{f"fills.{name}": value for name, value in fills.items()})
    cells = band(rests, (0.0,), (0.0, 0.002), InProcess())
    assert cells[0].trial.total_return == run_trial(rests, {"fills.maker_fee_frac": 0.0}).total_return
    assert (
        cells[1].trial.total_return
        == run_trial(rests, {"fills.maker_fee_frac": 0.002, "fills.fee_frac": 0.002}).total_return
    )
    assert cells[0].trial.total_return > cells[1].trial.total_return


def refused(table, row, *verdicts):
    wish = proposal("X", price=100.0, stop=95.0, target=110.0,
                    terms=BracketTerms("buy", stop_distance=5.0, target_distance=10.0))  # fmt: skip
    return Decision(table.opens_at[row].to_pydatetime(), wish, 10, verdicts)


@pytest.mark.parametrize(
    ("bars", "pnl", "closed"),
    [
        ([QUIET, QUIET, (100, 101, 94, 96)], -50, True), ([QUIET, QUIET, (100, 111, 99, 110)], 100, True),
        ([QUIET, QUIET, (100, 111, 94, 100)], -50, True), ([QUIET, QUIET, (90, 92, 88, 91)], -100, True),
        ([(100, 101, 94, 96), QUIET], -50, True), ([QUIET, QUIET, (100, 105, 99, 104)], 40, False),
    ],
)  # fmt: skip
def test_a_refusal_is_followed_to_its_own_exit(bars, pnl, closed):
    table = daily_table(X=bars)
    decision = refused(table, 0, Verdict("equity_sizer", "OK", 10, 10), Verdict("sector_cap", "SECTOR_CAP", 10, 0))
    (found,) = follow([decision], table, FREE)
    assert (found.module, found.quantity, found.closed) == ("sector_cap", 10, closed)
    assert found.pnl == pytest.approx(pnl) and found.r_multiple == pytest.approx(pnl / 50)


def test_each_rule_answers_for_what_it_took_away():
    table = daily_table(X=[QUIET, (100, 111, 99, 110)])
    decision = refused(table, 0, Verdict("equity_sizer", "cut", 50, 10), Verdict("allocation", "a", 10, 6),
                       Verdict("cash_buffer", "b", 6, 6), Verdict("sector_cap", "c", 6, 0))  # fmt: skip
    assert [(f.module, f.quantity) for f in follow([decision], table, FREE)] == [("allocation", 4), ("sector_cap", 6)]
    late = Decision(decision.time + timedelta(days=900), decision.proposal, 10, decision.verdicts)
    assert follow([late], table, FREE) == []


def test_the_bill_adds_up():
    followed = [Followed("a", "X", 1, pnl, 0, True) for pnl in (30.0, -10.0, -5.0)] + [
        Followed("b", "X", 1, 7.0, 0, True)
    ]
    one, other = bill(followed, 200, 0.9, 1)
    assert (one.module, one.cost, one.saved, one.net, one.proposals) == ("a", 30, 15, 15, 3)
    assert one.low <= one.net <= one.high and (other.low, other.high) == (7, 7)


COMMON = ["--start", "2020-01-02", "--end", "2020-12-31", "--json"]


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["shadow"], {"proposals", "modules"}), (["risk-bill", "--workers", "1"], {"with_all", "modules"}),
        (["band", "--workers", "1", "--slippage-bps", "0,5", "--fee-frac", "0"], {"total_return", "cells"}),
        (["monte-carlo", "--runs", "3", "--workers", "1"], {"better", "sharpe"}),
    ],
)  # fmt: skip
def test_the_commands_print_one_document(tmp_path, monkeypatch, capsys, arguments, keys):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "trials.jsonl"))
    assert main([*arguments, *COMMON]) == 0
    assert keys <= set(json.loads(capsys.readouterr().out))
    registered = list(TrialRegistry().entries())
    # One run without each rule; the run itself was chosen before.
    assert len(registered) == (len(load("active").risk.chain) if arguments[0] == "risk-bill" else 0)
    if registered:
        data, ever = registered[0]["data"], len(registered)
        assert main([*arguments, *COMMON]) == 0 and TrialRegistry().count(data) == ever


@pytest.mark.parametrize("costs", ["x", "-1", "1,,2"])
def test_costs_that_are_none_are_refused(capsys, costs):
    assert main(["band", *COMMON, f"--slippage-bps={costs}"]) == 2
    assert "--slippage-bps" in capsys.readouterr().err


def test_a_window_too_short_for_a_ratio_has_none_in_band_monte_carlo_and_study(tmp_path):
    short = context(market(bars=70))
    cells = band(short, (0.0, 50.0), (0.0,), InProcess())
    assert [c.trial.told_sharpe for c in cells] == [None, None] and any(c.trial.too_short for c in cells)
    assert spread([c.trial for c in cells], "told_sharpe") is None
    done = monte_carlo(short, 3, 1, InProcess())
    assert done.better is None and 0 < done.better_return <= 1
    plan = Plan("grid", 0, 0, 10, 10, "sharpe")
    space, registry = grid_space([f"{RSI}=40,45"]), TrialRegistry(tmp_path / "trials.jsonl")
    message = (
        "--objective sharpe: from 2022-01-31 to 2022-04-08 are 66 days, and a Sharpe ratio a year takes 90; give a"
    )
    with pytest.raises(Refusal, match=message):
        Study(tmp_path / "study", short, space, plan, registry, "data")
    assert not (tmp_path / "study").exists()
    Study(tmp_path / "study", short, space, replace(plan, objective="total_return"), registry, "data")


def test_a_window_too_short_for_a_ratio_has_none_in_the_bill():
    table = market(bars=40)
    whole, lines = risk_bill(context(table), InProcess())
    assert whole.told_sharpe is None and whole.sharpe == 0.0
    assert all(line.document(whole).get("sharpe_change") is None for line in lines)
    assert "Sharpe not defined" in risk_bill_page(context(table), whole, [line.document(whole) for line in lines])
