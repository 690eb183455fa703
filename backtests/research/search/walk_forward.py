"""Walk-forward: choose on the past, trade the window after it, go on, and judge what was traded.

Each window's search is a study of its own, whose trials are registered like any other's. Test windows are traded by
one account without a break: what is open at a seam is not closed there but kept under the settings it was opened with.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtests.replay.engine import undisturbed
from backtests.replay.segments import Segment, SegmentedRun
from backtests.reports.formatting import csv_text, to_json_indented, write_text
from backtests.reports.metrics import Figure, curve_metrics, excess_returns, growth, session_closes
from backtests.reports.run_files import EQUITY_COLUMNS, TRADE_COLUMNS
from backtests.research.search.executors import Executor
from backtests.research.search.registry import Entry, TrialRegistry
from backtests.research.search.space import Space
from backtests.research.search.study import Plan, Study
from backtests.research.search.trials import Chosen, TrialContext, all_settings, require_keys, settings_with
from backtests.research.search.walk_report import walk_report
from backtests.research.search.windows import Window
from backtests.research.statistics import (
    Moments,
    deflated_sharpe,
    min_track_record,
    moments,
    probabilistic_sharpe,
    sharpe_ratio,
)
from backtests.research.tables import csv_rows
from brokers.record import RunRecord
from config.errors import Refusal
from config.research import research
from config.values.counting import counted

STUDY = "walk-forward"


@dataclass(frozen=True, slots=True)
class Walked:
    """A finished walk-forward: ``record`` is of the test windows."""

    chosen: list[Chosen]
    record: RunRecord
    document: dict[str, Any]


def walk_forward(
    folder: Path,
    context: TrialContext,
    windows: list[Window],
    space: Space,
    plan: Plan,
    executor: Executor,
    registry: TrialRegistry,
    data_hash: str,
    on_trial: Callable[[int], Any] = lambda _: None,
    notes: tuple[str, ...] = (),
) -> Walked:
    """Carry a walk-forward out, or go on with it, and write its files.

    Parameters
    ----------
    folder : Path
        ``summary.json``, ``windows.csv``, ``equity.csv``, ``trades.csv`` and ``report.html``; each window's study lies
        below ``windows``.
    windows : list of Window
    context, space, plan, executor, registry, data_hash, on_trial, notes
        See ``optimise``; ``plan.trials`` are each window's.

    Raises
    ------
    Refusal
        If a search can't be carried out or no configuration of a window made the trades that judging needs.
    """
    begun = time.perf_counter()
    known = all_settings(context.settings)
    require_keys(known, list(space.distributions), "--search" if space.grid is None else "--grid")
    space = space.typed(known)
    chosen = [
        _choose(folder, context, window, space, plan, executor, registry, data_hash, on_trial) for window in windows
    ]
    name = _name(context, windows, space, plan, data_hash)
    # The test of what was chosen is a trial on these data like those it was chosen from.
    registry.add([Entry(data_hash, name, 0, {}, (_iso(windows[0].test_start), _iso(windows[-1].test_end)))])
    segments = [Segment(c.window.test_start, settings_with(context.settings, c.trial.parameters)) for c in chosen]
    with undisturbed():
        run = SegmentedRun(segments, context.table, windows[-1].test_end, context.columns)
        run.run()
    closes = session_closes(run.record)
    measured = [_tested(run.record, closes, window, context) for window in windows]
    document = _document(name, chosen, measured, run.record, closes, context, plan, registry, data_hash, notes)
    document["seconds"] = round(time.perf_counter() - begun, 3)
    write_text(folder / "windows.csv", _windows_csv(chosen, measured))
    write_text(folder / "equity.csv", csv_text(EQUITY_COLUMNS, run.record.equity))
    write_text(folder / "trades.csv", csv_text(TRADE_COLUMNS, run.record.trades))
    write_text(folder / "report.html", walk_report(document, chosen, measured, closes))
    # The summary comes last: where it is, the folder is complete.
    write_text(folder / "summary.json", to_json_indented(document) + "\n")
    return Walked(chosen, run.record, document)


def _choose(
    folder: Path,
    context: TrialContext,
    window: Window,
    space: Space,
    plan: Plan,
    executor: Executor,
    registry: TrialRegistry,
    data_hash: str,
    on_trial: Callable[[int], Any],
) -> Chosen:
    """The best configuration of a training window; nothing of the test window is read."""
    last = int(context.table.opens_at.searchsorted(window.train_end, side="right"))
    # The table ends with the training window, so that not even a mistake could look beyond it.
    inner = TrialContext(
        f"{context.key}-{window.number}-{window.train_start}-{window.train_end}",
        context.settings,
        context.table.head(last),
        window.train_start,
        window.train_end,
        context.sessions_per_year,
    )
    place = folder / "windows" / f"{window.number:02d}"
    result = Study(place, inner, space, replace(plan, seed=plan.seed + window.number), registry, data_hash).run(
        executor, on_trial
    )
    least = research().walk_forward.min_trades
    able = {n: t for n, t in result.trials.items() if t.trades >= least}
    if not able:
        most = max(t.trades for t in result.trials.values())
        raise Refusal(
            f"window {window.number}, {window.train_start:%Y-%m-%d} to {window.train_end:%Y-%m-%d}: no trial made "
            f"{least} trades, the most were {most}; give a longer --train or more symbols"
        )
    best = max(able, key=lambda n: (able[n].objective(plan.objective), -n))
    return Chosen(window, best, able[best], len(result.trials) + result.failed)


def _tested(record: RunRecord, closes: pd.Series, window: Window, context: TrialContext) -> dict[str, Figure]:
    """Figures of one test window, from the equity at its beginning to that at its end."""
    opens = window.test_start
    inside = closes[(closes.index > opens) & (closes.index <= _day_after(window.test_end))]
    before = closes[closes.index <= opens]
    curve = pd.concat([before.iloc[-1:] if len(before) else closes.iloc[:1], inside])
    # The first value is the close of the session before the window, which a close at midnight ends.
    curve.index = curve.index - pd.Timedelta(microseconds=1)
    figures = curve_metrics(curve, context.sessions_per_year, context.cash_rate)
    trades = sum(window.test_start <= t.entry_time <= _day_after(window.test_end) for t in record.trades)
    return {**figures, "trades": trades, "sessions": len(inside)}


def _day_after(moment: pd.Timestamp) -> pd.Timestamp:
    return moment.normalize() + pd.Timedelta(days=1)


def _document(
    name: str,
    chosen: list[Chosen],
    measured: list[dict[str, Figure]],
    record: RunRecord,
    closes: pd.Series,
    context: TrialContext,
    plan: Plan,
    registry: TrialRegistry,
    data_hash: str,
    notes: tuple[str, ...],
) -> dict[str, Any]:
    values = closes.to_numpy(dtype=float)
    found = moments(excess_returns(closes, context.cash_rate))
    figures = curve_metrics(closes, context.sessions_per_year, context.cash_rate)
    studies = len({e["study"] for e in registry.entries() if e["data"] == data_hash and e["study"].startswith(STUDY)})
    scale = math.sqrt(context.sessions_per_year)
    # Of a window that is too short for a ratio a year there is one of a session all the same.
    ratios = np.array(
        [c.trial.sharpe / scale if c.trial.sharpe_known else sharpe_ratio(c.trial.returns) for c in chosen]
    )
    variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    out = [m["total_return"] or 0.0 for m in measured]
    train_years = [_years(c.window.train_start, c.window.train_end) for c in chosen]
    train = [growth(1.0, 1 + c.trial.total_return, y) or 0.0 for c, y in zip(chosen, train_years, strict=True)]
    years = _years(chosen[0].window.test_start, chosen[-1].window.test_end)
    test_rate = growth(float(values[0]), float(values[-1]), years) or 0.0
    mean_train = float(np.mean(train))
    sharpes = [float(m["sharpe"]) for m in measured if m["sharpe"] is not None]
    document: dict[str, Any] = {
        "study": name,
        "data_hash": data_hash,
        "objective": plan.objective,
        "sampler": plan.sampler,
        "seed": plan.seed,
        "windows": len(chosen),
        "test_start": _iso(chosen[0].window.test_start),
        "test_end": _iso(chosen[-1].window.test_end),
        "trials": sum(c.trials for c in chosen),
        "trials_ever": registry.count(data_hash),
        "walk_forwards_ever": studies,
        "initial_equity": record.initial_equity,
        "final_equity": float(values[-1]),
        "metrics": {**figures, "trades": len(record.trades)},
        "psr": probabilistic_sharpe(found),
        "dsr": deflated_sharpe(found, max(1, studies), variance),
        "min_track_record": min_track_record(found, confidence=research().overfit.min_confidence),
        "efficiency": test_rate / mean_train if mean_train > 0 else None,
        "windows_above_zero": float(np.mean([value > 0 for value in out])),
        "sharpe_deviation": float(np.std(sharpes, ddof=1)) if len(sharpes) > 1 else None,
        "parameters": _stability(chosen),
        "fill_assumptions": {k: v for k, v in context.settings["fills"].items() if v is not None},
        "notes": list(notes),
    }
    document["verdict"], document["sentence"] = _verdict(document, found, mean_train, test_rate, context)
    return document


def _verdict(
    document: dict[str, Any], found: Moments, train: float, test: float, context: TrialContext
) -> tuple[str, str]:
    rules, trades = research().overfit, document["metrics"]["trades"]
    visible = Moments(rules.visible_sharpe / math.sqrt(context.sessions_per_year), 0.0, 3.0, found.observations)
    sharpe = found.sharpe * math.sqrt(context.sessions_per_year)
    figures = (
        f"Sharpe {sharpe:.2f} out of sample, deflated {document['dsr']:.2f} over "
        f"{counted(document['walk_forwards_ever'], 'walk-forward')} on these data, "
        f"{document['windows_above_zero']:.0%} of {counted(document['windows'], 'window')} above zero"
    )
    if found.observations < min_track_record(visible, confidence=rules.min_confidence):
        told = ("too short", "the test windows together are too short to say whether it is more than luck")
    elif document["dsr"] >= rules.min_confidence and document["windows_above_zero"] > 0.5 and trades < rules.min_trades:
        made = f"the test windows together made {counted(trades, 'trade')}"
        told = ("too short", f"{made}, and {rules.min_trades} are the least to judge by")
    elif document["dsr"] >= rules.min_confidence and document["windows_above_zero"] > 0.5:
        told = ("edge", "what was chosen on the past held in the windows after it")
    elif train > 0 and test <= 0:
        told = ("overfit", "what was chosen on the past earned there and lost in the windows after it")
    else:
        told = ("no edge", "what was chosen on the past shows nothing afterwards that luck does not explain")
    return told[0], f"{told[1]}; {figures}."


def _stability(chosen: list[Chosen]) -> dict[str, Any]:
    """How far each chosen parameter moved from window to window."""
    found: dict[str, Any] = {}
    for key in chosen[0].trial.parameters:
        values = [c.trial.parameters[key] for c in chosen]
        usual, times = Counter(map(str, values)).most_common(1)[0]
        entry: dict[str, Any] = {"values": values, "usual": usual, "usual_share": times / len(values)}
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            entry |= {"low": min(values), "high": max(values)}
        found[key] = entry
    return found


def _windows_csv(chosen: list[Chosen], measured: list[dict[str, Figure]]) -> str:
    keys = list(chosen[0].trial.parameters)
    header = [
        "window",
        "train_start",
        "train_end",
        "test_start",
        "test_end",
        "trials",
        *keys,
        "train_sharpe",
        "train_return",
        "train_trades",
        "test_sharpe",
        "test_return",
        "test_drawdown",
        "test_trades",
    ]
    rows: list[list[Any]] = [header]
    for c, m in zip(chosen, measured, strict=True):
        w, t = c.window, c.trial
        rows.append(
            [
                w.number,
                *map(_iso, (w.train_start, w.train_end, w.test_start, w.test_end)),
                c.trials,
                *[t.parameters[key] for key in keys],
                t.sharpe,
                t.total_return,
                t.trades,
                m["sharpe"],
                m["total_return"],
                m["max_drawdown"],
                m["trades"],
            ]
        )
    return csv_rows(rows)


def _name(context: TrialContext, windows: list[Window], space: Space, plan: Plan, data_hash: str) -> str:
    told = [
        data_hash,
        context.settings,
        [map(_iso, (w.train_start, w.train_end, w.test_start, w.test_end)) for w in windows],
        space.document(),
        [plan.sampler, plan.trials, plan.seed, plan.objective],
    ]
    text = json.dumps(told, sort_keys=True, default=list)
    return f"{STUDY}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _years(start: pd.Timestamp, end: pd.Timestamp) -> float:
    return max((end - start).total_seconds(), 86_400.0) / (365.25 * 86_400)


def _iso(moment: pd.Timestamp) -> str:
    return str(moment.isoformat())
