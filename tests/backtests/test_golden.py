"""Four short runs whose orders and decisions are known to the last share.

A change of behaviour shows here first. Where it is meant, write the new hashes with

    RENEW_GOLDEN=1 python -m pytest tests/backtests/test_golden.py

and say in the commit why the figures moved: ``golden.json`` keeps counts and final equity beside the
hashes, so that its diff tells how far.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from brokers.record import RunRecord
from tests.backtests.runs import backtest

GOLDEN = Path(__file__).with_name("golden.json")
RENEW = "RENEW_GOLDEN"
WINDOWS = {
    "active": ("active", "2018-07-02", "2021-12-31"),
    "swing": ("swing", "2018-07-02", "2019-06-28"),
    "intraday": ("intraday", "2023-06-05", "2023-06-09"),
    "bench": ("bench", "2022-01-03", "2022-12-30"),
}


def fingerprint(record: RunRecord) -> dict[str, Any]:
    """Counts, final equity and hashes; rounded so that another machine's last digit changes nothing."""
    orders = [
        (
            o.time.isoformat(), o.client_order_id, o.parent_id, o.symbol, o.side, rounded(o.quantity), o.type,
            rounded(o.limit_price), rounded(o.stop_price), str(o.role), o.status, rounded(o.filled_quantity),
            rounded(o.filled_price), o.filled_time and o.filled_time.isoformat(),
        )
        for o in record.orders
    ]  # fmt: skip
    decisions = [
        (
            d.time.isoformat(), d.proposal.symbol, d.proposal.side, d.proposal.signal, rounded(d.proposal.score),
            rounded(d.proposal.price), rounded(d.proposal.stop), rounded(d.proposal.target), d.outcome,
            [(v.module, v.code.split(":")[0], rounded(v.before), rounded(v.after)) for v in d.verdicts],
        )
        for d in record.decisions
    ]  # fmt: skip
    return {
        "orders": len(orders),
        "filled": sum(o.status == "filled" for o in record.orders),
        "decisions": len(decisions),
        "refused": sum(d.outcome == "refused" for d in record.decisions),
        "final_equity": round(record.equity[-1].equity, 2),
        "orders_sha256": sha256(orders),
        "decisions_sha256": sha256(decisions),
    }


def rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def sha256(rows: Iterable[Any]) -> str:
    return hashlib.sha256("\n".join(map(repr, rows)).encode()).hexdigest()


@pytest.mark.parametrize("name", WINDOWS)
def test_orders_and_decisions_are_the_known_ones(name):
    profile, start, end = WINDOWS[name]
    found = fingerprint(backtest(profile, "embedded", start, end).record)
    known = json.loads(GOLDEN.read_text())
    if os.environ.get(RENEW):
        known[name] = found
        GOLDEN.write_text(json.dumps(known, indent=2) + "\n")
    assert found["filled"] > 10 and found["decisions"] > 10
    assert found == known[name], f"{name} behaves differently; if that is meant, renew with {RENEW}=1"


def test_the_file_holds_these_runs_and_no_others():
    assert list(json.loads(GOLDEN.read_text())) == list(WINDOWS)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: setattr(record.orders[0], "status", "rejected"),
        lambda record: setattr(record.orders[0], "quantity", record.orders[0].quantity + 1),
        lambda record: setattr(record.orders[1], "limit_price", record.orders[1].limit_price + 0.01),
        lambda record: record.orders.reverse(),
        lambda record: record.decisions.pop(),
    ],
)
def test_the_hash_sees_a_changed_order_or_decision(change):
    record = backtest("active", "embedded", "2020-02-03", "2020-04-30").record
    before = fingerprint(record)
    change(record)
    after = fingerprint(record)
    assert (before["orders_sha256"], before["decisions_sha256"]) != (after["orders_sha256"], after["decisions_sha256"])
