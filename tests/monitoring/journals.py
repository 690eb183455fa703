"""Journals and state folders for tests of the screens: small ones by the journal's own writer, large ones in bulk."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from brokers.journal import Execution, Journal, OrderIntent
from brokers.record import EquityRow, TradeRecord
from config import load
from monitoring.market_view import VIEW_FILE, MarketViewWriter
from monitoring.rows import ReadingRow
from monitoring.state import (
    JOURNAL_FILE,
    STATE_FILE,
    ConditionState,
    HaltState,
    LimitState,
    PositionState,
    TraderState,
    write_state,
)
from risk.model import BracketTerms, Decision, Plan, Proposal, Verdict

ACCOUNT = "PA3SECRETACCOUNT"
BEGIN = datetime(2024, 3, 4, 15, 30, tzinfo=UTC)
HOSTILE = '<img src=x onerror="alert(1)">'


def proposal(symbol: str, quantity: float = 60, reason: str = "RSI(14) 25.1, oversold below 30") -> Proposal:
    return Proposal(
        symbol=symbol, side="buy", signal="mean_reversion", score=72.5, price=170.0, atr=2.0, stop=161.5, target=195.5,
        terms=BracketTerms("buy", stop_frac=0.95, target_frac=1.15), quantity=quantity, reason=reason,
    )  # fmt: skip


def plan(time: datetime = BEGIN) -> Plan:
    """One entry that the sizer cut, one that the sector cap refused, one of odd words."""
    sized = Verdict(
        "equity_sizer", "EQUITY_SIZER: 61 shares, 9.9% of equity, cut by notional", 300, 61,
        {"equity": 105_000, "by_risk": 300, "by_notional": 61},
    )  # fmt: skip
    kept = Verdict("cash_buffer", "OK", 61, 61, {"spendable": 50_000.0})
    refused = Verdict("sector_cap", "SECTOR_CAP: crypto_adjacent 3/3", 50, 0, {"sector": "crypto_adjacent"})
    budget = Verdict("exposure_budget", "EXPOSURE_BUDGET: day 2/2 positions", 40, 0, {"day_positions": 2})
    odd = Verdict("my_rule", f"MY_RULE: {HOSTILE}", 10, 0, {HOSTILE: HOSTILE})
    return Plan(
        time,
        decisions=(
            Decision(time, proposal("AMD", 61), 300, (sized, kept)),
            Decision(time, proposal("MARA", 0), 50, (refused,)),
            Decision(time, proposal("MU", 0), 40, (budget,)),
            Decision(time, proposal("ODD", 0, HOSTILE), 10, (odd,)),
        ),
    )


def entry(symbol: str = "AMD") -> OrderIntent:
    return OrderIntent(
        strategy="combined", symbol=symbol, side="buy", quantity=61, type="limit", role="entry", decision_time=BEGIN,
        limit_price=170.02, bracket_stop=161.5, bracket_target=195.5, reason="RSI(14) 25.1",
    )  # fmt: skip


def small_folder(folder: Path, address: str | None = None) -> Path:
    """A state folder of a trader with a position, a trade, a halt and readings; ``address`` is the journal's."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = iter(range(10**6))
    place = str(folder / JOURNAL_FILE) if address is None else address
    with Journal(place, ACCOUNT, lambda: BEGIN + timedelta(seconds=next(seconds))) as journal:
        journal.begin_run("rehearse", "combined", "active", "abc")
        journal.decisions(plan())
        name = journal.plan_order(entry())
        journal.sent(name, "v-1")
        journal.event(name, "filled", "e", fills=[Execution(61, "170.01", BEGIN + timedelta(seconds=4), "x1", 61)])
        stop = OrderIntent(
            strategy="combined", symbol="AMD", side="sell", quantity=61, type="stop", role="stop", decision_time=BEGIN,
            stop_price=161.5, parent_id=name, reason="leg",
        )  # fmt: skip
        journal.adopt("leg-1", stop, "v-2")
        journal.halt(BEGIN.date(), "drawdown_halt", BEGIN, "equity 96900.00")
        for k in range(3):
            row = EquityRow(BEGIN + timedelta(minutes=5 * k), 105_000 - 50 * k, 94_000, 10_500, 0, 1, 1)
            journal.equity(row)
        trade = TradeRecord(
            symbol="AMD", side="buy", quantity=11, entry_time=BEGIN, entry_price=170.01,
            exit_time=BEGIN + timedelta(hours=1), exit_price=161.5, stop=161.5, target=195.5, atr=2.0,
            stop_multiple=None, pnl=-93.61, r_multiple=-1.0, exit_reason="stop", signal="mean_reversion", score=72.5,
        )  # fmt: skip
        journal.trades({(name, "leg-1"): trade})
    write_state(folder / STATE_FILE, trader_state())
    keep_readings(folder)
    return folder


def keep_readings(folder: Path, bars: int = 100) -> None:
    """Bars of AMD and readings of two symbols, in the market view."""
    writer = MarketViewWriter(folder / VIEW_FILE, keep_days=30, keep_bars=500)
    first = int((BEGIN - timedelta(minutes=5 * (bars - 5))).timestamp())
    series = [
        ("AMD", (first + 300 * k, 170.0 + k % 7, 172.0 + k % 7, 168.0 + k % 7, 171.0 + k % 7, 1e6)) for k in range(bars)
    ]
    rows = [
        ReadingRow(BEGIN, "AMD", 171.0, 2.0, "held", "held or on its way: one position a symbol"),
        ReadingRow(BEGIN, "PLTR", 24.1, 0.6, "silent", "mean_reversion: RSI(14) 47.2, needs below 30", 410.0,
                   "equity_sizer: notional", "EQUITY_SIZER: 410 shares"),
    ]  # fmt: skip
    writer.write(BEGIN, 5, series, rows)
    writer.close()


def trader_state(**changes: Any) -> TraderState:
    """A running trader with one position of 61 shares, 11 of them without a stop."""
    settings = {name: part for name, part in load().as_dict().items() if name != "broker"}
    position = PositionState(
        symbol="AMD", quantity=61.0, entry_price=170.0, price=168.0, stop=161.5, target=195.5, initial_stop=161.5,
        protected=50.0, entry_time=BEGIN, sector="semis", role="entry", signal="mean_reversion", owner="ours", fees=0.0,
    )  # fmt: skip
    limits = (
        LimitState("equity_sizer", "one position", 0.0, 10_500.0, "USD", "", False, "one position"),
        LimitState("policy_gate", "opened today", 10_370.0, 22_050.0, "USD", "next_session", False, ""),
        LimitState("policy_gate", "new positions today", 1, 2, "positions", "next_session", False, ""),
        LimitState(
            "drawdown_halt", "lost since the session's opening", 122.0, 3_150.0, "USD", "next_session", True, ""
        ),
        LimitState("streak_halt", "losing trades in a row", 4, 5, "trades", "", True, ""),
        LimitState("sector_cap", "positions", 1, 3, "positions", "", False, "semis"),
        LimitState(
            "exposure_budget", "deployed today (closed included)", 10_370.0, 21_000.0, "USD", "next_session", False, ""
        ),
        LimitState("exposure_budget", "deployed and still held", 30_000.0, 42_000.0, "USD", "next_week", False, ""),
        LimitState("exposure_budget", "held at some time this week", 3, 10, "positions", "next_week", False, ""),
        LimitState("cash_buffer", "spent of what the buffer leaves", 10_500.0, 89_250.0, "USD", "", False, ""),
    )
    state = TraderState(
        written=datetime.now(UTC), time=BEGIN, started=BEGIN, beat_s=2.0, pace_s=60.0, speed=1.0, mode="paper",
        profile="active", strategy="combined", pid=1, iterations=7, last_iteration=datetime.now(UTC),
        last_look=datetime.now(UTC), in_session=True, listening=True, equity=105_000.0, cash=94_500.0,
        free_cash=94_500.0, session_open_equity=105_122.0, equity_peak=106_000.0, book_time=BEGIN,
        positions=(position,), limits=limits, unprotected={"AMD": 3.0}, settings=settings,
    )  # fmt: skip
    return replace(state, **changes)


STREAM_DOWN = (ConditionState("stream_down", "trade updates", "the connection is lost", datetime.now(UTC)),)
HALTED = (HaltState("peak_halt", "", BEGIN, BEGIN + timedelta(days=5)),)


def large_journal(path: Path, decisions: int = 100_000, trades: int = 5_000) -> None:
    """A journal of that size, its rows as the journal's own writer leaves them, written in bulk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Journal(path, ACCOUNT, lambda: BEGIN) as journal:
        journal.begin_run("paper", "combined", "active", "abc")
    rng = random.Random(1)
    names = [f"S{k:03d}" for k in range(100)]
    times = [(BEGIN + timedelta(minutes=2 * k)).isoformat(timespec="microseconds") for k in range(decisions)]
    rules = ["drawdown_halt", "allocation", "recent_form", "sector_cap", "exposure_budget", "cash_buffer"]
    inputs = json.dumps({"equity": 105_000.0, "sector": "semis"})
    with sqlite3.connect(path) as db:
        rows, verdicts = [], []
        for k in range(decisions):
            outcome = rng.choice(("refused", "refused", "resized", "sent"))
            final = "0" if outcome == "refused" else "60"
            rows.append((k + 1, 1, times[k], 0, names[k % 100], "buy", "entry", "mean_reversion", "72.5", "170",
                         "161.5",
                         "195.5", "2", "300", final, outcome, "RSI(14) 25.1, oversold below 30"))  # fmt: skip
            verdicts.append((k + 1, 0, "equity_sizer", "EQUITY_SIZER: 60 shares", "300", "60", inputs))
            last = rng.choice(rules)
            for place, rule in enumerate(rules, 1):
                stops = rule == last and outcome == "refused"
                code = f"{rule.upper()}: reached" if stops else "OK"
                verdicts.append((k + 1, place, rule, code, "60", "0" if stops else "60", inputs))
                if stops:
                    break
        marks = ", ".join("?" * 17)
        db.executemany(
            "INSERT INTO decisions (id, run_id, time, sequence, symbol, side, role, signal, score, price, stop, "
            f"target, atr, proposed_quantity, final_quantity, outcome, reason) VALUES ({marks})", rows,
        )  # fmt: skip
        db.executemany(
            "INSERT INTO verdicts (decision_id, sequence, module, code, before, after, inputs) VALUES (?,?,?,?,?,?,?)",
            verdicts,
        )
        orders, events, fills, closed, equity = [], [], [], [], []
        for k in range(trades):
            symbol, when, later = names[k % 100], times[k * 20], times[k * 20 + 9]
            for role, side, name, parent in (("entry", "buy", f"e-{k}", None), ("stop", "sell", f"s-{k}", f"e-{k}")):
                orders.append((name, 1, parent, symbol, side, "60", "limit", role, when, "filled", "60", "10200", when))
                for place, status in enumerate(("journaled", "sent", "working", "filled")):
                    events.append((name, f"{place}", when if role == "entry" else later, status, status, ""))
                fills.append((name, "x", "execution", name, "60", "170", when if role == "entry" else later))
            won = rng.random() < 0.5
            closed.append((f"e-{k}", f"s-{k}", symbol, "buy", "60", when, "170", later, "172", "120" if won else "-90",
                           "1.2" if won else "-1", "target" if won else "stop", "mean_reversion"))  # fmt: skip
            equity.append((when, f"{100_000 + rng.gauss(0, 300):.2f}", "90000", "10000", "0", 1))
        db.executemany(
            "INSERT INTO orders (client_order_id, run_id, parent_id, strategy, symbol, side, quantity, type, role, "
            "decision_time, sequence, reason, state, filled_quantity, filled_notional, estimated, fees, journaled_at) "
            "VALUES (?, ?, ?, 'combined', ?, ?, ?, ?, ?, ?, 0, '', ?, ?, ?, 0, '0', ?)", orders,
        )  # fmt: skip
        db.executemany(
            "INSERT INTO order_events (client_order_id, event_key, time, status, state, reason) VALUES (?,?,?,?,?,?)",
            events,
        )
        db.executemany(
            "INSERT INTO fills (client_order_id, fill_key, kind, fill_id, quantity, price, time) "
            "VALUES (?,?,?,?,?,?,?)",
            fills,
        )
        db.executemany(
            "INSERT INTO trades (entry_order_id, exit_order_id, symbol, side, quantity, entry_time, entry_price, "
            "exit_time, exit_price, pnl, r_multiple, exit_reason, signal) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", closed,
        )  # fmt: skip
        db.executemany(
            "INSERT INTO equity (time, equity, cash, long_exposure, inverse_exposure, positions) "
            "VALUES (?,?,?,?,?,?)", equity,
        )  # fmt: skip
    # As a trader leaves it: without this each reader goes through a log of the file's own size.
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
