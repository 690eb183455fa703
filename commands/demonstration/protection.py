"""Scenes about positions and the orders that protect them, at the exchange."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from commands.demonstration.bars import day_at_the_exchange
from commands.demonstration.exchange import Exchange, Trader, exchange, settle, trader
from commands.demonstration.scene import Scene, Seen, Stage

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""Longest time for a process that starts and buys."""
FALLING = ("PLTR",)
FOLLOWING = ("risk.chain+=trailing_stop", "risk.chain+=partial_profit")
"""What the default chain leaves out."""
LARGEST_LOSS_FRAC = 0.01
BAR_S = 300


def killed(stage: Stage, seen: Seen) -> None:
    """A trader in a process of its own is killed; the price falls; somebody starts it again."""
    # PLTR stands until 10:15, then falls by 8% in ten minutes.
    with exchange(day_at_the_exchange({"PLTR": [1, 1, 1, 0.96, 0.92]}, falling=FALLING)) as at:
        before = at.equity
        process = subprocess.Popen(  # noqa: S603  # our own module; no shell
            [
                sys.executable,
                "-m",
                "commands.demonstration.trader_process",
                at.url,
                str(stage.folder / "state"),
                *stage.overrides,
            ],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ends = time.monotonic() + PATIENCE_S
            while not at.held("PLTR") and time.monotonic() < ends and process.poll() is None:
                at.pass_time(1)
                time.sleep(0.1)
            bought = at.held("PLTR")
        finally:
            process.kill()
            process.wait()
        resting = [_order(order) for order in at.orders()]
        seen.say(f"{bought} PLTR bought; kill -9; what rests at the broker: {'; '.join(resting)}")
        for _ in range(6):
            at.pass_time(BAR_S)
        sale = next((fill for fill in at.fills() if fill["side"] == "sell"), None)
        if sale is not None:
            seen.say(
                f"PLTR falls 8%: the stop sold {sale['filled_qty']} at {float(sale['filled_avg_price']):.2f}, "
                "with no process alive"
            )
        lost = (before - at.equity) / before
        seen.check("the process is dead", process.returncode != 0)
        seen.check("shares were bought", bought > 0)
        seen.check("none is left after the fall", at.held("PLTR") == 0)
        seen.check(f"{lost:.2%} of the account lost, at most 1%", lost <= LARGEST_LOSS_FRAC)
        with trader(at, stage) as again:
            settle(at, again, looks=2)
            booked = again.account.desk.positions.book.quantity("PLTR")
        seen.check("the trader that starts again knows of the sale", booked == at.held("PLTR"))


def cancelled(stage: Stage, seen: Seen) -> None:
    """All orders are cancelled by hand."""
    with exchange(day_at_the_exchange({}, falling=FALLING)) as at, trader(at, stage) as of:
        bought = _buy(at, of)
        count = at.cancel_all()
        seen.say(f"{bought} PLTR held; {count} orders cancelled by hand; {at.behind_stops('PLTR')} behind a stop")
        bare = at.now
        settle(at, of, looks=2)
        stops = ", ".join(_order(order) for order in at.stops("PLTR"))
        seen.say(f"{(at.now - bare).seconds} s later: {stops or 'no stop'}")
        seen.check("every share is behind a stop again", bought > 0 and at.behind_stops("PLTR") == bought)


def followed(stage: Stage, seen: Seen) -> None:
    """A position that wins: half of it is sold, the stop follows."""
    path = [1.04, 1.08, 1.08, 1.11, 1.11]
    with exchange(day_at_the_exchange({"PLTR": path}, falling=FALLING)) as at, trader(at, stage, *FOLLOWING) as of:
        bought = _buy(at, of)
        entry = next(fill for fill in at.fills() if fill["side"] == "buy")
        paid, first = float(entry["filled_avg_price"]), float(at.stops("PLTR")[0]["stop_price"])
        seen.say(
            f"{bought} PLTR by a limit of {float(entry['limit_price']):.2f}, filled at {paid:.2f}; stop {first:.2f}"
        )
        for _ in path:
            at.pass_time(BAR_S)
            settle(at, of, looks=2)
        sales = [fill for fill in at.fills() if fill["side"] == "sell"]
        for fill in sales:
            seen.say(f"PLTR +10%: {fill['filled_qty']} sold at {float(fill['filled_avg_price']):.2f}")
        left, stops = at.held("PLTR"), at.stops("PLTR")
        last = float(stops[0]["stop_price"]) if stops else 0.0
        seen.say(f"{left} are left, their stop is at {last:.2f}")
        seen.check("the entry was a limit", entry["type"] == "limit")
        seen.check("half was sold, once", len(sales) == 1 and abs(left - bought / 2) <= 1)
        seen.check("the stop is above what was paid", last > paid > first)
        seen.check("it covers every share that is left", at.behind_stops("PLTR") == left > 0)


def _buy(at: Exchange, of: Trader) -> Any:
    of.iterate()
    settle(at, of, looks=2)
    return at.held("PLTR")


def _order(order: dict[str, Any]) -> str:
    price = order["stop_price"] or order["limit_price"]
    return f"{order['side']} {order['qty']} {order['type']} {float(price):.2f}"


SCENES = (
    Scene(
        "killed",
        "The bot dies while it holds shares",
        "The stop was a line in the bot's hourly loop: no bot, no stop.",
        "kill -9 of risk-first trade, then the market falls 8%",
        killed,
    ),
    Scene(
        "cancelled",
        "Somebody cancels all stops",
        "The bot's own exits cancelled the brackets, and what was held had none.",
        "all orders cancelled in the broker's app",
        cancelled,
    ),
    Scene(
        "winner",
        "A winner is closed at four o'clock, at market",
        "Every order went at market and every position was closed at the end of the day.",
        "risk-first trade --config config/overlays/active-exits.yaml",
        followed,
    ),
)
