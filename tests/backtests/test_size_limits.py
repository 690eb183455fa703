"""Which limit set the size of each entry: in the summary, on the screen and in the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from backtests.reports.html_report import write_html_report
from backtests.reports.metrics import metrics
from backtests.reports.outputs import summary
from backtests.reports.size_limits import cut_at_the_quote, sizes_told
from backtests.reports.summary_screen import show_summary
from brokers.record import OrderRecord, RunRecord
from risk.model import Decision, Verdict
from tests.backtests.sample import sample_info, sample_table
from tests.risk.helpers import proposal

MONDAY = datetime(2024, 3, 4, 9, 30, tzinfo=ZoneInfo("America/New_York"))
BY_NOTIONAL = {"by_risk": 300.0, "by_notional": 61.0}
BY_RISK = {"by_risk": 40.0, "by_notional": 61.0}
LINE = "sizes bound by: notional 2, risk 1, cash_buffer 1; cut at the quote 1"


def decision(symbol: str, *verdicts: Verdict) -> Decision:
    return Decision(MONDAY, proposal(symbol=symbol, quantity=verdicts[-1].after), verdicts[0].after, verdicts)


def order(symbol: str, quantity: float, role: str = "entry") -> OrderRecord:
    return OrderRecord(MONDAY, "", "", symbol, "buy", quantity, "market", None, None, role, "filled")


CUT = Verdict("equity_sizer", "EQUITY_SIZER: 61 shares, 9.9% of equity, cut by notional", 300, 61, BY_NOTIONAL)
RECORD = RunRecord(
    initial_equity=100_000.0,
    decisions=[
        decision("A", CUT, Verdict("cap", "OK", 61, 61)),
        decision("B", CUT),
        decision("C", Verdict("equity_sizer", "OK", 40, 40, BY_RISK)),
        decision("D", CUT, Verdict("cash_buffer", "CASH_BUFFER: 30 of 61 fit", 61, 30)),
        decision("E", CUT, Verdict("sector_cap", "SECTOR_CAP: full", 61, 0)),
        # A hedge of its own quantity, within both caps.
        decision("F", Verdict("equity_sizer", "OK", 20, 20, BY_RISK)),
    ],
    # B was sent smaller; what was left of A was sent again.
    orders=[order("A", 61), order("A", 11), order("B", 60), order("C", 40), order("D", 30), order("F", 20, "hedge")],
)


def test_the_limits_of_sizes_are_counted():
    assert sizes_told(RECORD) == LINE
    assert cut_at_the_quote(RECORD) == 1
    assert sizes_told(RunRecord()) == ""


def test_the_limits_of_sizes_are_in_the_summary():
    told = summary(RECORD, sample_info(sample_table()), metrics(RECORD), {})
    assert told["cut_at_the_quote"] == 1
    assert told["bound_by"] == {
        "equity_sizer: notional": {"refused": 0, "sized": 2},
        "equity_sizer: risk": {"refused": 0, "sized": 1},
        "cash_buffer": {"refused": 0, "sized": 1},
        "sector_cap": {"refused": 1, "sized": 0},
    }


def test_the_limits_of_sizes_are_on_the_screen_and_in_the_report(tmp_path: Path):
    info = replace(sample_info(sample_table()), notes=())
    console = Console(width=80, record=True, file=(tmp_path / "screen").open("w"))
    show_summary(console, RECORD, info, metrics(RECORD))
    assert LINE in console.export_text().splitlines()
    write_html_report(tmp_path / "report.html", RECORD, info, metrics(RECORD), [])
    assert f"<p>{LINE}</p>" in (tmp_path / "report.html").read_text(encoding="utf-8")
