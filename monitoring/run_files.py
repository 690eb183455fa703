"""The folder of a backtest as ``explain`` reads it: the same rows as of a journal, from the files of a run."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from config.errors import Refusal
from monitoring.rows import DecisionRow, FillRow, OrderRow
from risk.model import Verdict

COMMENT = "#"


class RunFiles:
    """What a run left, read when it is asked for.

    Raises
    ------
    Refusal
        On the first question, where the folder is not one of a run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _decisions(self) -> list[DecisionRow]:
        with _a_run(self.folder):
            lines = (self.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
            raw = (json.loads(line) for line in lines)
            return [_decision(k, row) for k, row in enumerate(r for r in raw if "symbol" in r)]

    @cached_property
    def _orders(self) -> list[OrderRow]:
        with _a_run(self.folder), (self.folder / "orders.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(line for line in file if not line.startswith(COMMENT))
            return [_order(row) for row in rows]

    def decisions(self, symbol: str, at: datetime | None, limit: int) -> list[DecisionRow]:
        """The latest decisions of a symbol up to a moment, the latest first."""
        found = [d for d in self._decisions if d.symbol == symbol and (at is None or d.time <= at)]
        return found[-limit:][::-1]

    def count(self, symbol: str, at: datetime | None) -> tuple[int, int]:
        """How many decisions and orders of a symbol there are up to a moment."""
        rows: tuple[Sequence[DecisionRow | OrderRow], ...] = (self._decisions, self._orders)
        decisions, orders = (sum(r.symbol == symbol and (at is None or r.time <= at) for r in kind) for kind in rows)
        return decisions, orders

    def next_decision(self, symbol: str, since: datetime) -> datetime | None:
        """The time of a symbol's first decision from a moment on."""
        return min((d.time for d in self._decisions if d.symbol == symbol and d.time >= since), default=None)

    def decisions_at(self, time: datetime) -> list[DecisionRow]:
        """The decisions of the last iteration at or before a moment that decided anything."""
        last = max((d.time for d in self._decisions if d.time <= time), default=None)
        return [d for d in self._decisions if d.time == last]

    def orders(self, symbol: str, at: datetime | None, limit: int) -> list[OrderRow]:
        """The latest orders of a symbol up to a moment, the latest first, an entry before its exits."""
        found = [o for o in self._orders if o.symbol == symbol and (at is None or o.time <= at)]
        return sorted(found, key=lambda o: o.time, reverse=True)[:limit]

    def entries_of(self, decision: DecisionRow) -> list[OrderRow]:
        """The orders that opened what was decided, the first one first."""
        key = decision.symbol, decision.time
        return [o for o in self._orders if (o.symbol, o.decided) == key and o.role in ("entry", "hedge")]

    def family(self, wanted: str) -> list[OrderRow]:
        """An order with its parent, legs and replacements."""
        mine = next((o for o in self._orders if o.id == wanted), None)
        if mine is None:
            return []
        root = mine.parent or mine.id
        return [o for o in self._orders if root in (o.id, o.parent) or o.id == wanted]


@contextmanager
def _a_run(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refusal(f"{folder}: is not the complete folder of a run ({why}); give the --out of one") from None


def _verdict(row: Mapping[str, Any]) -> Verdict:
    """A verdict of the file, which has the end of a halt among the inputs."""
    inputs = dict(row["inputs"])
    until = inputs.pop("until", None)
    return Verdict(
        row["module"],
        row["code"],
        row["before"] or 0,
        row["after"] or 0,
        inputs,
        None if until is None else datetime.fromisoformat(until),
    )


def _decision(number: int, row: Mapping[str, Any]) -> DecisionRow:
    verdicts = [_verdict(verdict) for verdict in row["verdicts"]]
    return DecisionRow(
        id=number,
        time=datetime.fromisoformat(row["time"]),
        symbol=row["symbol"],
        side=row["side"],
        role=row.get("role", "entry"),
        signal=row["signal"],
        **{name: row[name] for name in ("score", "price", "stop", "target", "atr")},
        proposed=row["proposed_quantity"],
        final=row["final_quantity"],
        outcome=row["outcome"],
        reason=row.get("reason", ""),
        verdicts=tuple(verdicts),
    )


def _order(row: Mapping[str, str]) -> OrderRow:
    time = datetime.fromisoformat(row["time"])
    filled = float(row["filled_quantity"] or 0)
    at = datetime.fromisoformat(row["filled_time"]) if row["filled_time"] else None
    price = float(row["filled_price"]) if row["filled_price"] else None
    fills = () if at is None or price is None else (FillRow(at, filled, price),)
    return OrderRow(
        id=row["client_order_id"],
        parent=row["parent_id"],
        symbol=row["symbol"],
        side=row["side"],
        quantity=float(row["quantity"]),
        type=row["type"],
        role=row["role"],
        limit=float(row["limit_price"]) if row["limit_price"] else None,
        stop=float(row["stop_price"]) if row["stop_price"] else None,
        bracket_stop=None,
        bracket_target=None,
        decided=time,
        time=time,
        reason=row["reason"],
        state=row["status"],
        filled=filled,
        average=price,
        ended=at,
        fills=fills,
    )
