"""Kills a real trader at a chosen call to the venue, starts it again, and looks what came of the account."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from backtests.data.bar_files import read_bars
from brokers.journal import Journal
from brokers.rehearsal.alpaca.exchange import Exchange
from brokers.rehearsal.alpaca.server import RehearsalServer

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "bars_5min.parquet"
START = datetime(2022, 12, 13, 9, 36, tzinfo=ZoneInfo("America/New_York"))
"""A moment at which the first iteration enters twice."""
SPEED = 30.0
LONGEST_S = 40.0
ITERATIONS = 4
"""Of the trader that was started again, before the account is judged."""


@dataclass
class Outcome:
    """What a kill led to; ``faults`` is empty if the account came out as it should."""

    call: int
    phase: str
    method: str = ""
    path: str = ""
    killed: bool = False
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Day:
    """A day to be killed in: where it begins, how fast it goes, and what is set beside the profile."""

    start: datetime
    speed: float
    settings: tuple[str, ...] = ()


QUIET = Day(START, SPEED)
BUSY = Day(
    datetime(2022, 11, 25, 9, 46, tzinfo=ZoneInfo("America/New_York")),
    60.0,
    tuple(
        word
        for setting in (
            "risk.chain=[allocation,exposure_budget,cash_buffer,rebalancer,trailing_stop,partial_profit]",
            "risk.modules.exposure_budget.day_positions=8",
            "risk.modules.exposure_budget.day_frac=0.6",
            "risk.modules.exposure_budget.week_frac=1.0",
            "risk.modules.rebalancer.max_weight_frac=0.09",
            "risk.modules.trailing_stop.arm_r=0.2",
            "risk.modules.trailing_stop.trail_r=0.4",
            "risk.modules.partial_profit.at_r=0.5",
        )
        for word in ("--set", setting)
    ),
)
"""Every entry is trimmed at once and its stop soon moved, so that cancels and replaces come early."""


def trader(server: RehearsalServer, folder: Path, day: Day = QUIET) -> subprocess.Popen[bytes]:
    """The ordinary command, against the rehearsal venue like against any other."""
    return subprocess.Popen(
        [
            sys.executable, str(ROOT / "live_trader.py"), "--strategy", "combined", "--paper", "--profile", "intraday",
            "--alpaca-url", server.url, "--set", f"pace.speed={day.speed:g}", "--sleeptime", "60S",
            "--set", "market=24/7", "--set", "live.yahoo=false", *day.settings,
            "--symbols", "SPY,QQQ,NVDA,AAPL,MSFT,TSLA", "--out", str(folder / "run"), "--overwrite",
        ],
        cwd=folder,
        env={**os.environ, "ALPACA_API_KEY": server.key, "ALPACA_API_SECRET": server.secret},
        stdout=(folder / "log").open("ab"),
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def venue(day: Day = QUIET) -> RehearsalServer:
    symbols = ["SPY", "QQQ", "NVDA", "AAPL", "MSFT", "TSLA"]
    return RehearsalServer(read_bars(DATA, symbols), start=day.start, sessions=1, speed=day.speed)


def calls_of_a_day(folder: Path, seconds: float, day: Day = QUIET) -> list[tuple[str, str]]:
    """Method and path of every request of an undisturbed run."""
    with venue(day) as server:
        process = trader(server, folder, day)
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        return [(entry.method, entry.path) for entry in server.log]


def kill_at(
    call: int,
    phase: str,
    folder: Path,
    day: Day = QUIET,
    changing: bool = False,
    sign: signal.Signals = signal.SIGKILL,
) -> Outcome:
    """Run, kill at the ``call``-th request, run again until things have settled, and judge.

    With ``changing`` only requests that change orders are counted. After a SIGTERM nothing that the trader
    held may be bare already before it is started again.
    """
    outcome = Outcome(call, phase)
    with venue(day) as server:
        died = threading.Event()
        process = trader(server, folder, day)
        counted = itertools.count(1)
        place: dict[int, int] = {}

        def hook(number: int, method: str, path: str, when: str) -> None:
            if when == "before" and (not changing or method != "GET"):
                place[number] = next(counted) if changing else number
            if place.get(number) == call and when == phase and not died.is_set():
                outcome.method, outcome.path = method, path
                os.kill(process.pid, sign)
                died.set()

        server.on_request(hook)
        outcome.killed = died.wait(60)
        if sign is signal.SIGTERM and outcome.killed:
            process.wait(10)
            if naked := server.call(unprotected):
                outcome.faults.append(f"left without a stop: {naked}")
            if more := server.call(surplus):
                outcome.faults.append(f"left with more exits than shares: {more}")
        process.kill()
        process.wait(10)
        again = trader(server, folder, day)
        seen, began = len(server.log), time.monotonic()
        while time.monotonic() - began < LONGEST_S and again.poll() is None:
            time.sleep(0.25)
            looked = sum(entry.path == "/v2/account" for entry in server.log[seen:])
            # A position that is just being trimmed is bare for a moment; the account is judged between two.
            if looked > ITERATIONS and not server.call(unprotected):
                break
        again.send_signal(signal.SIGTERM)
        again.wait(20)
        judge(outcome, server, folder)
    return outcome


def unprotected(exchange: Exchange) -> dict[str, Decimal]:
    """Shares of each symbol that no stop of a filled entry covers."""
    return {symbol: missing for symbol, missing in _uncovered(exchange).items() if missing > 0}


def surplus(exchange: Exchange) -> dict[str, Decimal]:
    """Shares of each symbol that stops of filled entries would sell beyond those held."""
    return {symbol: -missing for symbol, missing in _uncovered(exchange).items() if missing < 0}


def _uncovered(exchange: Exchange) -> dict[str, Decimal]:
    """Shares held less those that stops of filled entries would sell, by symbol."""
    stops: dict[str, Decimal] = {}
    for row in exchange.orders(nested=True, limit=500):
        for order in (row, *(row["legs"] or ())):
            exit_of_filled = row["side"] == "sell"
            if order["type"] == "stop" and exit_of_filled:
                left = Decimal(order["qty"]) - Decimal(order["filled_qty"])
                stops[order["symbol"]] = stops.get(order["symbol"], Decimal(0)) + left
    held = {row["symbol"]: Decimal(row["qty"]) for row in exchange.positions()}
    return {s: held.get(s, Decimal(0)) - stops.get(s, Decimal(0)) for s in held.keys() | stops.keys()}


def judge(outcome: Outcome, server: RehearsalServer, folder: Path) -> None:
    """Everything that must hold after a restart."""
    faults = outcome.faults
    if not outcome.killed:
        faults.append("the call never came")
    if naked := server.call(unprotected):
        faults.append(f"without a stop: {naked}")
    if more := server.call(surplus):
        faults.append(f"more exits than shares: {more}")
    account = server.call(lambda exchange: exchange.account())
    positions = {r["symbol"]: Decimal(r["qty"]) for r in server.call(lambda exchange: exchange.positions())}
    orders: list[dict[str, Any]] = server.call(lambda exchange: exchange.orders("all", limit=500, nested=False))
    if any(quantity < 0 for quantity in positions.values()):
        faults.append(f"oversold: {positions}")
    sent = [e.payload["client_order_id"] for e in server.log if e.method == "POST" and isinstance(e.payload, dict)]
    if len(sent) != len(set(sent)):
        faults.append("an order was sent twice")
    with Journal(folder / "state" / "journal.sqlite3", account["account_number"]) as journal:
        if journal.positions_by_fills() != positions:
            faults.append(f"journal {journal.positions_by_fills()}, venue {positions}")
        cash = Decimal(account["cash"]) - Decimal(100_000)
        if abs(journal.cash_by_fills() - cash) >= Decimal("0.01"):
            faults.append(f"journal's cash {journal.cash_by_fills()}, venue's {cash}")
        known = set(journal.venue_ids())
        if strangers := [order["id"] for order in orders if order["id"] not in known]:
            faults.append(f"{len(strangers)} orders that the journal doesn't know")
