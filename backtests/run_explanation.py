"""Why orders of a run were sent, resized or refused, from the files of its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backtests.run_folder import Json, read_files
from brokers.journal.explain import LATEST, ExplainRow, Explanation, decision_rows

LEVELS = ("score", "price", "stop", "target", "atr", "proposed_quantity", "final_quantity")


def run_explanation(folder: Path, wanted: str, latest: int = LATEST) -> Explanation:
    """The latest decisions and orders of a symbol, or one order of a client order id, of a run's folder.

    Raises
    ------
    Refusal
        It is not the folder of a run.
    """
    files = read_files(folder)
    family = [order for order in files.orders if wanted in (order["client_order_id"], order["parent_id"])]
    if family:
        first = family[0]
        matching = [d for d in files.decisions if d["symbol"] == first["symbol"] and d["time"] == first["time"]]
        orders = family
    else:
        matching = [d for d in files.decisions if d["symbol"] == wanted]
        orders = [order for order in files.orders if order["symbol"] == wanted]
    shown, told = matching[-latest:], orders[-latest:]
    rows = [row for decision in shown for row in _decision(decision)]
    rows += [row for order in told for row in _order(order)]
    return Explanation(tuple(rows), (len(shown), len(matching)), (len(told), len(orders)))


def _decision(decision: Json) -> list[ExplainRow]:
    levels = {name: _decimal(decision[name]) for name in LEVELS}
    chain = [SimpleNamespace(**_verdict(verdict)) for verdict in decision["verdicts"]]
    row = SimpleNamespace(**{**decision, **levels, "time": decision["time"], "reason": ""})
    return decision_rows(row, chain)


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    quantities = {name: _decimal(verdict[name]) or Decimal(0) for name in ("before", "after")}
    return {**verdict, **quantities, "until": None}


def _order(order: Json) -> list[ExplainRow]:
    prices = "".join(f", {name} {order[key]}" for name, key in (("limit", "limit_price"), ("stop", "stop_price"))
                     if order[key])  # fmt: skip
    what = f"{order['side']} {order['quantity']} {order['symbol']} {order['type']} as {order['role']}"
    filled = f", {order['filled_quantity']} filled at {order['filled_price']}" if order["filled_price"] else ""
    reason = f"; {order['reason']}" if order["reason"] else ""
    text = f"{order['status']}: {what}{prices}{filled}{reason}"
    rows = [ExplainRow(order["time"], "order", order["client_order_id"] or "no order", text)]
    if order["filled_time"]:
        fill = f"{order['filled_quantity']} at {order['filled_price']}"
        rows.append(ExplainRow(order["filled_time"], "fill", order["client_order_id"], fill))
    return rows


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None or not math.isfinite(value) else Decimal(str(value))
