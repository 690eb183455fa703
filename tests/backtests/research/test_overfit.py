"""The verdict on a matrix of trials, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from backtests.research.matrix import read_matrix
from backtests.research.overfit import judge
from backtests.research.statistics import expected_max, moments, probabilistic_sharpe
from commands.app import main
from config.errors import Refusal


def names(count: int) -> list[str]:
    return [f"t{k}" for k in range(count)]


def written(path, returns):
    rows = ["date," + ",".join(names(returns.shape[1]))]
    rows += [f"{n}," + ",".join(f"{value:.8f}" for value in row) for n, row in enumerate(returns)]
    path.write_text("\n".join(rows) + "\n")
    return path


def planted(seed: int = 3, edge: float = 0.0015) -> np.ndarray:
    returns = np.random.default_rng(seed).normal(0, 0.01, (1000, 60))
    returns[:, :6] += edge
    return returns


def test_a_planted_edge_is_found_and_noise_is_not():
    found = judge(planted(), names(60))
    assert (found.verdict, found.best in names(6)) == ("edge", True) and found.dsr > 0.95 and found.pbo < 0.1
    verdicts = {
        judge(np.random.default_rng(s).normal(0, 0.01, (1000, 40)), names(40), blocks=10).verdict for s in range(8)
    }
    assert verdicts == {"no edge", "overfit"}


def test_more_trials_than_the_file_holds_deflate_more():
    few, many = judge(planted(edge=0.0010), names(60)), judge(planted(edge=0.0010), names(60), counted=5000)
    assert few.dsr > many.dsr and many.counted == 5000


def test_a_short_record_is_called_one():
    assert judge(np.random.default_rng(1).normal(0.001, 0.01, (60, 8)), names(8)).verdict == "too short"
    assert judge(np.random.default_rng(1).normal(0.001, 0.01, (20, 8)), names(8)).pbo is None


def test_losing_trials_have_no_edge_and_one_trial_no_cross_validation():
    assert judge(np.random.default_rng(1).normal(-0.002, 0.01, (600, 8)), names(8)).verdict == "no edge"
    assert judge(np.zeros((600, 3)), names(3)).verdict == "no edge"
    single = judge(np.random.default_rng(3).normal(0.001, 0.01, (1000, 1)), ["only"])
    assert (single.pbo, single.verdict) == (None, "no edge") and single.dsr == single.psr > 0.95
    assert "an edge needs a PBO, which is not defined for a single trial" in single.sentence()


def test_trials_that_are_the_same_are_one():
    one = np.random.default_rng(2).normal(0.0004, 0.01, (600, 1))
    same = judge(np.repeat(one, 3, axis=1), names(3))
    assert (same.trials, same.distinct, same.pbo) == (3, 1, None) and same.verdict != "overfit"
    assert same.sentence().endswith("only 1 of the 3 differ at all.")
    several = np.random.default_rng(4).normal(0, 0.01, (600, 5))
    twice = judge(np.column_stack([several, several[:, 2]]), names(6))
    assert twice.pbo == judge(several, names(5)).pbo and twice.distinct == 5


def test_few_trades_are_no_edge_whatever_the_returns_say():
    assert judge(planted(), names(60), trades=[30] * 60).verdict == "edge"
    few = judge(planted(), names(60), trades=[29] * 60)
    assert few.verdict == "too short" and "made 29 trades, and 30 are the least to judge by" in few.sentence()
    assert judge(planted(), names(60), trades=[0] * 60).verdict == "too short"


def test_returns_that_move_by_rounding_alone_have_no_sharpe_ratio():
    for returns in (np.full((600, 1), 0.0003), 0.0003 + np.random.default_rng(1).normal(0, 3e-12, (600, 1))):
        still = judge(returns, names(1))
        assert still.verdict == "no edge" and "never move, so that it has no Sharpe ratio" in still.sentence()
        document = still.document()
        assert [document[k] for k in ("sharpe", "psr", "dsr", "min_track_record")] == [None] * 4


def test_a_probability_needs_thirty_observations():
    short = judge(np.array([[0.01], [0.02]]), names(1))
    assert (short.verdict, short.document()["dsr"]) == ("too short", None) and set(short.lengths("days")) == {
        "not defined"
    }
    assert 0 < judge(planted()[:30], names(60)).dsr < 1


def dated(path, returns, days):
    rows = [f"{day},{','.join(map(repr, row))}" for day, row in zip(days, returns.tolist(), strict=True)]
    path.write_text("\n".join(["date," + ",".join(names(returns.shape[1])), *rows]) + "\n")
    return path


@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_a_curve_of_equity_is_no_matrix_of_returns(tmp_path, scale):
    curve = scale * np.cumprod(1 + np.random.default_rng(2).normal(0.0005, 0.01, (500, 2)), axis=0) / 4
    with pytest.raises(Refusal, match=r"t0 is a level and no return: .* write the change from row to row"):
        read_matrix(dated(tmp_path / "equity.csv", curve, range(500)))


def test_returns_that_are_always_above_zero_are_no_level(tmp_path):
    rng = np.random.default_rng(2)
    smooth, cash = 0.01 + rng.normal(0, 0.0005, (120, 1)), np.full((120, 1), 0.0002)
    for returns in (smooth, cash):
        assert read_matrix(dated(tmp_path / "fund.csv", returns, range(120))).periods is None


@pytest.mark.parametrize(
    ("frequency", "form", "periods"),
    [
        ("B", "%Y-%m-%d", 252), ("D", "%Y-%m-%d", 365), ("W-FRI", "%d/%m/%Y", 52), ("W-FRI", "%m/%d/%Y", 52),
        ("ME", "%Y-%m-%d", 12), ("MS", "%Y-%m", 12), ("QS", "%d.%m.%Y", 4), ("YS", "%Y-%m-%d", 1),
        ("h", "%Y-%m-%dT%H:%M:%S+00:00", 24 * 252),
    ],
)  # fmt: skip
def test_dates_tell_the_periods_of_a_year(tmp_path, frequency, form, periods):
    returns = np.random.default_rng(2).normal(0, 0.01, (96, 2))
    days = pd.date_range("1990-01-01", periods=96, freq=frequency).strftime(form)
    assert read_matrix(dated(tmp_path / "t.csv", returns, days)).periods == periods


def test_the_command_says_how_many_periods_a_year_has(tmp_path, capsys):
    days = pd.date_range("2000-01-07", periods=1000, freq="W").strftime("%Y-%m-%d")
    weekly = str(dated(tmp_path / "w.csv", planted(), days))
    for arguments, told in (
        ([weekly], "(52 periods a year, by the dates; --periods gives others)"),
        ([weekly, "--periods", "50"], "(50 periods a year)"),
        ([str(written(tmp_path / "n.csv", planted()))], "(252 periods a year, assumed; --periods gives others)"),
    ):
        assert main(["overfit", *arguments]) == 0
        assert told in capsys.readouterr().out


def test_no_length_is_enough_for_a_sharpe_ratio_that_is_not_above_zero():
    losing = judge(np.random.default_rng(2).normal(-0.002, 0.01, (500, 2)), ["a", "b"])
    assert set(losing.lengths("periods")) == {"none is long enough, as the Sharpe ratio is not above 0"}
    track_record, backtest = judge(np.random.default_rng(2).normal(0.002, 0.01, (500, 2)), ["a", "b"]).lengths(
        "periods"
    )
    assert track_record.endswith(" periods for that Sharpe ratio to be above 0") and " years" in backtest


def test_the_command_prints_one_document(tmp_path, capsys):
    path = written(tmp_path / "trials.csv", planted())
    assert main(["overfit", str(path), "--json", "--blocks", "10"]) == 0
    out = json.loads(capsys.readouterr().out)
    expected = {"trials", "observations", "best", "sharpe", "psr", "dsr", "pbo", "min_track_record",
                "min_backtest_years", "verdict"}  # fmt: skip
    assert expected <= set(out) and (out["trials"], out["observations"], out["verdict"]) == (60, 1000, "edge")
    assert main(["overfit", str(path)]) == 0
    assert "0.5 = chance" in capsys.readouterr().out


def test_a_year_of_months_is_annualised_by_its_own_length(tmp_path, capsys):
    path = written(tmp_path / "trials.csv", planted())
    ratios = []
    for periods in ("12", "252"):
        assert main(["overfit", str(path), "--json", "--periods", periods]) == 0
        ratios.append(json.loads(capsys.readouterr().out)["sharpe"])
    assert ratios[1] / ratios[0] == pytest.approx((252 / 12) ** 0.5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("date,a\n1,0.1\n2,x\n", "line 3, a: x is no return"),
        ("date,a\n1,0.1\n2,\n", "line 3, a: empty is no return"),
        ("date,a\n1,0.1\n2,nan\n", "nan is no return"),
        ("date,a\n1,0.1\n2,-5\n", "would lose more than everything"),
        ("time,equity,cash\n1,100000,100000\n2,100250.5,9000\n", "line 2, equity: 100,000 is a level and no return"),
        ("date,a\n1,0.1\n2,0.1,0.2\n", "line 3 has 3 cells"),
        ("date,a,a\n1,0.1,0\n2,0.1,0\n", "two columns are named 'a'"),
        ("date,a,\n1,0.1,0\n2,0.1,0\n", "a column has no name"),
        ("date\n1\n2\n", "has one column"),
        ("a,b\n0.1,0.2\n0.2,0.1\n", "the first column, 'a', holds 0.1 and no period; put a column of dates"),
        ("date,a\n1,0.1\n3,0.1\n2,0.1\n", "line 4: the period 2 is before that of the line above, 3; sort"),
        ("date,a\n2020-01-02,0\n2020-01-03,0\n2020-01-02,0\n", "line 4: the period 2020-01-02 stands in line 2"),
        ("date,a\n2020-01-02,0\nlater,0\n", "line 3: later is no period; write dates"),
        ("date,a\n2020-01-02,0\n,0\n", "line 3: empty is no period"),
        ("date,a\n1,0.1\n", "holds 1 periods"),
        ("", "holds 0 periods"),
    ],
)
def test_a_file_that_is_no_matrix_is_refused(tmp_path, text, why):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(Refusal, match=why):
        read_matrix(path)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--blocks", "7"], "give an even number"), (["--blocks", "22"], "from 2 to 20"), (["--tried", "5"], "60 trials")],
)
def test_options_that_make_no_sense_are_refused(tmp_path, capsys, arguments, why):
    path = written(tmp_path / "trials.csv", planted())
    assert main(["overfit", str(path), *arguments]) == 2
    assert why in capsys.readouterr().err


def test_a_file_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(["overfit", str(tmp_path / "none.csv")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_trials_outside_the_matrix_deflate_a_single_one_too():
    returns = np.random.default_rng(3).normal(0.0006, 0.01, (2000, 1))
    alone, after_many = judge(returns, names(1)), judge(returns, names(1), counted=81)
    assert alone.dsr == alone.psr > 0.95 and alone.verdict == "no edge"
    # E[max] of 81 times the deviation of a Sharpe ratio that luck gives, an observation's.
    bar = expected_max(81) / math.sqrt(1999)
    assert after_many.dsr == pytest.approx(probabilistic_sharpe(moments(returns[:, 0]), bar))
    assert after_many.dsr < 0.95
    assert after_many.verdict != "edge"


def test_few_alike_do_not_escape_the_trials_before_them():
    one = np.random.default_rng(3).normal(0.0006, 0.01, 2000)
    alike = np.column_stack([one, one * (1 + 1e-6)])
    assert judge(alike, names(2)).dsr > 0.95 > judge(alike, names(2), counted=81).dsr


def test_a_trial_that_never_moves_is_best_only_where_none_moves():
    random = np.random.default_rng(5)
    losing = random.normal(-0.001, 0.01, (600, 2))
    verdict = judge(np.column_stack([np.zeros(600), losing]), ["idle", "one", "two"])
    assert verdict.best in ("one", "two") and verdict.sharpe < 0 and verdict.verdict == "no edge"
    assert math.isfinite(verdict.dsr)
    still = judge(np.zeros((600, 2)), ["idle", "idle too"])
    assert still.best == "idle" and math.isnan(still.sharpe) and still.verdict == "no edge"
