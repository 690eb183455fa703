#!/usr/bin/env python
"""Write the falls of backtests/research/shock from the S&P 500's closes that skfolio brings along (BSD-3-Clause).

Usage: build_shock_paths.py

Each file has the move of every session from the close before, in hundredths of a percent.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from skfolio.datasets import load_sp500_index

FOLDER = Path(__file__).parents[1] / "backtests" / "research" / "shock"
SPANS = {"pandemic_2020": ("2020-02-20", "2020-03-23"), "inflation_2022": ("2022-01-04", "2022-10-12")}


def main() -> None:
    moves = load_sp500_index()["SP500"].pct_change().mul(1e4).round().astype("Int64")
    for name, (first, last) in SPANS.items():
        rows = [f"{day:%Y-%m-%d},{move}" for day, move in moves.loc[first:last].items()]
        (FOLDER / f"{name}.csv").write_text("\n".join(["date,close", *rows, ""]), encoding="utf-8")
        print(f"{name}: {len(rows)} sessions")


if __name__ == "__main__":
    main()
