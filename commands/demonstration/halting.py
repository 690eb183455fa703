"""Scenes about ending things: a bad day, a mess at the broker, everything sold, and an edited state file."""

from __future__ import annotations

import json

from commands.demonstration.bars import day_at_the_exchange
from commands.demonstration.exchange import Exchange, exchange, settle, time_passes, trader
from commands.demonstration.scene import Scene, Seen, Stage
from config.errors import Refusal

CRASH = [1.0, 0.97, 0.94, 0.92, 0.92]
BAR_S = 300
BUDGET_FILE = "weekly_budget.json"


def bad_day(stage: Stage, seen: Seen) -> None:
    """Shares that hands bought fall by 8%, and a signal comes."""
    bars = day_at_the_exchange({"PLTR": CRASH}, falling=("AAPL",))
    # The trader itself can lose 1% in a day at most; here hands hold half of the account.
    room = (
        "risk.modules.exposure_budget.day_frac=1.0",
        "risk.modules.exposure_budget.week_frac=1.0",
        "gate.max_day_notional_frac=2.0",
        "gate.max_new_positions=10",
    )
    with exchange(bars) as at:
        at.by_hand("PLTR", 291)
        before = at.equity
        with trader(at, stage, *room, "universe.symbols=[TSLA]") as of:
            of.iterate()
            for _ in CRASH:
                at.pass_time(BAR_S)
                settle(at, of, looks=2)
            halts = sorted(of.account.desk.halts.halted(of.session.venue.clock.now()))
        seen.say(f"the account is {at.equity / before - 1:.1%} since the opening; halted for today: {', '.join(halts)}")
        with trader(at, stage, *room) as again:
            settle(at, again, looks=2)
            refused = again.refusals().get("AAPL", "not refused")
            bought = at.held("AAPL")
        seen.say(f"after a restart: buy AAPL refused: {refused}")
        seen.check("the day is halted at -3%", "drawdown_halt" in halts)
        seen.check("a restart does not end the halt", refused.startswith("drawdown_halt"))
        seen.check("nothing was bought", bought == 0)


def mess(stage: Stage, seen: Seen) -> None:
    """Orders that nobody remembers, and shares worth less than a dollar."""
    with exchange(day_at_the_exchange({})) as at:
        at.by_hand("PENNY", 2)
        at.by_hand("AAPL", 10)
        at.by_hand("AAPL", 10, "sell", type="limit", limit_price="300", time_in_force="gtc")
        for shares in (5, 6, 7):
            at.by_hand("TSLA", shares, type="limit", limit_price="400", time_in_force="gtc")
        with trader(at, stage):
            pass
        account = ("--broker", "alpaca", "--alpaca-url", at.url, "--state-dir", str(stage.folder / "state"))
        tried = stage.run("cleanup", *account, "--dry-run", *stage.settings())
        orders, penny = len(at.orders()), at.held("PENNY")
        seen.say(f"dry run: {tried.text.count('would ')} things would be done, {orders} orders are still open")
        with time_passes(at):
            done = stage.run("cleanup", *account, *stage.settings())
        seen.say(done.line_with("sold", "PENNY") or "the dust is still there")
        seen.say(f"{len(at.orders())} orders open; {done.line_with('AAPL', 'STOP') or 'nothing said of AAPL'}")
        seen.check("the dry run changed nothing", orders == 4 and penny == 2)
        seen.check("no order is left", not at.orders())
        seen.check("the dust is sold", at.held("PENNY") == 0)
        seen.check("shares without a stop are named", done.line_with("AAPL"))


def flattened(stage: Stage, seen: Seen) -> None:
    """The kill switch at its second level."""
    with exchange(day_at_the_exchange({}, falling=("PLTR", "TSLA"))) as at, trader(at, stage) as of:
        of.iterate()
        settle(at, of, looks=2)
        held = at.positions()
        said = stage.run("kill", "flatten", "--state-dir", str(stage.folder / "state"))
        settle(at, of)
        told = ", ".join(f"{quantity} {symbol}" for symbol, quantity in held.items())
        seen.say(f"held: {told}; kill flatten: {said.text.split(': ')[1].strip()}")
        sales = [fill for fill in at.fills() if fill["side"] == "sell"]
        seen.say(
            "; ".join(f"sold {f['filled_qty']} {f['symbol']} at {float(f['filled_avg_price']):.2f}" for f in sales)
        )
        seen.check("something was held", held)
        seen.check("every position is sold", not at.positions())
        seen.check("no order is left", not at.orders())


def forged(stage: Stage, seen: Seen) -> None:
    """The week's budget is edited so that it looks unspent."""
    with exchange(day_at_the_exchange({}, falling=("PLTR",))) as at:
        with trader(at, stage) as of:
            of.iterate()
            settle(at, of, looks=2)
        path = stage.folder / "state" / BUDGET_FILE
        saved = path.read_text(encoding="utf-8")
        document = json.loads(saved)
        for charge in document["budget"]["charges"]:
            charge["usd"] /= 10
        spent = sum(charge["usd"] for charge in document["budget"]["charges"]) * 10
        path.write_text(json.dumps(document), encoding="utf-8")
        before = len(at.fills())
        said = _refused_start(at, stage)
        path.write_text(saved, encoding="utf-8")
        healthy = _refused_start(at, stage)
        seen.say(f"{spent:,.0f} USD deployed this week; somebody writes a tenth of it; at the next start:")
        seen.say(said.partition(f"{BUDGET_FILE}: ")[2] or said or "it starts as if nothing had happened")
        seen.check("something was deployed", spent > 0)
        seen.check("a trader with an edited budget does not start", "sha256" in said)
        seen.check("nothing was sent", len(at.fills()) == before)
        seen.check("with the file restored it starts", not healthy)


def _refused_start(at: Exchange, stage: Stage) -> str:
    """Why a trader does not start; empty if it does."""
    try:
        with trader(at, stage) as of:
            of.iterate()
    except Refusal as refusal:
        return str(refusal)
    return ""


SCENES = (
    Scene(
        "bad-day",
        "A day goes wrong, and the bot buys on",
        "Nothing counted what the day had lost; the next signal was bought like the first.",
        "an account down 4% since the opening",
        bad_day,
    ),
    Scene(
        "cleanup",
        "Orders and crumbs that nobody remembers",
        "Old orders held cash, two shares of 40 cents held a place, and a script that cleans up did it at once.",
        "risk-first cleanup --broker alpaca --dry-run, then without",
        mess,
    ),
    Scene(
        "kill",
        "Stop everything, now",
        "The bot had to be found and killed, and its positions closed by hand one after the other.",
        "risk-first kill flatten",
        flattened,
    ),
    Scene(
        "budget",
        "Somebody edits the week's budget",
        "Limits lived in memory or in a file that was believed, whatever it said.",
        "an editor, state/weekly_budget.json",
        forged,
    ),
)
