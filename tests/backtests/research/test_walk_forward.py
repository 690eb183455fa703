"""Windows follow one another, nothing of a test window is chosen on, and seams close nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from backtests.checks.lookahead import invented_from
from backtests.replay.engine import replay
from backtests.replay.segments import Segment, SegmentedRun
from backtests.research.search.executors import InProcess
from backtests.research.search.registry import TrialRegistry
from backtests.research.search.space import grid_space
from backtests.research.search.study import Plan
from backtests.research.search.trials import settings_with
from backtests.research.search.walk_forward import walk_forward
from backtests.research.search.windows import span, windows
from commands.app import main
from config.errors import Refusal
from tests.backtests.research.lab import RSI, STOP, context, market

GRID = grid_space([f"{RSI}=40,45", f"{STOP}=1.5,3.0"])
PLAN = Plan("grid", 0, 0, 4, 4, "sharpe")


def cut(table, train="6M", test="3M", **options):
    return windows(
        table, table.opens_at[0], table.opens_at[-1], span(train, "--train"), span(test, "--test"), **options
    )


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize(("purge", "embargo"), [(0, 0), (0, 1), (5, 2)])
def test_windows_lie_one_after_the_other(anchored, purge, embargo):
    table = market(520)
    found = cut(table, anchored=anchored, purge=purge, embargo=embargo)
    opens = list(table.opens_at)
    assert len(found) == 6 and found[-1].test_end == opens[-1]
    for before, after in pairwise(found):
        assert opens.index(after.test_start) == opens.index(before.test_end) + 1
    for window in found:
        assert opens.index(window.test_start) - opens.index(window.train_end) == 1 + purge + embargo
    starts = {window.train_start for window in found}
    assert len(starts) == (1 if anchored else 6)


def test_windows_are_of_calendar_length():
    first = cut(market(520), train="1Y", test="6M")[0]
    assert (first.train_start.date(), first.test_start.date()) == (pd.Timestamp("2022-01-03").date(),
                                                                  pd.Timestamp("2023-01-03").date())  # fmt: skip


@pytest.mark.parametrize("text", ["6", "M", "0M", "6Q", "1.5M", ""])
def test_a_length_that_is_none_is_refused(text):
    with pytest.raises(Refusal, match="write a number and D, W, M or Y"):
        span(text, "--train")


def test_data_that_are_too_short_are_refused():
    with pytest.raises(Refusal, match="too short for one --train"):
        cut(market(60))
    with pytest.raises(Refusal, match="give a longer --train"):
        cut(market(200), train="1M", test="1M", min_train_bars=60)


@pytest.mark.parametrize("purge", [21, 22, 30, 200])
def test_a_purge_as_long_as_the_training_window_leaves_nothing_to_choose_on(purge):
    with pytest.raises(Refusal, match=r"has 0 bars, 1 are needed to choose on; .* a smaller --purge or --embargo"):
        cut(market(240), train="1M", test="1M", purge=purge)


def test_one_window_after_the_other_with_the_same_settings_is_one_run():
    shared = context(market(240))
    settings = settings_with(shared.settings, {})
    seams = [shared.table.opens_at[row] for row in (20, 90, 91, 170)]
    run = SegmentedRun([Segment(s, settings) for s in seams], shared.table, shared.end, {})
    run.run()
    whole = replay(settings, shared.table, shared.start, shared.end).record
    assert run.record.orders == whole.orders and run.record.equity == whole.equity and len(whole.trades) > 5


def test_a_position_keeps_the_settings_it_was_opened_with():
    """The old settings sell at an RSI of 52, the new ones never: what was opened before is still sold by the old."""
    shared = context(market(240))
    old = settings_with(shared.settings, {"risk.modules.overbought_exit.rsi_above": 52.0})
    never = settings_with(shared.settings, {"risk.modules.overbought_exit.rsi_above": 99.0})
    carried = 0
    for row in range(40, 220, 9):
        seam = shared.table.opens_at[row]
        run = SegmentedRun([Segment(shared.start, old), Segment(seam, never)], shared.table, shared.end, {})
        run.run()
        closed = [t for t in run.record.trades if t.exit_reason == "close" and t.exit_time > seam]
        assert all(t.entry_time < seam for t in closed)
        carried += len(closed)
    assert carried > 5


def test_the_gate_follows_the_settings_of_each_window():
    buffer = "risk.modules.cash_buffer.buffer_frac"
    chain = {"risk.chain": ["cash_buffer"], "risk.modules.cash_buffer.min_position_frac": 0.025}
    shared = context(market(240), **chain)
    strict, loose = (settings_with(shared.settings, {buffer: kept}) for kept in (0.975, 0.5))
    seam = shared.table.opens_at[90]
    run = SegmentedRun([Segment(shared.start, strict), Segment(seam, loose)], shared.table, shared.end, {})
    run.run()
    alone = replay(loose, shared.table, seam, shared.end).record
    assert len(alone.trades) > 5 and run.record.trades == alone.trades


def test_what_is_chosen_does_not_depend_on_what_comes_after(tmp_path):
    table = market(400)
    shared = context(table)
    found = cut(table)
    seam = list(table.opens_at).index(found[2].test_start)
    altered = replace(shared, key="altered", table=invented_from(table, seam, 1), columns={})
    walked = [
        walk_forward(
            tmp_path / name, c, found, GRID, PLAN, InProcess(), TrialRegistry(tmp_path / f"{name}.jsonl"), name
        )
        for name, c in (("real", shared), ("altered", altered))
    ]
    one, other = ([c.trial.parameters for c in w.chosen] for w in walked)
    assert one[:3] == other[:3]
    until = found[2].test_start
    assert [t for t in walked[0].record.trades if t.exit_time < until] == [
        t for t in walked[1].record.trades if t.exit_time < until
    ]
    assert len([t for t in walked[0].record.trades if t.exit_time < until]) > 2


def test_the_folder_of_a_walk(tmp_path):
    shared, registry = context(market(400)), TrialRegistry(tmp_path / "trials.jsonl")
    found = cut(shared.table)
    walked = walk_forward(tmp_path / "w", shared, found, GRID, PLAN, InProcess(), registry, "hash")
    out = json.loads((tmp_path / "w" / "summary.json").read_text())
    assert (out["windows"], out["trials"], out["walk_forwards_ever"]) == (len(found), 4 * len(found), 1)
    assert registry.count("hash") == 4 * len(found) + 1
    lines = (tmp_path / "w" / "windows.csv").read_text().splitlines()
    assert len(lines) == len(found) + 1
    equity = pd.read_csv(tmp_path / "w" / "equity.csv")
    assert equity["time"].iloc[0][:10] == str(found[0].test_start.date())
    assert equity["equity"].iloc[-1] == pytest.approx(out["final_equity"])
    growth = np.prod([1 + float(line.split(",")[-3]) for line in lines[1:]])
    assert growth * out["initial_equity"] == pytest.approx(out["final_equity"])
    page = (tmp_path / "w" / "report.html").read_text()
    assert f"{4 * len(found)} trials in {len(found)} windows and 1 of the test windows together; " in page
    assert "<script" not in page and "href=" not in page and "<polyline" in page
    walk_forward(tmp_path / "w", shared, found, GRID, PLAN, InProcess(), registry, "hash")
    assert json.loads((tmp_path / "w" / "summary.json").read_text())["walk_forwards_ever"] == 1
    other = walk_forward(tmp_path / "other", shared, found, GRID, PLAN, InProcess(), registry, "hash").document
    assert (other["dsr"], other["sentence"]) == (walked.document["dsr"], walked.document["sentence"])
    assert "over 1 walk-forward on these data, " in other["sentence"]
    # The same walk again is no trial more, in whatever folder.
    assert registry.count("hash") == 4 * len(found) + 1
    assert walked.document["efficiency"] is None or isinstance(walked.document["efficiency"], float)


def test_a_window_without_trades_is_refused(tmp_path):
    shared = context(market(400), **{RSI: 11.0})
    with pytest.raises(Refusal, match="no trial made 5 trades, the most were 0"):
        walk_forward(tmp_path / "w", shared, cut(shared.table), grid_space([f"{STOP}=1.5,2.0"]), PLAN, InProcess(),
                     TrialRegistry(tmp_path / "t.jsonl"), "hash")  # fmt: skip


COMMON = ["--start", "2018-01-02", "--end", "2020-12-31", "--workers", "1", "--json", "--grid",
          "exits.models.fixed.stop_frac=0.04,0.08"]  # fmt: skip


def test_the_commands_from_options_to_one_document(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RISK_FIRST_TRIALS", str(tmp_path / "trials.jsonl"))
    assert main(["optimise", *COMMON, "--out", str(tmp_path / "o")]) == 0
    searched = json.loads(capsys.readouterr().out)
    assert (searched["trials"], searched["trials_ever"]) == (2, 2)
    assert main(["walk-forward", *COMMON, "--train", "1Y", "--test", "1Y", "--out", str(tmp_path / "w")]) == 0
    walked = json.loads(capsys.readouterr().out)
    assert (walked["windows"], walked["trials"], walked["trials_ever"]) == (2, 4, 7)
    again = [word for word in COMMON if word != "--json"]
    assert main(["walk-forward", *again, "--train", "1Y", "--test", "1Y", "--out", str(tmp_path / "w")]) == 0
    assert "4 trials and 1 of the test windows together; 7 ever on these data" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--out", "x"], "give what to search"),
        (["--grid", "sizing.risk_frac=0.01,0.02", "--trials", "5", "--out", "x"], "--trials is not read with --grid"),
        (["--search", "none.yaml", "--trials", "5", "--out", "x"], "can't be read"),
        (["--grid", "sizing.risk_fraq=0.01,0.02", "--out", "x"], "there is no setting risk_fraq"),
    ],
)
def test_options_that_make_no_search_are_refused(tmp_path, monkeypatch, capsys, arguments, why):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISK_FIRST_TRIALS", str(tmp_path / "trials.jsonl"))
    assert main(["optimise", *arguments]) == 2
    assert why in capsys.readouterr().err
