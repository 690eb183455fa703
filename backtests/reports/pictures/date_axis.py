"""A date axis whose ticks are worked out once: matplotlib asks for them fifty times before a picture is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter


class _LocatedOnce(AutoDateLocator):
    _located: tuple[tuple[float, ...], Any] = ((), None)

    def __call__(self) -> Any:
        axis: Any = self.axis
        limits = tuple(axis.get_view_interval())
        if self._located[0] != limits:
            self._located = limits, super().__call__()  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped
        return self._located[1]


class _FormattedOnce(ConciseDateFormatter):
    _formatted: tuple[tuple[float, ...], list[str]] = ((), [])

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of some ticks; the year beside the axis, which comes with them, stays for the same ticks."""
        ticks = tuple(values)
        if self._formatted[0] != ticks:
            self._formatted = ticks, super().format_ticks(values)  # type: ignore[no-untyped-call]  # as above
        return self._formatted[1]


def show_dates(axis: Axis) -> None:
    """Give an axis ticks at plain dates, with short labels."""
    locator = _LocatedOnce()  # type: ignore[no-untyped-call]  # as above
    axis.set_major_locator(locator)
    axis.set_major_formatter(_FormattedOnce(locator))  # type: ignore[no-untyped-call]  # as above
