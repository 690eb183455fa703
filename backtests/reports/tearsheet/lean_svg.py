"""Matplotlib as it draws the pictures of a tearsheet, the same lines of SVG in less time."""

from __future__ import annotations

from functools import wraps
from io import BytesIO, StringIO
from typing import Any


def svg_shortcuts() -> list[tuple[Any, str, Any]]:
    """What to put where: owner, attribute and value.

    Matplotlib encodes each word of a picture by itself, works out the look of each of thousands of outliers that look
    the same, and makes a canvas for each picture to measure its texts on, although it draws on another one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
    from matplotlib.figure import Figure

    canvases: Any = FigureCanvasSVG
    renderers: Any = RendererSVG
    figures: Any = Figure
    measuring: Any = RendererAgg
    if not (hasattr(figures, "_get_renderer") and hasattr(renderers, "_get_style")):
        # A matplotlib that is made in another way draws as it does.
        return []
    print_svg, draw_markers, get_renderer = canvases.print_svg, renderers.draw_markers, figures._get_renderer
    measures: dict[float, Any] = {}

    @wraps(print_svg)
    def encoded_once(canvas: Any, file: Any, **named: Any) -> None:
        if not isinstance(file, BytesIO):
            print_svg(canvas, file, **named)
            return
        text = StringIO()
        print_svg(canvas, text, **named)
        file.write(text.getvalue().encode())

    @wraps(draw_markers)
    def drawn_alike(renderer: Any, gc: Any, *args: Any) -> None:
        look = renderer._get_style(gc, args[4] if len(args) > 4 else None)
        writer = renderer.writer
        renderer._get_style = lambda *_args: look
        written = _written_as_text(writer, look)
        if written is not None:
            writer.element = written
        try:
            draw_markers(renderer, gc, *args)
        finally:
            del renderer._get_style
            vars(writer).pop("element", None)

    def measured_on_one(figure: Any) -> Any:
        if type(figure.canvas) is not FigureCanvasAgg:
            return get_renderer(figure)
        if figure.dpi not in measures:
            measures[figure.dpi] = measuring(1, 1, figure.dpi)
        return measures[figure.dpi]

    return [
        (FigureCanvasSVG, "print_svg", encoded_once),
        (RendererSVG, "draw_markers", drawn_alike),
        (Figure, "_get_renderer", measured_on_one),
    ]


def _written_as_text(writer: Any, look: str) -> Any:
    """The writer's ``element`` for markers of one look; None for a writer that is made otherwise."""
    parts: list[Any] = [
        getattr(writer, f"_XMLWriter__{name}", None) for name in ("flush", "write", "indentation", "tags")
    ]
    if None in parts or not look or set(look) & set('"&<>\n'):
        return None
    flush, write, indentation, tags = parts
    element = writer.element

    def written(tag: str, text: str | None = None, attrib: Any = None, **extra: Any) -> None:
        if tag != "use" or text or extra or tuple(attrib) != ("xlink:href", "x", "y", "style"):
            element(tag, text, attrib, **extra)
            return
        flush()
        place = f'x="{attrib["x"]}" y="{attrib["y"]}"'
        write(f'{indentation[: len(tags)]}<use xlink:href="{attrib["xlink:href"]}" {place} style="{look}"/>\n')

    return written
