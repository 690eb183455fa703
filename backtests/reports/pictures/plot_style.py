"""Colours and finish that the pictures of a run share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Told apart in grey and by colour-blind readers (Okabe-Ito).
EQUITY, BENCHMARK, SAME_RISK, LOSS, GAIN, BARS = "#0072B2", "#8C8C8C", "#B07AA1", "#D55E00", "#009E73", "#4D4D4D"
ENTRY = EQUITY
GRID: dict[str, Any] = {"color": "#E6E6E6", "linewidth": 0.8}
DPI = 110


def plain_axes(axes: Axes) -> None:
    """A light grid behind the data, and no frame at the top and at the right."""
    axes.grid(True, **GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG; where the file is, it is whole."""
    unfinished = path.with_name(path.name + ".tmp")
    if (engine := figure.get_layout_engine()) is not None:
        # Laid out here, as ``savefig`` would do in a rendering of its own that nobody sees.
        engine.execute(figure)
        figure.set_layout_engine(None)
    # Half the time of the usual level for a tenth more bytes; the pixels are the same.
    figure.savefig(unfinished, format="png", pil_kwargs={"compress_level": 2})
    unfinished.replace(path)
