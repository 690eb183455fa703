"""Counting what each rule did, on records written down by hand and on a run."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from backtests.reports.activity import activity, activity_markdown, activity_table
from brokers.record import HaltRecord, OrderRecord, RunRecord
from risk.interface import RiskModule
from risk.model import Adjustment, Decision, Verdict
from tests.backtests.runs import backtest
from tests.risk.helpers import proposal

ROOT = Path(__file__).parents[2]
MONDAY = datetime(2024, 3, 4, 9, 30, tzinfo=ZoneInfo("America/New_York"))
TUESDAY = MONDAY + timedelta(days=1)


def chain(*names: str) -> list[RiskModule]:
    return [type(name, (RiskModule,), {"name": name})(RiskModule.Config()) for name in names]


def decision(*verdicts: tuple[str, str, float, float], time=MONDAY, **changes) -> Decision:
    said = tuple(Verdict(*verdict) for verdict in verdicts)
    return Decision(time, proposal(quantity=said[-1].after, **changes), said[0].after, said)


def order(role: str, reason: str = "", time=MONDAY, **changes) -> OrderRecord:
    values = {
        "time": time, "client_order_id": "", "parent_id": "", "symbol": "NVDA", "side": "buy", "quantity": 10,
        "type": "market", "limit_price": None, "stop_price": None, "role": role, "status": "filled", "reason": reason,
    }  # fmt: skip
    return OrderRecord(**values | changes)


def counted(record: RunRecord, *names: str, tightened=()) -> dict[str, dict[str, int]]:
    """Rows that are not empty."""
    rows = activity(record, chain(*names), tightened)
    return {row.module: dict(row.counts) for row in rows if row.counts}


def test_verdicts_by_rule_with_first_dates():
    record = RunRecord(
        decisions=[
            decision(("equity_sizer", "EQUITY_SIZER: cut", 30, 20), ("cap", "CAP: half", 20, 10), time=TUESDAY),
            decision(("equity_sizer", "OK", 30, 30), ("cap", "OK", 30, 30), time=MONDAY),
            decision(("equity_sizer", "OK", 30, 30), ("cap", "CAP: full", 30, 0), time=TUESDAY),
            decision(("cap", "OK", 30, 30), ("cap", "CAP: full", 30, 0), time=TUESDAY + timedelta(days=1)),
        ]
    )
    rows = {row.module: row for row in activity(record, chain("cap", "idle"))}
    assert list(rows) == ["selection", "ensemble", "policy_gate", "equity_sizer", "cap", "idle", "desk", "venue"]
    assert rows["equity_sizer"].counts == {"resized": 1, "allowed": 2}
    assert rows["cap"].counts == {"resized": 1, "allowed": 2, "refused": 2}
    assert rows["cap"].first == {"resized": TUESDAY, "allowed": MONDAY, "refused": TUESDAY}
    assert not rows["idle"].counts


def test_refusals_before_anything_was_sized_count_and_silence_doesnt():
    record = RunRecord(
        decisions=[
            decision(("policy_gate", "GATE_POSITIONS: 20 of 20", 0, 0)),
            decision(("ensemble", "OK", 0, 0), ("selection", "WATCH_LIST: place 6 of 5", 0, 0)),
        ]
    )
    assert counted(record) == {"policy_gate": {"refused": 1}, "selection": {"refused": 1}}


def test_an_accepted_warning_is_no_resizing():
    record = RunRecord(decisions=[decision(("exposure_budget", "EXPOSURE_BUDGET: week 8/10", 10, 10))])
    assert counted(record, "exposure_budget") == {"exposure_budget": {"allowed": 1}}


def test_orders_at_the_quote():
    approved = [
        decision(("cap", "OK", 10, 10), time=MONDAY + timedelta(minutes=minute), symbol="NVDA") for minute in range(5)
    ]

    def sent(minute: int, status: str = "filled", reason: str = "RSI 24", **changes) -> OrderRecord:
        return order("entry", reason, MONDAY + timedelta(minutes=minute), status=status, **changes)

    record = RunRecord(
        decisions=approved,
        orders=[
            sent(0),
            sent(1, quantity=9, reason="10 became 9 at the quote 101.0000; RSI 24"),
            sent(2, "rejected", "DESK_QUOTE: NVDA has no price now, its last one is 100.0000"),
            sent(3, "rejected", "GATE_COLLAR: quote 120.0000 is more than 10% off", quantity=8),
            sent(4, "rejected", "CASH: 1000.00 needed, 900.00 there"),
            order("stop", "", parent_id="1"),
            order("stop", "GATE_TICK: stop 9.999 is not a multiple of 0.01", parent_id="2"),
            order("target", "target of a rejected order", parent_id="3", status="rejected"),
        ],
    )
    assert counted(record, "cap") == {
        "cap": {"allowed": 5},
        "desk": {"allowed": 2, "resized": 2, "refused": 1},
        "policy_gate": {"allowed": 3, "refused": 2},
        "venue": {"allowed": 2, "refused": 1},
    }


def test_an_order_that_no_plan_asked_for_is_the_gates_and_the_venues():
    assert counted(RunRecord(orders=[order("entry")])) == {"policy_gate": {"allowed": 1}, "venue": {"allowed": 1}}


@pytest.mark.parametrize(
    ("reason", "module"),
    [
        ("REBALANCER: 16.0% of equity above 15.0%", "rebalancer"),
        ("STALE_EXIT: moved +0.1%", "stale_exit"),
        ("STALE_EXIT_LATE: moved +0.1%", "stale_exit_late"),
        ("STALE_EXIT_EARLY: moved +0.1%", "stale_exit"),
        ("MY_WORD: of another package", "foreign"),
        ("NOBODY: knows", "NOBODY"),
    ],
)
@pytest.mark.parametrize(("role", "action"), [("trim", "trimmed"), ("partial", "trimmed"), ("close", "exited")])
def test_sales_go_to_the_module_of_their_code(reason, module, role, action):
    record = RunRecord(
        decisions=[decision(("foreign", "MY_WORD: too late", 10, 0))],
        orders=[order(role, reason), order(role, reason, status="rejected"), order(role, "by hand")],
    )
    found = counted(record, "rebalancer", "stale_exit", "stale_exit_late", "foreign")
    assert found[module][action] == 1
    assert sum(counts.get(action, 0) for counts in found.values()) == 1


def test_hedges_halts_and_moved_stops():
    bought = decision(("equity_sizer", "OK", 10, 10), symbol="SH", role="hedge", signal="inverse_hedge")
    record = RunRecord(
        decisions=[bought],
        orders=[order("hedge", "60% of gauges", symbol="SH")],
        halts=[HaltRecord(TUESDAY, "drawdown_halt", TUESDAY)],
    )
    moved = [(TUESDAY, Adjustment("trailing_stop", "tighten", "NVDA", "TRAILING_STOP: 1R", stop=99.0))]
    found = counted(record, "drawdown_halt", "inverse_hedge", "trailing_stop", tightened=moved)
    assert found["inverse_hedge"] == {"hedged": 1}
    assert found["drawdown_halt"] == {"halted": 1}
    assert found["trailing_stop"] == {"tightened": 1}


def test_the_tables_leave_out_what_never_happened():
    record = RunRecord(decisions=[decision(("cap", "CAP: full", 1_200, 0), time=TUESDAY)])
    rows = activity(record, chain("cap"))
    lines = activity_markdown(rows).splitlines()
    assert lines[:2] == ["| rule | refused |", "| --- | ---: |"]
    assert "| `cap` | 1 (2024-03-05) |" in lines and "| `desk` | – |" in lines
    console = Console(file=io.StringIO(), width=80)
    console.print(activity_table(rows, "a run"))
    text = console.file.getvalue()
    assert "2024-03-05" in text and "refused" in text and "allowed" not in text


def test_a_run_adds_up():
    """Every decision ends in the rows, and every sale in one of them."""
    run = backtest("active", start="2018-01-02")
    pipeline, record = run.result.strategy.pipeline, run.record
    rows = {row.module: row for row in activity(record, pipeline.chain)}
    assert set(rows) >= {module.name for module in pipeline.chain}
    refused = sum(d.outcome == "refused" for d in record.decisions)
    chain_of_verdicts = [row for name, row in rows.items() if name not in {"desk", "venue", "policy_gate"}]
    gated = sum(v.module == "policy_gate" for d in record.decisions for v in d.verdicts)
    assert sum(row.counts["refused"] for row in chain_of_verdicts) + gated == refused > 0
    sales = [o for o in record.orders if o.role in {"trim", "partial", "close"} and o.status != "rejected"]
    assert sum(row.counts["trimmed"] + row.counts["exited"] for row in rows.values()) == len(sales) > 0
    sent = len(record.decisions) - refused
    assert sum(rows["desk"].counts.values()) == sent
    assert rows["inverse_hedge"].counts["hedged"] == sum(o.role == "hedge" for o in record.orders) > 0


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "module_activity.py"), "--quiet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_the_script_counts_moved_stops_too():
    done = script(
        "--markdown",
        "--start",
        "2020-01-02",
        "--end",
        "2020-12-31",
        "--set",
        "risk.chain=[cash_buffer,trailing_stop]",
        "--set",
        "selection.min_confidence=0.5",
    )
    assert done.returncode == 0, done.stderr
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:]]
    (row,) = [dict(zip(table[0], cells, strict=True)) for cells in table if cells[0] == "`trailing_stop`"]
    assert "(2020-" in row["tightened"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--paper",), "--paper is not an argument; see --help"),
        (("--scan",), "--scan is not an argument; see --help"),
        (("--profile", "activ"), "did you mean active?"),
    ],
)
def test_the_script_refuses_in_one_sentence(arguments, told):
    done = script(*arguments)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
