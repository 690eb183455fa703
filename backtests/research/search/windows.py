"""Train and test windows of a walk-forward, by the calendar of the data's sessions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal
from market.bars import BarTable

_UNITS = {"D": "days", "W": "weeks", "M": "months", "Y": "years"}


@dataclass(frozen=True, slots=True)
class Window:
    """First and last bar, by their opening, that are decided on in train and in test."""

    number: int
    train_start: pd.Timestamp
    train_end: pd.Timestamp
    test_start: pd.Timestamp
    test_end: pd.Timestamp


def span(text: str, option: str) -> pd.DateOffset:
    """A calendar length: ``6M``, ``1Y``, ``8W``, ``90D``."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([DWMY])", text.strip().upper())
    if not found:
        raise Refusal(f"{option} {text}: write a number and D, W, M or Y, e.g. 6M")
    length: dict[str, Any] = {_UNITS[found[2]]: int(found[1])}
    return pd.DateOffset(**length)


def windows(
    table: BarTable,
    start: pd.Timestamp,
    end: pd.Timestamp,
    train: pd.DateOffset,
    test: pd.DateOffset,
    *,
    anchored: bool = False,
    purge: int = 0,
    embargo: int = 1,
    min_train_bars: int = 1,
) -> list[Window]:
    """Windows that follow one another without a gap in the test periods; the last may be shorter.

    Parameters
    ----------
    table : BarTable
    start, end : Timestamp
        First and last bar of all windows.
    train, test : DateOffset
        Lengths.
    anchored : bool, default=False
        Every training window begins at ``start`` and grows.
    purge, embargo : int
        Sessions left out at the end of each training window.
    min_train_bars : int
        Bars that each training window must have.

    Raises
    ------
    Refusal
        If the data are too short for a single window, or a training window has too few bars.
    """
    opens = table.opens_at[(table.opens_at >= start) & (table.opens_at <= end)]
    sessions = opens.normalize().unique()
    found: list[Window] = []
    begins = sessions[0]
    seam = begins + train
    while seam <= sessions[-1]:
        until = seam + test
        tested = opens[(opens >= seam) & (opens < until)]
        learned = sessions[(sessions >= (sessions[0] if anchored else begins)) & (sessions < seam)]
        learned = learned[: max(0, len(learned) - purge - embargo)]
        days = set(learned)
        trained = opens[np.array([day in days for day in opens.normalize()], dtype=bool)]
        if len(tested):
            if len(trained) < min_train_bars:
                raise Refusal(
                    f"--train: the window before {seam:%Y-%m-%d} has {len(trained)} bars, {min_train_bars} are needed "
                    "to choose on; give a longer --train, or a smaller --purge or --embargo"
                )
            found.append(Window(len(found), trained[0], trained[-1], tested[0], tested[-1]))
        begins, seam = begins + test, until
    if not found:
        raise Refusal(
            f"the data from {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d} are too short for one --train and a test "
            "after it; give more data or a shorter --train"
        )
    return found
