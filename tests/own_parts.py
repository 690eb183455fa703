"""A signal of another package for tests: its text is written to a file and found like an installed one."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

from strategies import registry

GROUP = "risk_first.signals"
BEGINNING = """\
import numpy as np
from strategies.signals.base import Signal
from strategies.signals.scoring import ScoredConfig
KEPT = {}
class Mine(Signal):
    name = "mine"
    kept = None
    class Config(ScoredConfig):
        floor_score: float = 50.0
    def needs(self):
        return ("close",)
    def reason(self, market, symbol):
        return "it is"
    def scores(self, market):
        silent = np.full(len(market.symbols), np.nan)
        if market.empty:
            return silent
"""


def install(monkeypatch, folder, scores: str) -> None:
    """Make ``mine`` known, whose ``scores`` ends with these lines; ``silent`` is an array of NaN."""
    name = "own_" + "".join(letter if letter.isalnum() else "_" for letter in folder.name)
    lines = "".join(f"        {line}\n" for line in scores.splitlines())
    (folder / f"{name}.py").write_text(BEGINNING + lines)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    entry = EntryPoint("mine", f"{name}:Mine", GROUP)
    monkeypatch.setattr(registry, "installed", lambda asked: (entry,) if asked == GROUP else ())
