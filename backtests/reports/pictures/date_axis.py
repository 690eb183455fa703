"""A date axis whose ticks are worked out once: matplotlib asks for them fifty times before a picture is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter


def located_once(locate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A locator's call that works its ticks out once for the same limits."""

    def once(locator: Any) -> Any:
        limits = tuple(locator.axis.get_view_interval())
        known = vars(locator).get("_located_once")
        if known is None or known[0] != limits:
            known = locator._located_once = limits, locate(locator)
        return known[1]

    return once


class _LocatedOnce(AutoDateLocator):
    def __call__(self) -> Any:
        return located_once(AutoDateLocator.__call__)(self)


class _FormattedOnce(ConciseDateFormatter):
    _formatted: tuple[tuple[float, ...], list[str]] = ((), [])

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of some ticks; the year beside the axis, which comes with them, stays for the same ticks."""
        ticks = tuple(values)
        if self._formatted[0] != ticks:
            self._formatted = ticks, super().format_ticks(values)  # type: ignore[no-untyped-call]  # matplotlib.dates is untyped
        return self._formatted[1]


def show_dates(axis: Axis) -> None:
    """Give an axis ticks at plain dates, with short labels."""
    locator = _LocatedOnce()  # type: ignore[no-untyped-call]  # as above
    axis.set_major_locator(locator)
    axis.set_major_formatter(_FormattedOnce(locator))  # type: ignore[no-untyped-call]  # as above
