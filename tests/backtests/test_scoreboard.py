"""The scoreboard against hand-computed days."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from rich.console import Console

from backtests.reports.fill_measures import stop_outs
from backtests.reports.metrics import metrics
from backtests.reports.scoreboard import Goals, interferences, scoreboard, scoreboard_of, scoreboard_screen
from brokers.record import EquityRow, HaltRecord, OrderRecord, RunRecord, TradeRecord
from risk.model import Decision, Verdict
from tests.backtests.sample import sample_record, sample_table
from tests.brokers.harness import FREE, bracket, daily_table, run, send
from tests.risk.helpers import proposal

NEW_YORK = ZoneInfo("America/New_York")
MONDAY, TUESDAY = date(2024, 3, 4), date(2024, 3, 5)
QUIET = (100.0, 101.0, 99.0, 100.0)


def at(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)


def trade(day, pnl, r_multiple):
    return TradeRecord(
        "X", "buy", 10, at(MONDAY, 9, 30), 100, at(day, 11), 101, 95, 115, 2, None, pnl, r_multiple, "target", "trend",
        80,
    )  # fmt: skip


def equity(day, hour, value):
    return EquityRow(at(day, hour), value, value, 0, 0, 0)


def two_days():
    return RunRecord(
        initial_equity=10_000,
        trades=[trade(MONDAY, 300, 3), trade(MONDAY, -100, -1), trade(TUESDAY, 300, 3), trade(TUESDAY, 250, 2.5)],
        equity=[
            equity(MONDAY, 10, 10_100), equity(MONDAY, 12, 9_999), equity(MONDAY, 16, 10_200),
            equity(TUESDAY, 10, 9_690), equity(TUESDAY, 16, 10_750),
        ],
        slippage_cost=4.0,
        turnover=10_000,
        position_bars=20,
        protected_bars=19,
    )  # fmt: skip


def of(scores, day=None):
    return {s.measure: (s.value, s.met) for s in scores if s.day == day}


def test_the_whole_record():
    assert of(scoreboard(two_days())) == {
        "win_rate": (0.75, True),
        "profit_factor": (8.5, True),
        "daily_drawdown": (pytest.approx(0.05), False),
        "avg_r": (1.875, False),
        "slippage": (pytest.approx(0.0004), True),
        "interference": (0, True),
        "protected_share": (0.95, False),
        "filled_in_time": (None, None),
        "sectors": (None, None),
    }


def test_each_day():
    scores = scoreboard(two_days())
    assert of(scores, MONDAY) == {
        "win_rate": (0.5, False),
        "profit_factor": (3.0, True),
        "daily_drawdown": (pytest.approx(0.01), True),
        "avg_r": (1.0, False),
        "slippage": (None, None),
        "interference": (0, True),
        "protected_share": (None, None),
        "filled_in_time": (None, None),
        "sectors": (None, None),
    }
    # Measured from Monday's last bar; without losers there is no profit factor.
    tuesday = of(scores, TUESDAY)
    assert tuesday["daily_drawdown"] == (pytest.approx(0.05), False)
    assert tuesday["profit_factor"] == (None, None)
    assert tuesday["avg_r"] == (2.75, True)


def test_slippage_and_protection_are_measured_day_by_day():
    table = daily_table(X=[QUIET, QUIET, (100, 101, 94, 96), QUIET])
    costly = FREE.model_copy(update={"market_slippage_bps": 8, "stop_slippage_bps": 2})

    def unprotect(s):
        s.cancel_order(next(w.order for w in s.broker.working("X") if w.record.role == "stop"))

    record = run(table, {0: bracket(10, 95, 110), 1: unprotect, 2: send(10, "sell")}, fills=costly).record
    scores = scoreboard(record)
    days = [at.date() for at in table.opens_at]
    assert [of(scores, day)["slippage"][0] for day in days] == [
        pytest.approx(0.08 / 100.08), None, pytest.approx(0.08 / 99.92), None,
    ]  # fmt: skip
    assert [of(scores, day)["protected_share"][0] for day in days] == [1.0, 0.0, None, None]
    assert of(scores)["protected_share"] == (0.5, False)
    assert of(scores)["slippage"][0] == pytest.approx(0.16 / 200)


@pytest.mark.parametrize(
    ("measure", "goal", "met"),
    [
        ("win_rate", {"win_rate_frac": 0.75}, False),  # above it, not at it
        ("win_rate", {"win_rate_frac": 0.74}, True),
        ("profit_factor", {"profit_factor": 9.0}, False),
        ("daily_drawdown", {"daily_drawdown_frac": 0.06}, True),
        ("avg_r", {"avg_r": 1.8}, True),
        ("slippage", {"slippage_frac": 0.0004}, False),
        ("protected_share", {"protected_frac": 0.95}, True),
    ],
)
def test_goals_are_settings(measure, goal, met):
    assert of(scoreboard(two_days(), Goals.model_validate(goal)))[measure][1] is met


def test_a_goal_that_is_none_is_refused():
    with pytest.raises(ValidationError):
        Goals.model_validate({"win_rate": 0.6})


def test_nothing_traded_is_nothing_measured():
    assert of(scoreboard(RunRecord(initial_equity=100.0))) == {
        **dict.fromkeys(
            (
                "win_rate",
                "profit_factor",
                "daily_drawdown",
                "avg_r",
                "slippage",
                "protected_share",
                "filled_in_time",
                "sectors",
            ),
            (None, None),
        ),
        "interference": (0, True),
    }


def test_it_agrees_with_the_summary_of_a_run():
    record = sample_record(sample_table())
    figures, total = metrics(record), of(scoreboard(record))
    for name in ("win_rate", "profit_factor", "avg_r", "protected_share"):
        assert total[name][0] == figures[name]
    assert total["daily_drawdown"][0] <= figures["max_drawdown"]
    assert {s.day for s in scoreboard(record)} - {None} == {row.time.date() for row in record.equity}


# ---- interference -------------------------------------------------------------------------------


def order(name, role, sent, filled=None, parent="", reason="", status=""):
    return OrderRecord(
        sent, name, parent, "X", "sell", 10, "market", None, None, role,
        status=status or ("filled" if filled else "cancelled"), filled_time=filled, reason=reason,
    )  # fmt: skip


def bracketed(stop_filled=None):
    return [
        order("e", "entry", at(MONDAY, 9, 30), at(MONDAY, 9, 30)),
        order("s", "stop", at(MONDAY, 9, 30), stop_filled, parent="e"),
        order("t", "target", at(MONDAY, 9, 30), parent="e"),
    ]


@pytest.mark.parametrize(
    ("closing", "stop_filled", "counted"),
    [
        (order("c", "close", at(MONDAY, 12), at(MONDAY, 12)), None, 1),
        (order("c", "close", at(MONDAY, 12), status="working"), None, 1),
        (order("c", "close", at(MONDAY, 12), status="rejected"), None, 0),
        (order("c", "close", at(MONDAY, 12), at(MONDAY, 12), reason="take-profit check"), None, 1),
        (order("c", "close", at(MONDAY, 12), at(MONDAY, 12), reason="STALE_EXIT: moved +0.10%"), None, 0),
        (order("c", "trim", at(MONDAY, 12), at(MONDAY, 12)), None, 0),
        (order("c", "partial", at(MONDAY, 12), at(MONDAY, 12)), None, 0),
        (order("c", "close", at(MONDAY, 12), at(MONDAY, 12)), at(MONDAY, 11), 0),
        (order("c", "close", at(MONDAY, 12), at(MONDAY, 12)), at(MONDAY, 13), 1),
        (order("c", "close", at(MONDAY, 9), at(MONDAY, 12)), None, 0),
    ],
    ids=["by hand", "still working", "rejected", "a check by hand", "a rule", "trim", "partial", "after the stop",
         "beside the stop", "before the entry"],
)  # fmt: skip
def test_what_interferes(closing, stop_filled, counted):
    assert len(interferences([*bracketed(stop_filled), closing])) == counted


def test_protection_sent_afresh_is_no_exit_by_hand():
    fresh = [
        order("o", "close", at(MONDAY, 10), status="working"),
        order("s", "stop", at(MONDAY, 10), parent="o"),
        order("t", "target", at(MONDAY, 10), parent="o"),
    ]
    assert interferences(fresh) == []
    assert len(interferences([*fresh, order("c", "close", at(MONDAY, 12), at(MONDAY, 12))])) == 1


def test_a_strategy_that_sells_by_hand_is_seen_and_one_that_does_not_is_not():
    table = daily_table(X=[QUIET] * 4)
    meddling = run(table, {0: bracket(10, 95, 110), 2: send(10, "sell")})
    assert of(scoreboard(meddling.record))["interference"] == (1, False)
    assert of(scoreboard(meddling.record), date(2024, 3, 6))["interference"] == (1, False)
    calm = run(table, {0: bracket(10, 95, 110)})
    assert of(scoreboard(calm.record))["interference"] == (0, True)


# ---- screen -------------------------------------------------------------------------------------


def printed(record, days=10, width=140):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(scoreboard_screen(scoreboard(record), days))
    return console.export_text()


def test_the_screen_states_measure_goal_and_outcome():
    text = printed(two_days())
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert lines["Win rate"][-4:] == ["75.0%", ">", "60.0%", "yes"]
    assert lines["Position time protected"][-4:] == ["95.00%", "≥", "100.00%", "no"]
    assert text.index("2024-03-05") < text.index("2024-03-04")
    assert "says nothing about what comes" in text


def test_no_word_of_the_screen_is_cut_at_80_columns():
    text = printed(two_days(), width=80)
    for word in ("drawdown", "Slippage", "interference", "protected", "Bracket", "Average", "factor"):
        assert text.count(word) >= 2, word
    assert "…" not in text


def test_the_screen_shows_the_last_days_only():
    assert "2024-03-04" not in printed(two_days(), days=1)
    assert "Win rate" in printed(RunRecord(initial_equity=1.0))


def timed(day, symbol, seconds, role="entry", side="buy", quantity=10.0):
    sent = at(day, 11)
    return OrderRecord(
        sent, f"{symbol}-{role}", "", symbol, side, quantity, "limit", 100.0, None, role, "filled", quantity, 100.0,
        sent + timedelta(seconds=seconds), sent_time=sent,
    )  # fmt: skip


def test_fills_are_timed_from_the_sending_and_sectors_are_counted_at_once():
    record = two_days()
    record.orders = [
        timed(MONDAY, "A", 4), timed(MONDAY, "B", 31), timed(MONDAY, "SH", 2, role="hedge"),
        timed(MONDAY, "A", 90, role="stop", side="sell"), timed(TUESDAY, "C", 30),
    ]  # fmt: skip
    assert record.orders[1].seconds_to_fill == 31
    labels = {"A": "tech", "B": "energy", "C": "banks"}
    found = scoreboard(record, sectors=labels)
    assert of(found)["filled_in_time"] == (0.75, False)
    assert of(found, MONDAY)["filled_in_time"] == (pytest.approx(2 / 3), False)
    assert of(found, TUESDAY)["filled_in_time"] == (1.0, True)
    assert of(found)["sectors"] == (2, False), "A was sold before C was bought"
    assert of(found, TUESDAY)["sectors"][0] == 2, "B is held on"
    assert of(scoreboard(record))["sectors"] == (None, None)


def test_a_backtest_s_fills_take_no_time_and_are_no_measure():
    record = two_days()
    record.orders = [timed(MONDAY, "A", 0), timed(TUESDAY, "C", 0)]
    assert of(scoreboard(record))["filled_in_time"] == (None, None)


def test_stop_outs_are_counted_by_signal():
    stopped = replace(trade(MONDAY, -50, -1), exit_reason="stop")
    assert stop_outs([trade(MONDAY, 300, 3), stopped, replace(stopped, signal="vwap")]) == {
        "trend": (1, 2),
        "vwap": (1, 1),
    }
    text = io.StringIO()
    Console(file=text, width=80).print(scoreboard_screen(scoreboard(two_days()), 5, stop_outs([stopped])))
    assert "stopped out: trend 1 of 1, 100%" in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= 80


def test_halts_are_in_the_scoreboard_of_a_run():
    refused = Verdict("streak_halt", "STREAK_HALT: 5 losing trades in a row", 10, 0)
    other = Verdict("sector_cap", "SECTOR_CAP: full", 10, 0)
    days = [at(date(2024, 3, 4 + k), 10) for k in range(7)]
    record = replace(
        two_days(),
        halts=[HaltRecord(day, "streak_halt", day + timedelta(hours=14)) for day in days],
        decisions=[Decision(days[6], proposal(quantity=0), 10, (v,)) for v in (refused, refused, other)],
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(scoreboard_of(record, {}))
    told = console.export_text().splitlines()
    assert "halted by streak_halt 2024-03-10 10:00 to 2024-03-11 00:00, refused 2" in told
    assert "and 2 earlier halts, refused 0" in told
