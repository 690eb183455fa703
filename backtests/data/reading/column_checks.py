"""Which row of a file is wrong, and columns that hold no prices or volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from config.errors import Refusal


def row_number(bad: pd.Series[Any]) -> int:
    """Number of the first faulty row, counted from 1 after the header."""
    return int(bad.index[int(np.argmax(bad.to_numpy(dtype=bool)))]) + 1


def where(frame: pd.DataFrame, bad: pd.Series[Any]) -> str:
    """Symbol, time and row of the first bar that is wrong."""
    bar = frame.iloc[int(np.argmax(bad.to_numpy(dtype=bool)))]
    return f"{bar['symbol']} {bar['datetime']:%Y-%m-%d %H:%M} at row {row_number(bad)}"


def check_column(frame: pd.DataFrame, name: str, values: pd.Series[Any], path: Path) -> None:
    """Refuse a column, called ``name`` in messages, with what can be no price, or no volume."""
    bad = values.isin([np.inf, -np.inf]) | values.isna()
    if bad.any():
        raise Refusal(f"{path}: {name} of {where(frame, bad)} is not a number; fill it or remove the row")
    wrong = values < 0 if name == "volume" else values <= 0
    if wrong.any():
        what = "negative" if name == "volume" else "not above zero"
        raise Refusal(f"{path}: {name} of {where(frame, wrong)} is {what}; correct or remove the row")
