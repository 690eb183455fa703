"""Reads a run's folder back: decisions, orders, what was held when, and what the iterations were."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from backtests.reports.order_outcomes import as_decided
from backtests.reports.run_files import COMMENT, INTERRUPTED
from config.errors import Refusal
from config.values.markets import NEW_YORK
from risk.model import OPENING_ROLES

FLAT = 1e-9
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position from the decision that opened it until it was gone; ``until`` None while it is held."""

    symbol: str
    signal: str
    since: pd.Timestamp
    until: pd.Timestamp | None
    entry_price: float
    exit_price: float | None
    how: str

    def told(self) -> str:
        """In words."""
        began = f"{self.symbol} {self.since:%Y-%m-%d %H:%M:%S} at {self.entry_price:.4f}"
        return (
            f"{began}, held"
            if self.until is None
            else (f"{began}, out {self.until:%m-%d %H:%M:%S} at {self.exit_price:.4f} ({self.how})")
        )


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What a run left; times in New York, ``cash`` of the account by iteration, USD."""

    path: Path
    summary: Json
    decisions: tuple[Json, ...]
    orders: tuple[Json, ...]
    iterations: pd.DatetimeIndex
    holdings: tuple[Holding, ...]
    cash: Mapping[pd.Timestamp, float]

    def order_of(self, decision: Mapping[str, Any]) -> Json | None:
        """The first order that a decision led to; None without."""
        time, symbol = decision["time"], decision["symbol"]
        for order in self.orders:
            if order["symbol"] == symbol and order["role"] in OPENING_ROLES and order["time"] == time:
                return order
        return None

    def filled(self, decision: Mapping[str, Any]) -> tuple[float, float]:
        """Shares that a decision brought, in however many orders, and their average price; 0 and NaN without."""
        mine = [
            o
            for o in self.orders
            if o["symbol"] == decision["symbol"]
            and o["role"] in OPENING_ROLES
            and o["time"] == decision["time"]
            and o["filled_quantity"] > 0
        ]
        shares = sum(o["filled_quantity"] for o in mine)
        paid = sum(o["filled_quantity"] * o["filled_price"] for o in mine)
        return shares, paid / shares if shares else float("nan")

    def waiting(self, symbol: str, longest: pd.Timedelta) -> list[Holding]:
        """Entries that were sent and brought nothing, as positions of no more than ``longest``."""
        nan = float("nan")
        return [
            Holding(symbol, "", o["time"], o["time"] + longest, nan, nan, f"its entry, {o['status']}")
            for o in self.orders
            if o["symbol"] == symbol and o["role"] in OPENING_ROLES and not o["filled_quantity"]
        ]


def read_run(path: Path) -> RunFolder:
    """Read the folder of a run.

    Raises
    ------
    Refusal
        It is not one, or a file of it cannot be read.
    """
    files = read_files(path)
    with _a_run(path):
        decisions = [as_decided(decision) for decision in files.decisions]
        read = [_order(order) for order in files.orders]
        iterations = pd.DatetimeIndex(files.iterations)
        cash = dict(zip(files.iterations, files.cash, strict=True))
    holdings = tuple(_holdings(read, decisions))
    return RunFolder(path, files.summary, tuple(decisions), tuple(read), iterations, holdings, cash)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of a run as they were written; times in New York, other cells of orders as text."""

    summary: Json
    decisions: tuple[Json, ...]
    orders: tuple[Json, ...]
    iterations: tuple[pd.Timestamp, ...]
    cash: tuple[float, ...]


def read_files(path: Path) -> RunFiles:
    """Read the files of a run; the mark that an interrupted one carries in each of them is left out.

    Raises
    ------
    Refusal
        It is not the folder of a run, or a file of it cannot be read.
    """
    with _a_run(path):
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        lines = (path / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
        decisions = [row for row in map(json.loads, lines) if INTERRUPTED not in row]
        for decision in decisions:
            decision["time"] = _time(decision["time"])
        orders = _table(path / "orders.csv")
        for order in orders:
            for name in ("time", "filled_time"):
                order[name] = _time(order[name]) if order[name] else None
        equity = _table(path / "equity.csv")
        iterations = tuple(_time(row["time"]) for row in equity)
        cash = tuple(float(row["cash"] or "nan") for row in equity)
        return RunFiles(summary, tuple(decisions), tuple(orders), iterations, cash)


def _table(path: Path) -> list[Json]:
    """The rows of a csv file, each cell as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith(COMMENT)))


@contextmanager
def _a_run(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refusal(f"{path}: is not the complete folder of a run ({why}); give the --out of one") from None


def _order(raw: Json) -> Json:
    return {
        **{name: raw[name] for name in ("symbol", "side", "role", "status", "reason", "time", "filled_time")},
        "quantity": float(raw["quantity"]),
        "filled_quantity": float(raw["filled_quantity"] or 0),
        "filled_price": float(raw["filled_price"] or "nan"),
    }


def _holdings(orders: Sequence[Json], decisions: Sequence[Json]) -> Iterator[Holding]:
    """Positions from flat to flat, by symbol and the order of fills."""
    signals = {(d["symbol"], d["time"]): d["signal"] for d in decisions if d["final_quantity"]}
    fills = [o for o in orders if o["filled_time"] is not None and o["filled_quantity"]]
    for symbol in sorted({o["symbol"] for o in fills}):
        held, opened = 0.0, None
        mine = (o for o in fills if o["symbol"] == symbol)
        # In one bar all fills have one time, and the entry came first.
        for order in sorted(mine, key=lambda o: (o["filled_time"], o["role"] not in OPENING_ROLES)):
            opened = opened or order
            held += order["filled_quantity"] * (1 if order["side"] == "buy" else -1)
            if abs(held) < FLAT:
                yield _holding(opened, order, signals)
                held, opened = 0.0, None
        if opened is not None:
            yield _holding(opened, None, signals)


def _holding(opened: Json, closed: Json | None, signals: Mapping[tuple[str, pd.Timestamp], str]) -> Holding:
    return Holding(
        symbol=opened["symbol"],
        signal=signals.get((opened["symbol"], opened["time"]), ""),
        since=opened["time"],
        until=closed["filled_time"] if closed else None,
        entry_price=opened["filled_price"],
        exit_price=closed["filled_price"] if closed else None,
        how=closed["role"] if closed else "",
    )


def _time(text: str) -> pd.Timestamp:
    return pd.Timestamp(text).tz_convert(NEW_YORK)
