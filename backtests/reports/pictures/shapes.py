"""The lines, bars and arrows of all trades of a sheet, drawn by kind: one by one they take matplotlib much longer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from backtests.reports.pictures.plot_style import BARS, GRID

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LineLook:
    """How level lines of a kind are drawn."""

    color: str
    width: float
    style: str = "-"
    zorder: float = 2


@dataclass(slots=True)
class Shapes:
    """The lines, bars and arrows of all trades of a sheet, in inches.

    What overlaps within a trade is drawn in the order of the attributes, and of their looks' first use.
    """

    grid: list[tuple[Point, Point]] = field(default_factory=list)
    frame: list[tuple[Point, Point]] = field(default_factory=list)
    wicks: list[tuple[Point, Point]] = field(default_factory=list)
    wick_widths: list[float] = field(default_factory=list)
    bodies: list[list[Point]] = field(default_factory=list)
    body_faces: list[str] = field(default_factory=list)
    body_widths: list[float] = field(default_factory=list)
    _levels: defaultdict[LineLook, tuple[list[float], list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: ([], []))
    )
    _arrows: defaultdict[tuple[str, str], tuple[list[float], list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: ([], []))
    )

    def level(self, look: LineLook, begins: float, ends: float, height: float) -> None:
        """Add a level line."""
        x, y = self._levels[look]
        # A value that is none parts it from the next one.
        x += (begins, ends, np.nan)
        y += (height, height, np.nan)

    def arrow(self, marker: str, color: str, x: float, y: float) -> None:
        """Add an arrow; ``marker`` as matplotlib names it."""
        places = self._arrows[marker, color]
        places[0].append(x)
        places[1].append(y)

    def draw(self, axes: Axes) -> None:
        """Draw everything into axes that count in inches and whose limits are set."""
        lines: Sequence[tuple[Any, dict[str, Any]]] = (
            (self.grid, {"colors": GRID["color"], "linewidths": GRID["linewidth"], "zorder": 0}),
            (self.frame, {"colors": "black", "linewidths": 0.8}),
            (self.wicks, {"colors": BARS, "linewidths": self.wick_widths}),
        )
        for segments, named in lines:
            axes.add_collection(LineCollection(segments, **named), autolim=False)
        bodies = PolyCollection(self.bodies, facecolors=self.body_faces, edgecolors=BARS, linewidths=self.body_widths)
        axes.add_collection(bodies, autolim=False)
        for look, (x, y) in self._levels.items():
            axes.plot(x, y, color=look.color, linewidth=look.width, linestyle=look.style, zorder=look.zorder)
        for (marker, color), (x, y) in self._arrows.items():
            axes.scatter(x, y, s=60, marker=marker, color=color, linewidths=0, zorder=5)
