"""Pictures of a tearsheet: the same SVG with matplotlib's detours and without them."""

from __future__ import annotations

from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from matplotlib import style
from matplotlib.backends import backend_svg
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from backtests.reports.tearsheet import lean_svg
from backtests.reports.tearsheet.lean_svg import svg_shortcuts

METADATA = {"Date": None}


def picture(file: Any, *, link: str | None = None) -> None:
    with style.context({"svg.hashsalt": "same"}):
        figure = Figure(figsize=(4, 3))
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.plot(range(40), [x * x % 7 for x in range(40)], "o", color="#123456", alpha=0.5, url=link)
        axes.plot(range(3), "s-", markerfacecolor="none", label="Équité & <Größe>")
        axes.legend()
        figure.tight_layout()
        figure.savefig(file, format="svg", metadata=METADATA)


def drawn(**how: Any) -> bytes:
    file = BytesIO()
    picture(file, **how)
    return file.getvalue()


def shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, value in svg_shortcuts():
        monkeypatch.setattr(owner, name, value)


@pytest.mark.parametrize("link", [None, "https://example.org/?a=1&b=2"])
def test_a_picture_is_the_same(link: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = drawn(link=link)
    assert usual.count(b"<use ") > 43
    shortened(monkeypatch)
    assert drawn(link=link) == usual


def test_the_look_is_worked_out_once_for_each_kind_of_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Any] = []
    real = backend_svg.RendererSVG._get_style

    def counted(*args: Any) -> Any:
        looks.append(real(*args))
        return looks[-1]

    monkeypatch.setattr(backend_svg.RendererSVG, "_get_style", counted)
    drawn()
    usual = len(looks)
    shortened(monkeypatch)
    looks.clear()
    drawn()
    assert len(looks) < usual - 30


def test_texts_are_measured_on_one_canvas_of_no_size(monkeypatch: pytest.MonkeyPatch) -> None:
    shortened(monkeypatch)
    one, other = Figure(figsize=(4, 3)), Figure(figsize=(8, 2))
    for figure in (one, other):
        FigureCanvasAgg(figure)
    measure: Any = Figure._get_renderer  # type: ignore[attr-defined]  # matplotlib's stubs leave it out
    assert measure(one) is measure(other) and measure(one).width == 1
    assert measure(one) is not measure(Figure(dpi=50))
    # What is drawn on is the canvas's own, and other canvases measure by themselves.
    assert one.canvas.get_renderer().width == 400  # type: ignore[attr-defined]  # as above
    backend_svg.FigureCanvasSVG(other)
    assert measure(other) is not measure(one)


def test_other_files_and_writers_are_written_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = drawn()
    shortened(monkeypatch)
    picture(tmp_path / "it.svg")
    assert (tmp_path / "it.svg").read_bytes() == usual
    text = StringIO()
    picture(text)
    assert text.getvalue().encode() == usual
    assert lean_svg._written_as_text(object(), "fill: none") is None
    monkeypatch.setattr(lean_svg, "_written_as_text", lambda *_args: None)
    assert drawn() == usual
