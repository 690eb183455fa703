"""Backtests of the demonstration's bars, and what their files say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from commands.demonstration.scene import Output, Stage

FILE = "bars.csv"


@dataclass(frozen=True, slots=True)
class Run:
    """One backtest: its folder and what the command said."""

    folder: Path
    output: Output

    def table(self, name: str) -> pd.DataFrame:
        """One of its csv files."""
        return pd.read_csv(self.folder / f"{name}.csv")

    @property
    def decisions(self) -> list[dict[str, Any]]:
        lines = (self.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Decisions that became orders."""
        return [d for d in self.decisions if d["outcome"] in ("sent", "resized")]

    @property
    def refused_by(self) -> Counter[str]:
        """How many proposals each rule refused."""
        return Counter(d["verdicts"][-1]["module"] for d in self.decisions if d["outcome"] == "refused")

    def refusal(self, module: str) -> str:
        """One refusal of a rule, in words."""
        for d in self.decisions:
            if d["outcome"] == "refused" and d["verdicts"][-1]["module"] == module:
                return f"{d['time'][:10]} buy {d['symbol']}: {d['verdicts'][-1]['code']}"
        return ""


def backtest(stage: Stage, bars: pd.DataFrame, *settings: str, profile: str = "active", name: str = "run") -> Run:
    """Run the ``backtest`` command over some bars, on the engine that needs no Lumibot."""
    path = stage.folder / FILE
    if not path.exists():
        bars.to_csv(path, index=False)
    folder = stage.folder / name
    output = stage.run(
        "backtest",
        "--engine",
        "replay",
        "--no-report",
        "--quiet",
        "--profile",
        profile,
        "--data",
        str(path),
        "--benchmark",
        "SPY",
        "--out",
        str(folder),
        *stage.settings(*settings),
    )
    return Run(folder, output)
