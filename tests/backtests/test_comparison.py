"""Two small runs written by hand: each planted difference gets its own cause, and no other."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from rich.console import Console

from backtests.checks.comparison import compare
from backtests.checks.comparison_report import document, list_table, markdown
from backtests.checks.comparison_result import Cause, Comparison
from backtests.data.bar_files import data_hash
from backtests.reports.run_files import EQUITY_COLUMNS, ORDER_COLUMNS
from commands.app import main
from config import Refusal

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_runs.py"
DAY = "2022-12-13"


def at(clock: str) -> str:
    return f"{clock if 'T' in clock else f'{DAY}T{clock}'}-05:00"


def verdict(module="equity_sizer", code="OK", before=40.0, after=40.0, **inputs):
    return {"module": module, "code": code, "before": before, "after": after, "inputs": inputs}


def decision(clock, symbol="QQQ", signal="trend", final=40.0, proposed=40.0, verdicts=None, **figures):
    return {
        "time": at(clock), "symbol": symbol, "side": "buy", "signal": signal, "score": 80.0, "price": 100.0,
        "stop": 98.0, "target": 105.0, "atr": 1.0, "proposed_quantity": proposed, "final_quantity": final,
        "outcome": "refused" if not final else "sent" if final == proposed else "resized",
        "verdicts": verdicts or [verdict(after=final)], **figures,
    }  # fmt: skip


def refused(clock, module="exposure_budget", code="EXPOSURE_BUDGET: day", **inputs):
    return decision(clock, final=0.0, verdicts=[verdict(module, code, 40.0, 0.0, **inputs)])


def order(clock, role="entry", symbol="QQQ", quantity=40, price=100.0, filled=None, status="filled", reason=""):
    done = status == "filled"
    return {
        "time": at(clock), "client_order_id": "x", "symbol": symbol, "quantity": quantity, "type": "market",
        "side": "buy" if role in ("entry", "hedge") else "sell", "role": role, "status": status, "reason": reason,
        "filled_quantity": quantity if done else 0, "filled_price": price if done else "",
        "filled_time": at(filled or clock) if done else "",
    }  # fmt: skip


def write(folder: Path, times: list[str], decisions=(), orders=(), cash="") -> Path:
    folder.mkdir()
    (folder / "summary.json").write_text("{}")
    (folder / "decisions.jsonl").write_text("".join(json.dumps(d) + "\n" for d in decisions))
    for name, columns, rows in (
        ("orders.csv", ORDER_COLUMNS, orders),
        ("equity.csv", EQUITY_COLUMNS, [{"time": at(t), "cash": cash} for t in times]),
    ):
        lines = [",".join(columns), *(",".join(str(row.get(c, "")) for c in columns) for row in rows)]
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


CLOSES = ["09:35:00", "09:40:00", "09:45:00", "09:50:00"]
SCANS = ["09:30:10", "09:35:10", "09:40:10", "09:45:10"]


@pytest.fixture
def compared(tmp_path):
    def run(live=(), backtest=(), live_orders=(), backtest_orders=(), scans=SCANS, cash="", lacks=None) -> Comparison:
        one = write(tmp_path / "live", scans, live, live_orders, cash)
        other = write(tmp_path / "backtest", CLOSES, backtest, backtest_orders)
        if lacks is not None:
            data_without(lacks, tmp_path / "bars.csv", other)
        return compare(one, other)

    return run


def data_without(missing: str, path: Path, backtest: Path) -> None:
    """The file of a backtest's bars, five minutes of two sessions without one of the second."""
    opens = [pd.date_range(f"{day} 09:30", f"{day} 15:55", freq="5min") for day in ("2022-12-12", DAY)]
    times = [*opens[0], *(t for t in opens[1] if f"{t:%H:%M}" != missing)]
    rows = [{"symbol": "QQQ", "datetime": t, "open": 100, "high": 101, "low": 99, "close": 100} for t in times]
    pd.DataFrame(rows).assign(volume=1_000).to_csv(path, index=False)
    about = {"data": str(path), "data_hash": data_hash(path), "date_order": None, "timezone": None, "decimal": None}
    (backtest / "run.json").write_text(json.dumps(about))


def only_cause(found: Comparison) -> Cause:
    assert len(found.differences) == 1, found.differences
    return found.differences[0].cause


def test_the_same_decisions_differ_in_nothing_and_repeats_count_once(compared):
    found = compared(
        [decision("09:30:10"), decision("09:32:10"), refused("09:35:10")],
        [decision("09:30:00"), refused("09:35:00")],
        [order("09:30:10", filled="09:30:11")],
        [order("09:30:00")],
    )
    assert (found.pairs, found.same, found.repeated, found.differences) == (2, 2, 1, [])


def test_an_entry_after_an_exit_inside_the_bar_is_a_difference_of_its_own(compared):
    live = [order("09:30:10", filled="09:30:11"), order("09:31:00", "stop", filled="09:31:00", price=98.0),
            order("09:32:10", filled="09:32:11")]  # fmt: skip
    again = [decision("09:30:10"), decision("09:32:10")]
    found = compared(again, [decision("09:30:00")], live, [order("09:30:00")])
    assert only_cause(found) is Cause.ENTERED_AGAIN
    assert "09:32:10" in found.differences[0].detail
    assert found.same == 1


def test_an_entry_beside_one_that_is_held_is_not_explained(compared):
    live = [order("09:30:10", filled="09:30:11"), order("09:32:10", filled="09:32:11")]
    found = compared([decision("09:30:10"), decision("09:32:10")], [decision("09:30:00")], live, [order("09:30:00")])
    assert found.unexplained == 1


OTHER_FIGURES = [refused("09:35:10"), refused("09:45:10") | {"atr": 1.01}]


def test_what_one_side_alone_decided_is_of_other_bars_where_the_data_lack_one(compared):
    found = compared(OTHER_FIGURES, [refused("09:45:00")], lacks="09:30")
    assert [d.cause for d in found.differences] == [Cause.BARS, Cause.BARS]
    first, second = (d.detail for d in found.differences)
    assert "atr of 12-13 09:45 differs too; the backtest's data lack the bar of 12-13 14:30 UTC" in first
    assert second.endswith("lack the bar of 12-13 14:30 UTC")


@pytest.mark.parametrize("lacks", [None, "", "09:35", "10:00"], ids=["no data", "whole", "its own bar", "a later bar"])
def test_what_one_side_alone_decided_needs_a_bar_that_is_missing(compared, lacks):
    found = compared(OTHER_FIGURES, [refused("09:45:00")], lacks=lacks)
    assert [d.cause for d in found.differences] == [Cause.UNEXPLAINED, Cause.BARS]


def test_data_that_are_not_those_of_the_run_prove_nothing(compared, tmp_path):
    compared(OTHER_FIGURES, [refused("09:45:00")], lacks="09:30")
    with (tmp_path / "bars.csv").open("a") as file:
        file.write("QQQ,2022-12-14 09:30:00,100,101,99,100,1000\n")
    found = compare(tmp_path / "live", tmp_path / "backtest")
    assert [d.cause for d in found.differences] == [Cause.UNEXPLAINED, Cause.BARS]


def short_of(free: float, cash: float):
    sized = verdict("equity_sizer", "OK", 80.0, 40.0, equity=cash)
    gate = verdict("entry_gates", "BALANCE: 3.00 USD buy 2.95", 40.0, 0.0, free_cash=free)
    return decision("09:35:10", final=0.0, verdicts=[sized, gate])


def taken(cash: float):
    sized = verdict("equity_sizer", "OK", 90.0, 40.0, equity=cash)
    return decision("09:35:00", verdicts=[sized, verdict("entry_gates", free_cash=cash)])


def test_cash_that_a_hand_holds_is_a_cause_of_its_own(compared):
    found = compared([short_of(3.0, 50.0)], [taken(51.0)], [], [order("09:35:00")], cash=50.0)
    assert only_cause(found) is Cause.HAND
    assert "3.00 of 50.00 USD were free" in found.differences[0].detail


def test_cash_that_an_entry_of_ours_may_hold_is_no_hands(compared):
    waits = [order("09:34:50", status="new")]
    found = compared([short_of(3.0, 50.0)], [taken(51.0)], waits, [order("09:35:00")], cash=50.0)
    assert only_cause(found) is Cause.UNEXPLAINED


def test_cash_that_was_free_is_no_hands(compared):
    found = compared([short_of(50.0, 50.0)], [taken(51.0)], [], [order("09:35:00")], cash=50.0)
    assert only_cause(found) is Cause.UNEXPLAINED


def test_what_one_side_alone_decided_is_not_explained_by_figures_that_are_the_same(compared):
    found = compared([refused("09:35:10"), refused("09:45:10")], [refused("09:45:00")])
    assert only_cause(found) is Cause.UNEXPLAINED


def test_around_the_clock_bars_are_of_whole_hours(tmp_path):
    """A weekend's hours begin at midnight UTC, not at the opening of an exchange."""
    sunday = "2022-12-11T"
    closes = [f"{sunday}{hour:02}:00:00" for hour in (9, 10, 11, 12)]
    live = write(tmp_path / "live", [f"{sunday}09:05:00", f"{sunday}09:55:00"], [refused(f"{sunday}09:55:00")])
    tested = write(tmp_path / "backtest", closes, [refused(f"{sunday}09:00:00")])
    found = compare(live, tested)
    assert (found.pairs, found.same, found.differences) == (1, 1, [])


@pytest.mark.parametrize("name", ["price", "atr", "score", "stop", "target"])
def test_other_figures_are_other_bars(compared, name):
    value = decision("09:30:00")[name] * (1 + 1e-5)
    assert only_cause(compared([decision("09:30:10", **{name: value})], [decision("09:30:00")])) is Cause.BARS


def test_what_is_left_of_a_seed_is_no_difference(compared):
    assert not compared([refused("09:30:10") | {"atr": 1.0 + 1e-8}], [refused("09:30:00")]).differences


def test_a_bar_that_closed_between_book_and_market_counts_for_the_next(compared):
    scans = ["09:30:10", "09:34:59.985", "09:40:10"]
    live = [refused("09:34:59.985") | {"price": 101.0}]
    found = compared(live, [refused("09:35:00") | {"price": 101.0}], scans=scans)
    assert (found.same, found.differences) == (1, [])


def test_after_the_last_bar_of_a_session_comes_the_first_of_the_next(tmp_path):
    morning, close = "2022-12-14T09:30:00", "15:59:59.985"
    live = write(tmp_path / "live", ["15:40:10", close], [refused(close) | {"price": 101.0}])
    closes = ["15:45:00", "15:50:00", "15:55:00", "16:00:00", "2022-12-14T09:35:00"]
    back = write(tmp_path / "backtest", closes, [refused(morning) | {"price": 101.0}])
    found = compare(live, back)
    assert (found.same, found.differences) == (1, [])


def test_another_book_names_the_earlier_trade(compared):
    found = compared(
        [decision("09:30:10"), refused("09:40:10", day_usd=4000.0)],
        [decision("09:30:00"), decision("09:40:00", verdicts=[verdict("exposure_budget", day_usd=4010.0)])],
        [order("09:30:10", price=100.0), order("09:31:00", "stop", price=98.0)],
        [order("09:30:00", price=100.0), order("09:30:00", "stop", price=97.9), order("09:40:00")],
    )
    assert only_cause(found) is Cause.BOOK
    assert "day_usd" in found.differences[0].detail
    assert "earlier trade, " in found.differences[0].detail


def test_another_size_with_the_same_book_is_unexplained(compared):
    found = compared([refused("09:30:10", day_usd=1.0)], [decision("09:30:00", final=39.0)])
    assert only_cause(found) is Cause.UNEXPLAINED


def test_a_rule_that_reads_bars_alone_saw_other_bars(compared):
    code = "TREND_CONFIRMATION: below"
    live = [refused("09:30:10", "trend_confirmation", code, higher_ema_9=99.0)]
    back = [decision("09:30:00", verdicts=[verdict("trend_confirmation", higher_ema_9=101.0)])]
    assert only_cause(compared(live, back)) is Cause.BARS


def test_a_halt_in_one_run(compared):
    live = [refused("09:30:10", "drawdown_halt", "DRAWDOWN_HALT: -3.2%")]
    assert only_cause(compared(live, [decision("09:30:00")])) is Cause.HALTED


def test_a_stopped_desk_and_a_venue_that_refuses(compared, tmp_path):
    pair = [decision("09:30:10")], [decision("09:30:00")]
    back = [order("09:30:00")]
    stopped = [order("09:30:10", status="rejected", reason="DESK_STOPPED: the kill switch")]
    assert only_cause(compared(*pair, stopped, back)) is Cause.HALTED
    for name in ("live", "backtest"):
        (tmp_path / name).rename(tmp_path / f"{name}-before")
    refusal = [order("09:30:10", status="rejected", reason="insufficient buying power")]
    assert only_cause(compared(*pair, refusal, back)) is Cause.VENUE


def test_another_size_at_another_quote(compared):
    found = compared(
        [decision("09:30:10")],
        [decision("09:30:00")],
        [order("09:30:10", quantity=38, reason="40 became 38 at the quote 104.2000; up")],
        [order("09:30:00", quantity=39, reason="40 became 39 at the quote 101.1000; up")],
    )
    assert only_cause(found) is Cause.QUOTE


def test_another_size_at_the_same_quote_is_unexplained(compared):
    orders = [order("09:30:10", quantity=38)], [order("09:30:00", quantity=39)]
    assert only_cause(compared([decision("09:30:10")], [decision("09:30:00")], *orders)) is Cause.UNEXPLAINED


def test_the_same_order_at_another_price(compared):
    orders = [order("09:30:10", price=100.02)], [order("09:30:00", price=100.05)]
    assert only_cause(compared([decision("09:30:10")], [decision("09:30:00")], *orders)) is Cause.FILL


def test_an_approved_decision_without_an_order_is_unexplained(compared):
    found = compared([decision("09:30:10")], [decision("09:30:00")], [], [order("09:30:00")])
    assert only_cause(found) is Cause.UNEXPLAINED


def test_a_position_that_ended_inside_the_bar_lets_live_decide_earlier(compared):
    found = compared(
        [decision("09:30:10"), refused("09:37:10")],
        [decision("09:30:00")],
        [order("09:30:10"), order("09:30:10", "stop", filled="09:36:00")],
        [order("09:30:00"), order("09:30:00", "stop", filled="09:35:00")],
    )
    assert [d.cause for d in found.differences] == [Cause.DECIDED_EARLIER]


def test_a_later_scan_of_the_bar_may_take_what_the_first_left(compared):
    left = "EXECUTE_LIMIT: 2 of 2"
    live = [refused("09:30:10", "selection", left), decision("09:32:10")]
    found = compared(live, [refused("09:30:00", "selection", left)], [order("09:32:10")])
    assert only_cause(found) is Cause.DECIDED_AGAIN


def test_what_is_held_is_not_decided_on(compared):
    orders = [order("09:30:10")], [order("09:30:00"), order("09:30:00", "stop", filled="09:30:00")]
    found = compared([decision("09:30:10")], [decision("09:30:00"), refused("09:40:00")], *orders)
    assert only_cause(found) is Cause.BOOK


def test_what_the_backtest_holds_is_not_decided_on(compared):
    orders = [order("09:30:10"), order("09:30:10", "stop", filled="09:31:00")], [order("09:30:00")]
    found = compared([decision("09:30:10"), refused("09:40:10")], [decision("09:30:00")], *orders)
    assert only_cause(found) is Cause.BOOK


def test_a_decision_out_of_nothing_is_unexplained(compared):
    assert only_cause(compared([refused("09:35:10")])) is Cause.UNEXPLAINED


def test_a_decision_missed_in_one_of_two_scans_is_unexplained(compared):
    """The position was gone at the second scan of the bar, and still nothing was decided."""
    found = compared(
        [decision("09:30:10")],
        [decision("09:30:00"), refused("09:40:00")],
        [order("09:30:10"), order("09:30:10", "stop", filled="09:40:05")],
        [order("09:30:00"), order("09:30:00", "stop", filled="09:30:00")],
        scans=["09:30:10", "09:40:01", "09:44:50"],
    )
    assert only_cause(found) is Cause.UNEXPLAINED


def test_runs_without_a_day_in_common_are_refused(tmp_path, capsys):
    one = write(tmp_path / "live", ["2022-12-14T09:30:10"], [decision("2022-12-14T09:30:10")])
    other = write(tmp_path / "back", CLOSES, [decision("09:30:00")])
    assert main(["compare", str(one), str(other)]) == 2
    assert capsys.readouterr().err == (
        f"{one} (2022-12-14 to 2022-12-14) and {other} (2022-12-13 to 2022-12-13) have no day in common, so there is "
        "nothing to compare; give a backtest of the live run's days\n"
    )


def test_the_window_s_edges_are_a_row_each(compared):
    names = [f"A{chr(65 + n)}" for n in range(20)]
    back = [decision("09:30:00", n) for n in names] + [decision("09:45:00", "QQQ")]
    live = [decision("09:51:00", n) for n in names] + [decision("09:45:10", "QQQ") | {"atr": 1.1}]
    found = compared(live, back, scans=["09:40:10", "09:45:10", "09:51:00"])
    assert len(found.differences) == 41
    listed = markdown(found).split("\n\n")[1].splitlines()[2:]
    assert listed == [
        f"| {DAY} 09:50 |  |  | only_in_live: window edge "
        "| 20 decisions before the first or after the last bar of the backtest |",
        f"| {DAY} 09:30 |  |  | only_in_backtest: window edge "
        "| 20 decisions before the first or after the last iteration of the live run |",
        f"| {DAY} 09:45 | QQQ | trend | bars_differ | atr 1.1 live, 1.0 backtest |",
    ]
    screen = Console(width=200, file=io.StringIO())
    screen.print(list_table(found))
    assert len(screen.file.getvalue().splitlines()) == 2 + 3, "a title, headings and three rows"
    assert len(document(found)["differences"]) == 41


@pytest.mark.parametrize(("price", "rounded"), [(100.0049, True), (99.9951, True), (100.0151, False), (100.02, False)])
def test_a_file_off_the_cent_grid_is_named(compared, price, rounded):
    found = compared([refused("09:35:10") | {"price": 100.0}], [refused("09:35:00") | {"price": price}])
    assert only_cause(found) is Cause.BARS
    assert ("lay it on the cent grid first" in found.differences[0].detail) is rounded


def test_the_edges_of_the_window_and_a_bar_without_iteration(compared):
    found = compared(
        [refused("09:51:00")],
        [refused("09:30:00"), refused("09:40:00")],
        scans=["09:35:10", "09:45:10", "09:51:00"],
    )
    causes = [d.cause for d in found.differences]
    assert causes == [Cause.EDGE_BACKTEST, Cause.NO_ITERATION, Cause.EDGE_LIVE]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(Refusal, match="not the complete folder"):
        compare(tmp_path, tmp_path)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_runs", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_fails_on_what_is_unexplained_and_writes_it_down(script, tmp_path, capsys):
    live = write(tmp_path / "live", SCANS, [refused("09:35:10")])
    back = write(tmp_path / "backtest", CLOSES)
    out = tmp_path / "found.md"
    assert script.main([str(live), str(back), "--out", str(out)]) == 1
    assert "| 2022-12-13 09:35 | QQQ | trend | unexplained |" in out.read_text()
    assert out.read_text() == markdown(compare(live, back))
    same = write(tmp_path / "same", SCANS, [refused("09:35:00")])
    assert script.main([str(live), str(same)]) == 0
    assert script.main([str(tmp_path), str(back)]) == 2
    assert "unexplained" in capsys.readouterr().out
