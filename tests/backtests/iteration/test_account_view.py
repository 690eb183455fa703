"""What one iteration tells of the account: money, positions and their protection, and what each rule reads."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from rich.console import Console

from backtests.iteration import account_view
from backtests.scan_screen import show_account
from risk.cash_buffer import CashBuffer
from risk.drawdown_halt import DrawdownHalt
from risk.exposure_budget import ExposureBudget
from risk.inverse_hedge import InverseHedge
from risk.model import Book, Decision, DeployedBudget, Verdict
from risk.rebalancer import Rebalancer
from risk.recent_form import RecentForm
from risk.sector_cap import SectorCap
from tests.risk.helpers import NOW, market, module, position, proposal

GAUGES = ("AAPL", "MSFT", "GOOGL", "NVDA", "TSLA")
CHAIN = tuple(
    module(cls) for cls in (DrawdownHalt, RecentForm, SectorCap, ExposureBudget, CashBuffer, Rebalancer, InverseHedge)
)


def gauges(*rsis: float):
    marks = {**dict.fromkeys(GAUGES, 100.0), "KO": 60.0, "SH": 15.0}
    sectors = {"KO": "consumer", "AAPL": "mega_tech"}
    return market(marks, {"rsi_14": dict(zip(GAUGES, rsis, strict=True))}, sectors=sectors)


def book(**values: Any) -> Book:
    return Book(**{"time": NOW, "equity": 100_000.0, "cash": 100_000.0} | values)


COLD = (75, 72, 68, 45, 30)
HELD = book(
    equity=100_000,
    cash=84_000,
    positions={
        "AAPL": position("AAPL", 100, 96.0, protected_quantity=100, initial_stop=91.2, stop=98.5),
        "KO": position("KO", 100, 60.0, protected_quantity=40),
    },
    session_open_equity=101_000,
    budget=DeployedBudget(NOW.date(), 9_600, 1, 15_600, 2),
)


def test_positions_say_weight_profit_and_protection():
    apple, cola = account_view.positions(HELD, gauges(*COLD))
    assert (apple.last, apple.weight_frac) == (100, 0.1)
    assert apple.profit_r == pytest.approx(4 / 4.8)
    assert apple.to_stop_frac == pytest.approx(0.015)
    assert (apple.bare, cola.bare) == (0, 60)
    told = account_view.protection([apple, cola])
    assert told == ["WITHOUT A STOP: 60 of 100 KO", "near its stop: AAPL 1.5%"]
    assert account_view.protection([apple])[0] == "every position is behind its stop"
    assert account_view.protection([]) == ["nothing is held"]


def test_a_price_nobody_knows_is_what_was_paid():
    (one,) = account_view.positions(book(positions={"X": position("X", -10, 50.0)}), gauges(*COLD))
    assert one.last == 50 and one.profit_r == 0 and one.to_stop_frac == pytest.approx(0.05)
    (hand,) = account_view.positions(
        book(positions={"X": position("X", 10, 50.0, stop=math.nan, initial_stop=math.nan)}), gauges(*COLD)
    )
    assert math.isnan(hand.profit_r) and math.isnan(hand.to_stop_frac)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("drawdown_halt", "today -0.99%, entries stop below -3.0%"),
        ("recent_form", "0 of the last 0 trades won: 1.0% risk per trade"),
        ("sector_cap", "mega_tech 1, consumer 1; at most 3 in a sector"),
        (
            "exposure_budget",
            "today 9.6% of 20% deployed, closed or not, 1 of 2 new positions; this week 15.6% of 40% still held, "
            "2 of 10 positions held at some time",
        ),
        ("cash_buffer", "69,000.00 USD may be spent; 15% of equity, 15,000.00 USD, stay"),
        ("rebalancer", "heaviest AAPL, 10.0% of at most 15%: all properly sized"),
        (
            "inverse_hedge",
            "2 of 5 gauges above RSI 70 (AAPL 75.0, MSFT 72.0, GOOGL 68.0, NVDA 45.0, TSLA 30.0), 40%: "
            "no hedge below 60%",
        ),
    ],
)
def test_each_rule_says_what_it_reads_also_when_it_does_nothing(rule, told):
    assert account_view.statuses(CHAIN, HELD, gauges(*COLD))[rule] == told


def test_the_hedge_s_line_follows_its_reading():
    (hedge,) = (rule for rule in CHAIN if rule.name == "inverse_hedge")
    hedged = book(equity=100_000, positions={"SH": position("SH", 400, 15.0, role="hedge")})
    assert hedge.status(book(), gauges(75, 72, 71, 45, 30)).endswith("60%: a hedge is due")
    assert hedge.status(hedged, gauges(75, 72, 71, 45, 30)).endswith("60%: hedged; 6.0% of at most 20%")
    assert hedge.status(hedged, gauges(*COLD)).endswith("40%: hedges stay; 6.0% of at most 20%")
    assert hedge.status(hedged, gauges(75, 50, 50, 45, 30)).endswith("20%: hedges are sold; 6.0% of at most 20%")
    assert hedge.status(book(), gauges(75, 72, *[math.nan] * 3)) == "2 of 5 gauges can be read, a reading needs 3"


def test_a_heavy_position_is_to_be_trimmed_and_a_lost_day_is_halted():
    heavy = book(equity=100_000, positions={"AAPL": position("AAPL", 200, 96.0)}, session_open_equity=110_000)
    told = account_view.statuses(CHAIN, heavy, gauges(*COLD))
    assert told["rebalancer"] == "heaviest AAPL, 20.0% of at most 15%: 1 too heavy"
    assert told["drawdown_halt"].endswith("halted for this session")
    assert told["exposure_budget"] == "no budget known: nothing is entered"


def test_an_accepted_proposal_has_its_exits_and_its_risk():
    hedge = proposal("SH", 200, 50.0, role="hedge")
    decision = Decision(NOW, hedge, 200, (Verdict("inverse_hedge", "OK", 200, 150),))
    assert account_view.terms(decision, HELD) == (
        "150 SH for 7,500.00 USD, 7.5%; stop 47.50 (-5.0%), target 57.50 (+15.0%); 375.00 USD, 0.38%, are lost at "
        "the stop"
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_of_the_tables_is_wider_than_the_screen(width):
    text = io.StringIO()
    show_account(Console(file=text, width=width), CHAIN, HELD, gauges(*COLD))
    tables = [line for line in text.getvalue().splitlines() if not line.startswith(("equity", "WITHOUT", "near"))]
    assert max(map(len, tables)) <= width
    assert "AAPL" in text.getvalue() and "10.0%" in text.getvalue() and "98.50" in text.getvalue()
