"""A small account trades real hourly bars at the rehearsed Kraken with the live pipeline, within Starter limits.

Run it: ``python -m tests.brokers.kraken.month --data bars.parquet --start 2021-01-03 --days 30 --out FOLDER``. It tells
what was measured, backtests the same days with the same fees, and ends with status 1 where books disagree, a difference
between the two is not explained, or one of the six gates refused nothing.

Four gates have something to refuse in any month: INTERVAL and PENDING_ORDER while an entry rests at the bid, QUALITY,
OPEN_POSITION. For the other two the month has a script, in ``INCIDENTS`` and ``RESTRICTED``:

- BALANCE: on some days the owner has a bid of his own far below the market, which sets nearly all cash aside.
- SYMBOL: a third pair is watched and restricted, in the backtest too. Its bars are synthetic, as no others are there
  beside those of BTC and ETH; it is never traded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from backtests.data.bar_files import read_bars
from brokers.desk.data.feed import LiveFeed
from brokers.desk.lifecycle.order_export import keep_orders
from brokers.kraken.connection.rates import TIERS
from brokers.rehearsal.core.faults import FaultPlan
from brokers.rehearsal.kraken.reference.synthetic_bars import synthetic_bars
from market.bars import PRICES
from market.trading_day import use_day_of
from risk.entry_gates import GATES
from strategies.registry import build_pipeline
from tests.brokers.journal.told import fees_of
from tests.brokers.kraken.scene import BTC, ETH, SOL, KrakenScene
from tests.brokers.rehearsal.kraken.market import served

FEES = {"maker": "0.0025", "taker": "0.004"}
SPARE_USD = Decimal(3)
"""What the owner's bid leaves of the cash, less than the smallest order."""
RESTRICTED = SOL
INCIDENTS = ((timedelta(days=1), timedelta(days=3)), (timedelta(days=8), timedelta(days=12)))
"""From when to when, after the start, the owner's bid is there."""
HOUR_S = 3_600.0
WARM_UP = timedelta(days=31)
"""Bars before the first day, for indicators: what Kraken gives of hours."""


class OwnersBid:
    """An order of the account's owner, beside this program: cash that it sets aside is not there for others."""

    def __init__(self, scene: KrakenScene, start: datetime, incidents: tuple[tuple[timedelta, timedelta], ...]) -> None:
        self._scene = scene
        self._spans = [(start + begin, start + end) for begin, end in incidents]
        self._order = ""
        self.placed: set[str] = set()

    def look(self) -> None:
        """Place it where it is due and nothing is held, and cancel it when its time is over."""
        scene, now = self._scene, self._scene.server.now
        due = any(begin <= now < end for begin, end in self._spans)
        if due and not self._order and not any(scene.held(symbol) for symbol in (BTC, ETH)):
            price = round(scene.price(BTC) / 2)
            volume = ((scene.cash() - SPARE_USD) / price).quantize(Decimal("1e-8"))
            placed = scene.server.by_hand("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price=price,
                                          volume=volume)  # fmt: skip
            self._order = placed["txid"][0]
            self.placed.add(self._order)
        elif self._order and not due:
            scene.server.by_hand("CancelOrder", txid=self._order)
            self._order = ""


def with_restricted(bars: pd.DataFrame, start: datetime, days: int) -> pd.DataFrame:
    """The bars, with synthetic ones of the restricted pair beside them."""
    first = start - WARM_UP
    made = synthetic_bars(days=(WARM_UP + timedelta(days=days + 2)).days, first_day=f"{first:%Y-%m-%d}")
    # On the pair's grid, where the venue would put them.
    mine = made[made["symbol"] == RESTRICTED].round(dict.fromkeys(PRICES, 2))
    both = pd.concat([bars.astype({"symbol": str}), mine], ignore_index=True)
    return both.assign(datetime=pd.to_datetime(both["datetime"], utc=True))


class Iterations:
    """Iterates a scene's pipeline and keeps what is to be measured."""

    def __init__(self, scene: KrakenScene, symbols: tuple[str, ...]) -> None:
        self.scene = scene
        self.pipeline = build_pipeline(scene.settings)
        self.feed = LiveFeed(scene.venue, symbols, self.pipeline.needs(), {}, bar_minutes=60, sessions=False)
        self.refused: Counter[str] = Counter()
        self.entries: list[datetime] = []
        self.most_held = self.count = 0
        self.nothing_to_do = False
        """Whether nothing was held and nothing proposed: until the next bar closes nothing would be."""
        self.wall_s: list[float] = []
        self.cpu_s: list[float] = []
        self.requests: list[int] = []
        self.private: list[int] = []

    def one(self) -> None:
        """One iteration, timed: by the wall, by this process's own work, and by requests."""
        scene = self.scene
        asked, wall, cpu = Counter(scene.asked), time.perf_counter(), time.thread_time()
        scene.alive(self._iterate)
        self.wall_s.append(time.perf_counter() - wall)
        self.cpu_s.append(time.thread_time() - cpu)
        fresh = scene.asked - asked
        self.requests.append(sum(fresh.values()))
        self.private.append(sum(fresh[name] for name in PRIVATE))
        self.count += 1

    def _iterate(self) -> None:
        scene = self.scene
        with scene.desk.iteration():
            book = scene.desk.reconcile()
            self.most_held = max(self.most_held, len(book.positions))
            plan = self.pipeline.decide(self.feed.snapshot(), book)
            self.nothing_to_do = not book.positions and not book.pending and not plan.decisions
            for decision in plan.decisions:
                for verdict in decision.verdicts:
                    if verdict.refused:
                        self.refused[verdict.code.partition(":")[0]] += 1
            before = len(scene.desk.entries.sent)
            scene.desk.execute(plan)
            self.entries.extend([scene.clock.time] * (len(scene.desk.entries.sent) > before))


PRIVATE = ("OpenOrders", "ClosedOrders", "QueryOrders", "BalanceEx", "TradeVolume", "AddOrder", "AmendOrder",
           "CancelOrder")  # fmt: skip


def rehearse(
    bars: pd.DataFrame, folder: Path, start: datetime, last: timedelta, step_s: float, *,
    symbols: tuple[str, ...] = (BTC, ETH), cash: int = 50, profile: str = "micro_cap", written: Path | None = None,
    stated: tuple[str, ...] = (), incidents: tuple[tuple[timedelta, timedelta], ...] = (), skip: bool = False,
    parts_frac: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Run the pipeline against the exchange; returns what was measured, and writes the run's files if asked to.

    ``skip`` leaves out iterations that could do nothing: the rest of an hour without a position and without a signal.
    ``parts_frac`` is how many of the executions fill a part of what is left alone.
    """
    inside = (bars["datetime"] >= start - WARM_UP) & (bars["datetime"] < start + last + timedelta(days=1))
    use_day_of("UTC")
    folder.mkdir(parents=True, exist_ok=True)
    account, faults = {"cash_usd": cash, "tier": "starter"}, FaultPlan(partial_fill_frac=parts_frac)
    with served(data=bars[inside], start=start, account=account, venue_faults=faults) as server:
        all_stated = (f"universe.symbols=[{', '.join(symbols)}]", "live.entry.max_quote_age_s=100000", *stated)
        scene = KrakenScene(server, folder, TIERS["starter"], profile, all_stated)
        run, owner = Iterations(scene, symbols), OwnersBid(scene, start, incidents)
        while server.now < start + last:
            # Local time stands still here; what was looked at in an earlier step is old.
            scene.desk.looks._looked = scene.desk.looks._seen_at = float("-inf")
            owner.look()
            scene.pass_time(
                10.0 if scene.desk.urgent else to_next_hour(server.now) if skip and run.nothing_to_do else step_s
            )
            run.one()
        scene.settle(3, 10)
        own, fills = scene.positions.book.ledger, [o for o in scene.orders() if o.filled_qty]
        result = {
            "iterations": run.count, "requests": sum(run.requests), "requests of the first": run.requests[0],
            "most requests": max(run.requests[1:]),
            "most private requests": max(run.private), "a usual iteration's": median(run.requests),
            "waited for limits s": scene.waited, "longest s": max(run.wall_s), "most cpu s": max(run.cpu_s),
            "peaks": scene.rates.peaks, "refused": dict(run.refused), "entries": len(run.entries),
            "most positions": run.most_held, "filled": len(fills),
            "protected": 1 - scene.bare_s / scene.held_s if scene.held_s else 1.0,
            "worst gap s": max(scene.spells, default=0.0), "faults": scene.faults(),
            "cash at the venue": scene.cash(), "cash by the journal": cash + scene.journal.cash_by_fills(),
            "fees": fees_of(scene.journal), "closed": len(own.closed), "profit": sum(t.pnl for t in own.record.trades),
            "most entries a minute": most_in(run.entries, timedelta(minutes=1)),
            "largest order usd": max(
                (float(o.qty * (o.limit_price or 0)) for o in scene.orders() if o.buy and o.id not in owner.placed),
                default=0,
            ),
        }  # fmt: skip
        if written is not None:
            entries = scene.desk.entries
            keep_orders(scene.desk.record, scene.journal, entries.refusals.skipped, entries.slippage)
            write_run(written, scene.desk.record)
        scene.close()
    return result


def to_next_hour(now: datetime) -> float:
    """Seconds until the next bar has closed, and a few more."""
    return HOUR_S - now.timestamp() % HOUR_S + 5.0


def most_in(times: list[datetime], span: timedelta) -> int:
    """The most of some times that lie within a span."""
    return max((sum(timedelta(0) <= other - one < span for other in times) for one in times), default=0)


def write_run(folder: Path, record: Any) -> None:
    """The files that a comparison reads."""
    from backtests.reports.order_outcomes import with_outcomes
    from backtests.reports.outputs import write_records

    folder.mkdir(parents=True, exist_ok=True)
    record.decisions = with_outcomes(record)
    write_records(folder, record)
    (folder / "summary.json").write_text(json.dumps({"mode": "rehearse"}))


def backtest(file: Path, folder: Path, start: datetime, days: int, stated: tuple[str, ...], cash: int) -> None:
    """The same days in the backtester, with the same fees and rules."""
    from commands.app import main

    end = start + timedelta(days=days - 1)
    settings = (*stated, f"fills.fee_frac={FEES['taker']}", f"fills.maker_fee_frac={FEES['maker']}")
    status = main(
        ["backtest", "--profile", "micro_cap", "--data", str(file), "--start", f"{start:%Y-%m-%d}",
         "--end", f"{end:%Y-%m-%d}", "--out", str(folder), "--budget", str(cash), "--overwrite", "--no-report",
         *(part for setting in settings for part in ("--set", setting))]
    )  # fmt: skip
    if status:
        raise SystemExit(status)


def main(arguments: list[str] | None = None) -> int:
    """Rehearse, backtest, compare; returns the exit status."""
    reading = argparse.ArgumentParser(description="A small account at the rehearsed Kraken, and in the backtester.")
    reading.add_argument("--data", type=Path, required=True)
    reading.add_argument("--start", type=lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC), required=True)
    reading.add_argument("--days", type=int, default=30)
    reading.add_argument("--step", type=float, default=300.0)
    reading.add_argument("--parts", type=float, default=0.0, help="fraction of the executions that fill a part alone")
    reading.add_argument("--out", type=Path, required=True)
    given = reading.parse_args(arguments)
    live, tested, file = given.out / "live", given.out / "backtest", given.out / "bars.parquet"
    given.out.mkdir(parents=True, exist_ok=True)
    bars = with_restricted(pd.read_parquet(given.data), given.start, given.days)
    bars.to_parquet(file)
    symbols, restricted = (BTC, ETH, RESTRICTED), (f"risk.modules.entry_gates.restricted=[{RESTRICTED}]",)
    found = rehearse(
        read_bars(file), given.out / "state", given.start, timedelta(days=given.days), given.step, symbols=symbols,
        written=live, stated=restricted, incidents=INCIDENTS, skip=True,
        parts_frac=given.parts,
    )  # fmt: skip
    for name, value in found.items():
        sys.stdout.write(f"{name:>24}  {value}\n")
    sys.stdout.flush()
    backtest(file, tested, given.start, given.days, (f"universe.symbols=[{', '.join(symbols)}]", *restricted), 50)
    from backtests.checks.comparison import compare
    from backtests.checks.comparison_report import counts_table, markdown
    from backtests.checks.comparison_result import Cause
    from backtests.checks.missing_bars import LACK
    from commands.screen import console

    compared = compare(live, tested)
    (given.out / "comparison.md").write_text(markdown(compared), encoding="utf-8")
    console(json=False).print(counts_table(compared))
    apart = abs(found["cash at the venue"] - found["cash by the journal"]) >= Decimal("0.01")
    unproven = [d for d in compared.differences if d.cause is Cause.BARS and LACK not in d.detail]
    for difference in unproven:
        sys.stdout.write(f"other figures, and no bar is missing: {difference}\n")
    idle = [gate for gate in GATES if not found["refused"].get(gate)]
    if idle:
        sys.stdout.write(f"refused nothing: {', '.join(idle)}\n")
    return 1 if found["faults"] or apart or compared.unexplained or unproven or idle else 0


if __name__ == "__main__":
    sys.exit(main())
