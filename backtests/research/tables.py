"""Tables of the research commands as CSV text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from backtests.reports.formatting import cell


def csv_rows(rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file of rows of values, the header among them; numbers are plain decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else cell(value)
