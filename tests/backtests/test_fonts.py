"""Fonts in memory: the same letters, and nothing of it afterwards."""

from __future__ import annotations

from io import BytesIO

import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from backtests.reports.pictures.fonts import fonts_in_memory

FONT = font_manager.findfont("DejaVu Sans")


def picture() -> bytes:
    figure = Figure(figsize=(3, 1))
    canvas = FigureCanvasAgg(figure)
    figure.text(0.1, 0.5, "Équité +1,234.5 → −7%", fontweight="bold")
    # A letter that the font has not is looked for in the others, the last resort among them.
    figure.text(0.1, 0.1, "Ω", rotation=30)
    canvas.draw()
    return bytes(canvas.buffer_rgba())


def test_letters_are_the_same() -> None:
    usual = picture()
    with fonts_in_memory():
        assert isinstance(font_manager.get_font(FONT).fname, BytesIO)
        assert picture() == usual
    assert font_manager.get_font(FONT).fname == FONT
    assert picture() == usual


def test_a_font_that_was_open_is_opened_anew() -> None:
    before = font_manager.get_font(FONT)
    with pytest.raises(ValueError, match="as usual"), fonts_in_memory():
        assert font_manager.get_font(FONT) is not before
        raise ValueError("as usual")
    assert font_manager.get_font(FONT).fname == FONT


def test_a_matplotlib_that_opens_its_fonts_otherwise_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = picture()
    monkeypatch.setattr(font_manager, "_get_font", font_manager._get_font.__wrapped__)
    with fonts_in_memory():
        assert font_manager.get_font(FONT).fname == FONT
        assert picture() == usual
