"""The date axis of our pictures: matplotlib's own ticks and labels, each worked out once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from backtests.reports.pictures.date_axis import show_dates


@pytest.mark.parametrize("days", [0.1, 3, 200, 4_000])
def test_ticks_are_those_of_matplotlib_and_follow_the_limits(days: float) -> None:
    figure = Figure()
    ours, theirs = figure.subplots(1, 2)
    locator: Any = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped
    theirs.xaxis.set_major_locator(locator)
    theirs.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # as above
    show_dates(ours.xaxis)
    first = datetime(2020, 3, 5, tzinfo=UTC)
    for length in (days, days * 5, days):
        for axes in (ours, theirs):
            axes.set_xlim(first, first + timedelta(days=length))  # type: ignore[arg-type]  # dates are units of it
        found = [
            (list(axes.xaxis.get_majorticklocs()), [text.get_text() for text in axes.get_xticklabels()])
            for axes in (ours, theirs)
        ]
        assert found[0] == found[1]
        offsets = [axes.xaxis.get_major_formatter().get_offset() for axes in (ours, theirs)]
        assert offsets[0] == offsets[1]


def test_a_drawing_works_its_ticks_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for kind, name in ((AutoDateLocator, "__call__"), (ConciseDateFormatter, "format_ticks")):
        real: Any = getattr(kind, name)

        def counted(*args: Any, real: Any = real, name: str = name) -> Any:
            asked.append(name)
            return real(*args)

        monkeypatch.setattr(kind, name, counted)
    figure = Figure(layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)], [0, 1])  # type: ignore[arg-type]  # dates are units of it
    show_dates(axes.xaxis)
    canvas.draw()
    assert asked.count("format_ticks") == 1 and asked.count("__call__") <= 3
