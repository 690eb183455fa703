"""Look-ahead check: nothing decided at a moment may depend on what came after it.

The run is repeated on data that end at a cut, and on data whose bars from the cut on are invented. Up to
the cut, every feature that could be seen and every decision, order and fill must be identical. What a signal reads by
itself, from a file of its own for instance, is the same in every run: the check does not see into it. Runs share
nothing else: each may be made in a process of its own, see ``apart``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from backtests.run_result import RunResult
from brokers.record import OrderRecord
from config.errors import OwnCodeError, Refusal
from market.bars import BarTable
from risk.model import OPENING_ROLES, Decision

CUT_OFF, INVENTED = "cut off", "invented"
PROPOSED = ("symbol", "side", "signal", "score", "price", "stop", "target", "atr")
NAMED = ("symbol", "client_order_id")  # told of every difference, so that it can be found
Runner = Callable[[BarTable], RunResult]


@dataclass(frozen=True, slots=True)
class Readings:
    """What is compared of a run: its features, and what it decided and sent, in plain values.

    ``closes_at`` are the bars that decisions were made on; ``columns`` and ``index`` are those of their features.
    """

    closes_at: pd.DatetimeIndex
    index: dict[str, int]
    columns: dict[str, np.ndarray]
    decisions: list[dict[str, Any]]
    orders: list[OrderRecord]


Reader = Callable[[Runner, BarTable], Readings]


def read(run: Runner, table: BarTable) -> Readings:
    """Run on a table and keep what is compared."""
    result = run(table)
    features = result.strategy.feed.features
    record = result.record
    return Readings(
        features.bars.closes_at, features.index, features.columns, _decisions(record.decisions), list(record.orders)
    )


@dataclass(frozen=True, slots=True)
class Leak:
    """One difference: at ``time`` (what was decided or seen then), in ``what``, with what differs in both readings.

    ``first`` is the first of the figures that differ, in words, where there are several.
    """

    cut: pd.Timestamp
    variant: str
    time: Any
    what: str
    full: Any
    altered: Any
    first: str = ""

    def __str__(self) -> str:
        return (
            f"{self.what} at {self.time} differs when the data are {self.variant} from {self.cut}: "
            f"{self.full} became {self.altered}"
        )

    @property
    def line(self) -> str:
        """The leak in a line: when, of what, and the first figure in both readings."""
        told = self.first or f"{_figure(self.full)} became {_figure(self.altered)}"
        return f"{self.what} at {_minute(self.time)}: {told} when the data are {self.variant} from {_minute(self.cut)}"


@dataclass(frozen=True, slots=True)
class Report:
    """``decisions`` and ``features`` count what was compared over all cuts; ``bars`` are those of the window.

    A decision that looks one bar ahead differs at the last bar before a cut only: at as many bars as there are cuts.
    """

    cuts: tuple[pd.Timestamp, ...]
    bars: int
    decisions: int
    features: int
    leaks: tuple[Leak, ...]

    @property
    def clean(self) -> bool:
        return not self.leaks


def check(
    run: Runner,
    table: BarTable,
    start: pd.Timestamp,
    end: pd.Timestamp,
    cuts: int = 5,
    seed: int = 0,
    on_run: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    reader: Reader = read,
) -> Report:
    """Compare the full run with altered ones at ``cuts`` moments spread over the window.

    Parameters
    ----------
    run : callable
        Takes a table, returns the run on it. Called once, and twice per cut.
    table : BarTable
        The full data.
    start, end : Timestamp
        The run's window; cuts lie inside it.
    cuts : int, default=5
        How many moments to cut at.
    seed : int, default=0
        Of the invented bars.
    on_run : callable, optional
        Wraps the sequence of altered tables, to show progress.
    reader : callable, optional
        Makes one run and keeps what is compared: ``read``, or that in a process of its own.

    Raises
    ------
    Refusal
        If the window holds too few bars for so many cuts.
    """
    first = int(table.opens_at.searchsorted(start))
    last = int(table.opens_at.searchsorted(end, side="right")) - 1
    if last - first <= cuts:
        raise Refusal(f"--lookahead {cuts}: {last - first + 1} bars are too few for it; widen the window")
    rows = [int(row) for row in np.linspace(first, last, cuts + 2)[1:-1]]
    whole = reader(run, table)
    leaks: list[Leak] = []
    decisions = features = 0
    variants = [(row, variant) for row in rows for variant in (CUT_OFF, INVENTED)]
    for row, variant in on_run(variants):
        altered, seen = (table.head(row), row - 1) if variant == CUT_OFF else (invented_from(table, row, seed), row)
        try:
            other = reader(run, altered)
        except Refusal:
            raise
        except Exception as error:
            # The same code ran through the whole data: it reached for what is no longer there.
            found = str(error) if isinstance(error, OwnCodeError) else f"{type(error).__name__}: {error}"
            leaks.append(Leak(table.opens_at[row], variant, "some time", "the run", "finished", found))
            continue
        decisions += _compare_runs(whole, other, table, row, seen, variant, leaks)
        features += _compare_features(whole, other, table, row, variant, leaks)
    return Report(tuple(table.opens_at[row] for row in rows), last - first + 1, decisions, features, tuple(leaks))


def invented_from(table: BarTable, row: int, seed: int) -> BarTable:
    """The table with every bar from ``row`` on replaced by a violent random walk; gaps stay gaps.

    The open of bar ``row`` itself stays: it is what an order sent at that moment trades against.
    """
    generator = np.random.default_rng(seed)
    shape = (len(table) - row, len(table.symbols))
    factor = np.exp(np.cumsum(generator.normal(0, 0.1, shape), axis=0))
    prices = {}
    for name in ("open", "high", "low", "close"):
        column = getattr(table, name).copy()
        column[row:] *= factor
        prices[name] = column
    known = table.open[row]
    prices["open"][row] = known
    prices["high"][row] = np.maximum(prices["high"][row], known)
    prices["low"][row] = np.minimum(prices["low"][row], known)
    volume = table.volume.copy()
    volume[row:] *= generator.uniform(0.2, 5, shape)
    return replace(table, **prices, volume=volume, source=f"{table.source} (invented from row {row})")


def _compare_runs(
    whole: Readings, other: Readings, table: BarTable, row: int, seen: int, variant: str, leaks: list[Leak]
) -> int:
    """What was decided and sent up to the opening of bar ``seen``; returns how many decisions were compared."""
    until, cut = table.opens_at[seen], table.opens_at[row]
    # What filled inside a bar that was altered may differ, so fills are compared one bar less far.
    filled_until = table.opens_at[row - 1]
    compared = 0
    nothing: dict[str, Any] = {}
    for what, until_then in (("decision", _decided), ("order", _sent)):
        ours, theirs = until_then(whole, until, filled_until), until_then(other, until, filled_until)
        compared += len(ours) if what == "decision" else 0
        for one, two in zip_longest(ours, theirs, fillvalue=nothing):
            if one != two:
                keys = [key for key in {**one, **two} if one.get(key) != two.get(key) or key in NAMED]
                full, shown = (
                    ", ".join(f"{key} {side[key]}" for key in keys if key in side) or "nothing" for side in (one, two)
                )
                leaks.append(Leak(cut, variant, (one or two)["time"], what, full, shown, _first(one, two)))
                break
    return compared


def _first(one: dict[str, Any], two: dict[str, Any]) -> str:
    """Whose it is, and the first figure that differs, in both readings."""
    whose = next(str(side[name]) for name in NAMED for side in (one, two) if name in side)
    if not one or not two:
        return f"{whose} {'is there' if one else 'is not there'}, and {'is not' if one else 'is'}"
    keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
    name, ours, theirs = keys[0], one.get(keys[0]), two.get(keys[0])
    if name == "verdicts":
        # The first rule that ruled otherwise; what follows it follows from it.
        at = next(n for n, pair in enumerate(zip_longest(ours or (), theirs or ())) if pair[0] != pair[1])
        ours, theirs = ((_ruling(side[at]) if at < len(side) else "nothing") for side in (ours or (), theirs or ()))
    more = f" ({', '.join(keys[1:3])}{' and more' if len(keys) > 3 else ''} too)" if keys[1:] else ""
    told = f"{_figure(ours)} became {_figure(theirs)}{more}"
    return told if name in NAMED else f"{whose} {name} {told}"


def _ruling(verdict: tuple[str, str, float, float]) -> str:
    module, code, before, after = verdict
    return f"{module} {code}, {before:g} to {after:g}"


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return _minute(value)
    return "nothing" if value is None else str(value)


def _minute(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if isinstance(moment, datetime) else str(moment)


def _decisions(decisions: Iterable[Decision]) -> list[dict[str, Any]]:
    found = []
    for decision in decisions:
        p = decision.proposal
        said = {name: getattr(p, name) for name in PROPOSED}
        # What is not a number equals nothing, itself included.
        said = {name: None if value != value else value for name, value in said.items()}
        chain = tuple((v.module, v.code, v.before, v.after) for v in decision.verdicts)
        found.append({"time": decision.time, **said, "verdicts": chain})
    return found


def _decided(run: Readings, until: pd.Timestamp, _: pd.Timestamp) -> list[dict[str, Any]]:
    return [decision for decision in run.decisions if decision["time"] <= until]


def _sent(run: Readings, until: pd.Timestamp, filled_until: pd.Timestamp) -> list[dict[str, Any]]:
    """Orders by what stays as it was sent; exits are resized and repriced as long as they work."""
    found = []
    for o in run.orders:
        if o.time <= until:
            one = {"time": o.time, "client_order_id": o.client_order_id, "side": o.side, "type": o.type, "role": o.role}
            if o.role in OPENING_ROLES:
                one["quantity"] = o.quantity
            if o.filled_time is not None and o.filled_time <= filled_until:
                one.update(filled_time=o.filled_time, filled_quantity=o.filled_quantity, filled_price=o.filled_price)
            found.append(one)
    return found


def _compare_features(
    whole: Readings, other: Readings, table: BarTable, row: int, variant: str, leaks: list[Leak]
) -> int:
    """Every feature of every bar closed before the cut; returns how many values were compared."""
    compared = 0
    # Days that are decided on have rows of their own.
    rows = int(whole.closes_at.searchsorted(table.opens_at[row], side="right"))
    for symbol, k in whole.index.items():
        # A source may leave out a symbol whose first bar lies behind the cut.
        there = other.index.get(symbol)
        for name, column in whole.columns.items():
            one = column[:rows, k].astype(float)
            two = np.full(rows, np.nan) if there is None else other.columns[name][:rows, there].astype(float)
            if there is None and name == "usable":
                two = np.zeros(rows)
            compared += rows
            different = ~((one == two) | (np.isnan(one) & np.isnan(two)))
            if different.any():
                at = int(np.argmax(different))
                leaks.append(
                    Leak(table.opens_at[row], variant, whole.closes_at[at], f"{name} of {symbol}", one[at], two[at])
                )
    return compared
