#!/usr/bin/env python
"""How often the lab's verdict is right: studies on noise, and on noise with an edge planted in it.

Noise is the embedded stocks' own history: its sessions are shuffled in blocks, the same for all symbols, and each
symbol's mean return is taken away, so that nothing can be earned but by luck. The planted edge is a recovery: after a
fall over three sessions a symbol rises by so much a session for the next ones. Each study is a grid of the same size,
judged as `optimise` judges it, on a register of its own. The table is what the verdicts were.

    tools/lab_tables.py --studies 100 --out tables.jsonl      # goes on where it was interrupted
    tools/lab_tables.py --show tables.jsonl
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import numpy as np

from backtests.data.data_sets import load_data
from backtests.request import EMBEDDED_OVERLAY
from backtests.research.overfit import judge
from backtests.research.search.trials import TrialContext, run_trial
from config import load
from market.bars import BarTable

SIGNALS, STOPS = ("mean_reversion", "momentum", "trend"), (0.04, 0.06, 0.08)
GRID = [
    {"signals.enabled": [signal], "exits.models.fixed.stop_frac": stop}
    for signal, stop in itertools.product(SIGNALS, STOPS)
]
"""Only some of a grid's trials can use the planted edge: where all share it, their ranks are chance, and so is PBO."""
OVERRIDES = {
    "risk.chain": ["exposure_budget", "cash_buffer"],
    "signals.modules.mean_reversion.oversold_rsi": 40.0,
    "risk.modules.exposure_budget.week_frac": 0.8,
}
BLOCK, WARM = 21, 60
"""Sessions of a block, and of the history before the first decision."""
FALL, RISE, SESSIONS = -0.03, 0.045, 3
"""The planted edge: after such a fall over so many sessions each of the next ones rises by so much more."""
KINDS = ("noise", "planted")
RIGHT = {"noise": ("no edge", "overfit", "too short"), "planted": ("edge",)}


def main(arguments: Sequence[str]) -> int:
    """Run what is missing of both tables, or show what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100, help="studies of each kind")
    parser.add_argument("--bars", type=int, default=2_000, help="sessions of a study")
    parser.add_argument("--out", type=Path, default=Path("lab_tables.jsonl"), help="a line for each study")
    parser.add_argument("--show", type=Path, help="only show the table of such a file")
    asked = parser.parse_args(arguments)
    if asked.show is None:
        run(asked.studies, asked.bars, asked.out)
    print(table([json.loads(line) for line in (asked.show or asked.out).read_text(encoding="utf-8").splitlines()]))
    return 0


def run(studies: int, bars: int, out: Path) -> None:
    """Make the studies that the file does not hold yet."""
    done = set()
    if out.is_file():
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        done = {(row["kind"], row["seed"], row["bars"]) for row in rows}
    settings = load("active", overlays=[EMBEDDED_OVERLAY], overrides=OVERRIDES)
    data = load_data("embedded", list(settings.universe.traded), None, None, intraday=False, seed=0)
    with out.open("a", encoding="utf-8") as file:
        for seed, kind in itertools.product(range(studies), KINDS):
            if (kind, seed, bars) not in done:
                began = time.perf_counter()
                found = study(data.table, settings.as_dict(), kind, seed, bars)
                took = round(time.perf_counter() - began, 2)
                file.write(json.dumps({"kind": kind, "seed": seed, "bars": bars, **found, "seconds": took}) + "\n")
                file.flush()


def study(source: BarTable, settings: dict[str, Any], kind: str, seed: int, bars: int) -> dict[str, Any]:
    """One grid on one made market, and the verdict on it."""
    made = made_market(source, np.random.default_rng(seed), bars, edge=kind == "planted")
    context = TrialContext(f"{kind}-{seed}", settings, made, made.opens_at[WARM], made.opens_at[-1], 252)
    trials = [run_trial(context, parameters) for parameters in GRID]
    returns = np.column_stack([trial.returns for trial in trials])
    verdict = judge(
        returns,
        [str(k) for k in range(len(trials))],
        periods=252,
        counted=len(trials),
        trades=[trial.trades for trial in trials],
    )
    return {
        "verdict": verdict.verdict,
        "sharpe": verdict.sharpe,
        "dsr": verdict.dsr,
        "pbo": verdict.pbo,
        "trades": max(trial.trades for trial in trials),
    }


def made_market(source: BarTable, random: np.random.Generator, bars: int, *, edge: bool) -> BarTable:
    """The source's sessions in blocks at random, without drift, and with the edge where it is wanted."""
    starts = random.integers(1, len(source) - BLOCK, -(-bars // BLOCK))
    rows = (starts[:, np.newaxis] + np.arange(BLOCK)).ravel()[:bars]
    before = source.close[rows - 1]
    shapes = {name: getattr(source, name)[rows] / before for name in ("open", "high", "low", "close")}
    # A symbol that was not listed yet stands still in those sessions.
    shapes = {name: np.where(np.isfinite(shape), shape, 1.0) for name, shape in shapes.items()}
    returns = shapes["close"] - 1
    moved = returns - returns.mean(axis=0)
    if edge:
        for row in range(SESSIONS, bars):
            moved[row] += np.where(moved[row - SESSIONS : row].sum(axis=0) < FALL, RISE, 0.0)
    shift = (1 + moved) / (1 + returns)
    close = 50 * np.cumprod(1 + moved, axis=0)
    last = np.vstack([np.full(close.shape[1], 50.0), close[:-1]])
    prices = {name: last * (1 + (shapes[name] - 1)) * shift for name in ("open", "high", "low")}
    prices["high"] = np.maximum.reduce([prices["high"], prices["open"], close])
    prices["low"] = np.minimum.reduce([prices["low"], prices["open"], close])
    head = source.head(bars)
    volume = np.full(close.shape, 1e6)
    return replace(head, **prices, close=close, volume=volume, source="made up", left_out={})


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The verdicts by kind as markdown."""
    lines = [
        "| market | studies | verdict right | edge | no edge | overfit | too short | median DSR | median PBO |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind]
        if not mine:
            continue
        said = Counter(row["verdict"] for row in mine)
        right = sum(said[verdict] for verdict in RIGHT[kind])
        dsr = np.median([row["dsr"] for row in mine])
        pbo = np.median([row["pbo"] for row in mine if row["pbo"] is not None])
        counts = " | ".join(str(said[verdict]) for verdict in ("edge", "no edge", "overfit", "too short"))
        lines.append(f"| {kind} | {len(mine)} | {right} of {len(mine)} | {counts} | {dsr:.2f} | {pbo:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
