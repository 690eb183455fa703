"""The equity picture is drawn for every kind of run, the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backtests.reports.pictures import plot_style
from backtests.reports.pictures.equity_plot import _benchmarks, plot_equity, risk_share
from brokers.record import RunRecord
from tests.backtests.pictures import size
from tests.backtests.sample import sample_info, sample_record, sample_table

TABLE = sample_table(120)
RECORD = sample_record(TABLE)


def test_equity(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plot_equity(tmp_path / name, RECORD, sample_info(TABLE))
    assert size(tmp_path / "a.png")[0] > 1000
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_equity_without_benchmark_and_of_an_empty_run(tmp_path: Path) -> None:
    info = replace(sample_info(TABLE), benchmark="", benchmark_closes=None, notes=())
    plot_equity(tmp_path / "a.png", RECORD, info)
    plot_equity(tmp_path / "b.png", RunRecord(initial_equity=100.0), sample_info(TABLE))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_short_run_is_drawn_bar_by_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    plot = Axes.plot

    def count(self: Axes, x: Any, *others: Any, **look: Any) -> Any:
        drawn.append(len(x))
        return plot(self, x, *others, **look)

    monkeypatch.setattr(Axes, "plot", count)
    few = replace(RECORD, equity=RECORD.equity[:8])
    plot_equity(tmp_path / "a.png", few, replace(sample_info(TABLE), benchmark="", benchmark_closes=None))
    assert drawn[0] == 9


@pytest.mark.parametrize(("factor", "log"), [(1.5, False), (20.0, True)])
def test_the_scale_is_logarithmic_where_curves_differ_much(
    factor: float, log: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scales: list[str] = []
    monkeypatch.setattr(Axes, "set_yscale", lambda self, scale: scales.append(scale))
    info = sample_info(TABLE)
    assert info.benchmark_closes is not None
    grown = info.benchmark_closes.iloc[0] * np.linspace(1, factor, len(info.benchmark_closes))
    closes = pd.Series(grown, index=info.benchmark_closes.index)
    plot_equity(tmp_path / "a.png", RECORD, replace(info, benchmark_closes=closes))
    assert scales == (["log"] if log else [])


def test_the_cash_beside_the_same_risk_earns_what_idle_cash_does() -> None:
    index = pd.date_range("2023-01-02 16:00", periods=366, tz="America/New_York")
    rng = np.random.default_rng(1)
    closes = pd.Series(100 * np.cumprod(1 + rng.normal(0, 0.01, 366)), index=index)
    calm = pd.Series(100 * np.cumprod(1 + closes.pct_change().fillna(0).to_numpy() / 2), index=index)
    ends = []
    for rate in (0.0, 0.04):
        info = replace(sample_info(TABLE), benchmark_closes=closes, fill_assumptions={"cash_interest_frac": rate})
        same = _benchmarks(RECORD, info, calm, index.tz)[1].values
        ends.append(float(same.iloc[-1]))
    assert ends[1] / ends[0] == pytest.approx(np.exp(0.02), rel=1e-3)


def test_the_same_risk_is_a_share_of_the_benchmark() -> None:
    rng = np.random.default_rng(1)
    moves = rng.normal(0, 0.01, 300)
    wild = pd.Series(100 * np.cumprod(1 + moves))
    calm = pd.Series(100 * np.cumprod(1 + moves / 4))
    assert risk_share(calm, wild) == pytest.approx(0.25)
    # The benchmark would have to be bought on credit.
    assert risk_share(wild, calm) is None
    assert risk_share(pd.Series([1.0, 1.0, 1.0]), wild) is None


def test_a_picture_is_laid_out_as_matplotlib_does_it(tmp_path: Path) -> None:
    def figure() -> Figure:
        drawn = Figure(figsize=(4, 3), dpi=60, layout="constrained")
        for axes in drawn.subplots(2, 1, sharex=True):
            axes.plot([1, 2_000_000], [3, 4_000_000])
            axes.set_title("a title")
        return drawn

    plot_style.save(figure(), tmp_path / "ours.png")
    figure().savefig(tmp_path / "theirs.png")
    ours, theirs = (image.imread(tmp_path / f"{name}.png") for name in ("ours", "theirs"))
    np.testing.assert_array_equal(ours, theirs)
